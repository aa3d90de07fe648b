/* SPDX-License-Identifier: BSD-2-Clause
 * Virtual-interrupt delivery: the CPU delivers the LAPIC's vectors out of its page, and software keeps RVI, SVI and page in
 * agreement. The fake looks at the agreement at every entry.
 * Knows nothing of what holds without it too: those tests run both ways. */
#include "unit/vid_fixture.h"

#define TICKS 50000

/* ---- who delivers ---- */

/* "reference: has_injectable_intr = has_extint or (not V and L)". */
static void lapic_vectors_are_never_injected_by_software(void **state)
{
	(void)state;
	FOR_RULES(rule)
		FOR_SEEDS(seed) {
			struct rig *r = rig_mapped((enum irq_rule)rule, seed);

			fake_gate(&r->f, MSI_HIGH, HANDLER_EOI, false);
			LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, SELF_IPI(MSI_HIGH), LABEL(1), NOP, OUT(EXIT, 1));
			run_to(r, RAISE);
			msi(r, MSI_VECTOR);
			run_to(r, EXIT);
			expect_virtual_at(r, MSI_VECTOR, 0);
			expect_virtual_at(r, MSI_HIGH, 1);
			expect_no_arrival(r);
			assert_int_equal(r->v.stats.lapic, 0);
			rig_end(r);
		}
}

/* SDM v3, "Virtualized APIC Registers" and what follows: a self-IPI, its delivery and its EOI need no software. */
static void a_self_ipi_and_its_eoi_do_not_exit(void **state)
{
	struct rig *r = rig_mapped(IRQ_RULE_REARM, 0);
	uint64_t exits;

	(void)state;
	LOAD(r, STI, NOP, OUT(RAISE, 1), SELF_IPI(MSI_VECTOR), LABEL(0), NOP, OUT(EXIT, 1));
	run_to(r, RAISE);
	exits = r->v.stats.exits;
	run_to(r, EXIT);
	expect_virtual_at(r, MSI_VECTOR, 0);
	assert_int_equal(r->v.stats.exits, exits + 1); /* of OUT itself */
	assert_int_equal(lapic_highest_isr(&r->v.lapic), -1);
	rig_end(r);
}

static void a_halted_vcpu_wakes_by_a_vector(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		LOAD(r, STI, HLT, LABEL(0), NOP, OUT(EXIT, 1));
		run_of(r)->deadline = NSEC_PER_MSEC;
		assert_int_equal(run(r), VCPU_EXIT_INTR);
		assert_true(r->v.halted);
		msi(r, MSI_VECTOR);
		run_of(r)->deadline = LONG_NS;
		run_to(r, EXIT);
		expect_virtual_at(r, MSI_VECTOR, 0);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* A user irqchip has no local APIC here: the fake takes each call about virtual interrupts for a violation. */
static void a_user_irqchip_virtualizes_nothing(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_user(seed);
		const uint64_t all[4] = { UINT64_MAX };

		vcpu_native_api.set_eoi_exits(&r->v, all);
		LOAD(r, WRITE(APIC_TPR, 0x20), WRITE(APIC_EOI, 0), OUT(EXIT, 1));
		assert_int_equal(run(r), VCPU_EXIT_MMIO);
		assert_int_equal(run_of(r)->mmio.phys_addr, APIC(APIC_TPR));
		assert_int_equal(run(r), VCPU_EXIT_MMIO);
		run_to(r, EXIT);
		assert_int_equal(r->v.vid, HVM_VID_OFF);
		assert_int_equal(r->f.vid, HVM_VID_OFF);
		rig_end(r);
	}
}

/* ---- posted interrupts ---- */

/* SDM v3, "Posted-Interrupt Processing": "The logical processor sets RVI to be the maximum of the old value of RVI
 * and the highest index of all bits that were set in PIR", and at last it "evaluates pending virtual interrupts": a message is
 * delivered where one in IRR would be, and with IF=0 IRR has it. */
static void a_posted_message_comes_where_any_comes(void **state)
{
	uint64_t by_cpu = 0, by_software = 0;

	(void)state;
	for (uint64_t seed = 1; seed < 4 * SEEDS; seed += 2) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		LOAD(r, OUT(RAISE, 1), READ(APIC_IRR + MSI_VECTOR / 32 * 16), OUT(RAISE, 1), STI, NOP, LABEL(0), NOP,
		     OUT(EXIT, 1));
		run_to(r, RAISE);
		msi(r, MSI_VECTOR);
		assert_true(lapic_has_posted(&r->v.lapic));
		assert_int_equal(lapic_highest_irr(&r->v.lapic), -1);
		assert_int_equal(lapic_pending(&r->v.lapic), MSI_VECTOR);
		expect_read(r, BIT(MSI_VECTOR % 32));
		assert_false(lapic_has_posted(&r->v.lapic));
		by_cpu += r->v.stats.posted;
		by_software += !r->v.stats.posted;
		run_to(r, EXIT);
		expect_virtual_at(r, MSI_VECTOR, 0);
		expect_no_arrival(r);
		rig_end(r);
	}
	assert_true(by_cpu && by_software);
}

/* SDM v3, "Interrupt Priority": a virtual interrupt ranks above the external interrupt that the notification is. What IRR holds
 * must not go before a higher vector for that, nor what it holds already come again. */
static void what_is_posted_neither_overtakes_nor_doubles(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 4 * SEEDS; seed += 2) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		fake_gate(&r->f, MSI_HIGH, HANDLER_EOI, false);
		LOAD(r, OUT(RAISE, 1), NOP, OUT(RAISE, 1), LABEL(2), STI, NOP, LABEL(0), NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		msi(r, MSI_VECTOR);
		run_to(r, RAISE);
		assert_int_equal(lapic_highest_irr(&r->v.lapic), MSI_VECTOR);
		r->f.rflags |= RFLAGS_IF;
		msi(r, MSI_VECTOR);
		msi(r, MSI_HIGH);
		run_to(r, EXIT);
		expect_virtual_at(r, MSI_HIGH, 2);
		expect_virtual_at(r, MSI_VECTOR, 2);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* SDM v3, "EOI Virtualization" of a level is in TMR's and the EOI-exit bitmap's hands: those messages go into IRR. */
static void levels_are_not_posted(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < SEEDS; seed += 2) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);
		const struct apic_msg level = { .vector = MSI_VECTOR, .level = true };

		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		vcpu_native_api.signal_msi(&r->v, &level);
		assert_false(lapic_has_posted(&r->v.lapic));
		assert_int_equal(lapic_highest_irr(&r->v.lapic), MSI_VECTOR);
		run_to(r, EXIT);
		expect_virtual_at(r, MSI_VECTOR, 0);
		rig_end(r);
	}
}

/* ---- the rule ---- */

/* Until the user half is asked: a vector is pending and it wants the window. */
static struct rig *rig_contended(enum irq_rule rule, uint64_t seed)
{
	struct rig *r = rig_mapped(rule, seed);

	r->f.quirks.spurious = 0;
	fake_gate(&r->f, MSI_HIGH, HANDLER_EOI, false);
	LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1));
	run_to(r, RAISE);
	msi(r, MSI_HIGH);
	run_of(r)->request_interrupt_window = 1;
	return r;
}

/* Reference, "Statement": "zero progress iff ... W; P; stash empty; IF=1 and no shadow; L; V". */
static void legacy_livelocks(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_contended(IRQ_RULE_LEGACY, seed);
		const struct vcpu_run *u = run_of(r);

		for (unsigned again = 0; again < 2; again++) {
			assert_int_equal(run(r), VCPU_EXIT_LIVELOCK);
			assert_int_equal(u->livelock.window_exits, LIVELOCK_EXITS);
			assert_int_equal(u->livelock.rip, fake_label(&r->f, 0));
			assert_int_equal(u->livelock.lapic_vector, MSI_HIGH);
			assert_int_equal(u->livelock.rvi, MSI_HIGH);
			assert_int_equal(r->f.rip, fake_label(&r->f, 0));
			expect_no_arrival(r);
		}
		/* "Broken by: ... dropping the request" */
		run_of(r)->request_interrupt_window = 0;
		run_to(r, EXIT);
		expect_virtual_at(r, MSI_HIGH, 0);
		rig_end(r);
	}
}

/* Reference, the table "Split mode", row L=1, V=1: "exit at once; ExtINT injected; LAPIC vector delivered by hardware
 * later". */
static void the_other_rules_give_extint_first(void **state)
{
	(void)state;
	for (unsigned rule = IRQ_RULE_STASH; rule < IRQ_RULES; rule++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_contended((enum irq_rule)rule, seed);

			assert_int_equal(run(r), VCPU_EXIT_IRQ_WINDOW_OPEN);
			assert_in_range(r->v.stats.window_exits, 0, 1);
			interrupt(r, EXTINT_VECTOR);
			run_of(r)->request_interrupt_window = 0;
			run_to(r, EXIT);
			expect_injected_at(r, EXTINT_VECTOR, 0);
			expect_virtual_at(r, MSI_HIGH, 0);
			expect_no_arrival(r);
			assert_int_equal(r->v.stats.extint, 1);
			assert_int_equal(r->v.stats.lapic, 0);
			rig_end(r);
		}
}

/* The window for what waits in the stash keeps the CPU from delivering before it. */
static void a_stash_that_waits_for_if_goes_first(void **state)
{
	(void)state;
	FOR_RULES(rule)
		FOR_SEEDS(seed) {
			struct rig *r = rig_mapped((enum irq_rule)rule, seed);

			LOAD(r, OUT(RAISE, 1), NOP, STI, NOP, LABEL(0), NOP, OUT(EXIT, 1));
			run_to(r, RAISE);
			msi(r, MSI_VECTOR);
			interrupt(r, EXTINT_VECTOR);
			run_to(r, EXIT);
			expect_injected_at(r, EXTINT_VECTOR, 0);
			expect_virtual_at(r, MSI_VECTOR, 0);
			expect_no_arrival(r);
			rig_end(r);
		}
}

/* ---- EOI ---- */

/* SDM v3, "EOI Virtualization": "IF EOI_exit_bitmap[Vector] = 1 THEN cause EOI-induced VM exit"; it is behind the write. A
 * line that stays high comes again. */
static void the_eoi_of_a_level_line_reaches_the_user_half(void **state)
{
	const unsigned times = 3;

	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		fake_gate(&r->f, MSI_VECTOR, 1, false);
		choose_eoi_exit(r, MSI_VECTOR);
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1), LABEL(1), EOI, LABEL(2), IRET);
		run_to(r, RAISE);
		for (unsigned i = 0; i < times; i++) {
			msi(r, MSI_VECTOR);
			assert_int_equal(run(r), VCPU_EXIT_IOAPIC_EOI);
			assert_int_equal(run_of(r)->eoi.vector, MSI_VECTOR);
			assert_int_equal(r->f.rip, fake_label(&r->f, 2));
			expect_virtual_at(r, MSI_VECTOR, 0);
		}
		run_to(r, EXIT);
		expect_no_arrival(r);
		assert_int_equal(r->v.exit_counts[HVM_EXIT_EOI], times);
		rig_end(r);
	}
}

static void the_eoi_of_an_edge_reaches_nobody(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		fake_gate(&r->f, MSI_HIGH, HANDLER_EOI, false);
		choose_eoi_exit(r, MSI_VECTOR);
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		msi(r, MSI_HIGH);
		assert_int_equal(run(r), VCPU_EXIT_IO);
		expect_virtual_at(r, MSI_HIGH, 0);
		assert_int_equal(r->v.exit_counts[HVM_EXIT_EOI], 0);
		rig_end(r);
	}
}

/* The bit is out of ISR already when the exit comes: the next vector must not be ended in its place. */
static void an_eoi_exit_ends_one_vector_only(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		fake_gate(&r->f, MSI_VECTOR, 1, false);
		fake_gate(&r->f, MSI_HIGH, HANDLER_EOI, false);
		choose_eoi_exit(r, MSI_HIGH);
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1), LABEL(1), STI, NOP, SELF_IPI(MSI_HIGH), LABEL(2),
		     CLI, EOI, IRET);
		run_to(r, RAISE);
		msi(r, MSI_VECTOR);
		assert_int_equal(run(r), VCPU_EXIT_IOAPIC_EOI);
		expect_virtual_at(r, MSI_VECTOR, 0);
		expect_virtual_at(r, MSI_HIGH, 2);
		assert_int_equal(lapic_highest_isr(&r->v.lapic), MSI_VECTOR);
		run_to(r, EXIT);
		assert_int_equal(lapic_highest_isr(&r->v.lapic), -1);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* ---- TPR ---- */

/* SDM v3, "TPR Virtualization": with virtual-interrupt delivery it evaluates pending virtual interrupts, and nothing
 * exits. */
static void tpr_masks_and_unmasks_without_exits(void **state)
{
	(void)state;
	for (unsigned by_cr8 = 0; by_cr8 < 2; by_cr8++) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, 0);
		uint64_t exits;

		if (by_cr8)
			LOAD(r, STI, MOV(RAX, 5), MOV_CR8, OUT(RAISE, 1), NOP, MOV(RAX, 15), MOV_CR8, NOP, MOV(RAX, 4), MOV_CR8,
			     LABEL(0), NOP, OUT(EXIT, 1));
		else
			LOAD(r, STI, WRITE(APIC_TPR, 0x5f), OUT(RAISE, 1), NOP, WRITE(APIC_TPR, 0xf0), NOP, WRITE(APIC_TPR, 0x4f),
			     LABEL(0), NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		msi(r, MSI_VECTOR);
		exits = r->v.stats.exits;
		run_to(r, EXIT);
		expect_virtual_at(r, MSI_VECTOR, 0);
		expect_no_arrival(r);
		assert_int_equal(r->v.stats.exits, exits + 1); /* of OUT itself */
		assert_int_equal(lapic_tpr(&r->v.lapic), by_cr8 ? 0x40 : 0x4f);
		rig_end(r);
	}
}

/* What the guest writes in one place it reads in the other, with all eight bits. */
static void tpr_survives_its_exits(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		LOAD(r, WRITE(APIC_TPR, 0x9f), CPUID, OUT(RAISE, 1), READ(APIC_TPR), OUT(RAISE, 1), MOV(RAX, 3), MOV_CR8, CPUID,
		     READ(APIC_TPR), OUT(EXIT, 1));
		run_to(r, RAISE);
		assert_int_equal(lapic_tpr(&r->v.lapic), 0x9f);
		run_to(r, RAISE);
		assert_int_equal(r->v.regs.gpr[RAX], 0x9f);
		run_to(r, EXIT);
		assert_int_equal(r->v.regs.gpr[RAX], 0x30);
		rig_end(r);
	}
}

/* ---- registers behind an exit ---- */

/* SDM v3, "Self-IPI Virtualization" takes the shorthand only; the others exit behind the write, and the high half of the
 * ICR, whose write does not exit, is in the page. */
static void ipis_that_are_not_virtualized_are_sent(void **state)
{
	static const struct {
		uint32_t low, dest;
		bool arrives;
	} table[] = {
		{ APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL), 0, true },
		{ APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL_BUT_SELF), 0, false },
		{ APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF) | APIC_ICR_LEVEL, 0, true },
		{ 0, 0, true },
		{ 0, 0xff, true },
		{ 0, 5, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

			LOAD(r, STI, NOP, WRITE(APIC_ICR_HIGH, table[i].dest << 24), WRITE(APIC_ICR_LOW, table[i].low | MSI_VECTOR),
			     LABEL(0), NOP, OUT(EXIT, 1));
			run_to(r, EXIT);
			if (table[i].arrives)
				expect_virtual_at(r, MSI_VECTOR, 0);
			expect_no_arrival(r);
			assert_int_equal(r->v.exit_counts[HVM_EXIT_APIC_WRITE], 1);
			rig_end(r);
		}
}

/* The page holds what the guest has written until software has looked at it: then it holds what the register keeps. */
static void written_registers_take_effect_and_read_back(void **state)
{
	const uint32_t ones = UINT32_MAX;

	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		LOAD(r, WRITE(APIC_LDR, ones), READ(APIC_LDR), OUT(RAISE, 1), WRITE(APIC_TIMER_DIVIDE, ones),
		     READ(APIC_TIMER_DIVIDE), OUT(RAISE, 1), LVT0_MASK, READ(APIC_LVT_LINT0), OUT(RAISE, 1), LVT0_OPEN,
		     WRITE(APIC_SVR, 0xff), READ(APIC_LVT_LINT0), OUT(RAISE, 1), OUT(EXIT, 1));
		expect_read(r, (uint32_t)MASK(31, 24));
		expect_read(r, 0xb);
		expect_read(r, APIC_LVT_MASKED | APIC_DM_FIELD(APIC_DM_EXTINT));
		expect_read(r, APIC_LVT_MASKED | APIC_DM_FIELD(APIC_DM_EXTINT)); /* by SVR */
		assert_false(r->v.lapic.svr & APIC_SVR_ENABLE);
		run_to(r, EXIT);
		rig_end(r);
	}
}

/* SDM v3, "Error Handling": a vector below 16 is an error, and "the local APIC will never set an IRR bit". */
static void a_self_ipi_below_16_is_an_error(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		LOAD(r, STI, SELF_IPI(5), NOP, WRITE(APIC_ESR, 0), READ(APIC_ESR), OUT(RAISE, 1), OUT(EXIT, 1));
		expect_read(r, APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECV_ILLEGAL);
		assert_int_equal(lapic_highest_irr(&r->v.lapic), -1);
		run_to(r, EXIT);
		expect_no_arrival(r);
		rig_end(r);
	}
}

static void the_timer_runs_and_its_vector_arrives(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

		fake_gate(&r->f, MSI_HIGH, 1, false);
		LOAD(r, STI, WRITE(APIC_LVT_TIMER, MSI_HIGH), WRITE(APIC_TIMER_DIVIDE, 0xb), WRITE(APIC_TIMER_INITIAL, TICKS),
		     READ(APIC_TIMER_CURRENT), OUT(RAISE, 1), LABEL(0), NOP, JMP(0), LABEL(1), EOI, OUT(EXIT, 1), IRET);
		run_to(r, RAISE);
		assert_in_range(r->v.regs.gpr[RAX], 1, TICKS);
		run_to(r, EXIT);
		assert_true(expect_arrival(r, EVENT_INTR, MSI_HIGH)->virtual_);
		assert_int_equal(r->v.stats.lapic, 0);
		rig_end(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lapic_vectors_are_never_injected_by_software),
		cmocka_unit_test(a_self_ipi_and_its_eoi_do_not_exit),
		cmocka_unit_test(a_halted_vcpu_wakes_by_a_vector),
		cmocka_unit_test(a_user_irqchip_virtualizes_nothing),
		cmocka_unit_test(a_posted_message_comes_where_any_comes),
		cmocka_unit_test(what_is_posted_neither_overtakes_nor_doubles),
		cmocka_unit_test(levels_are_not_posted),
		cmocka_unit_test(legacy_livelocks),
		cmocka_unit_test(the_other_rules_give_extint_first),
		cmocka_unit_test(a_stash_that_waits_for_if_goes_first),
		cmocka_unit_test(the_eoi_of_a_level_line_reaches_the_user_half),
		cmocka_unit_test(the_eoi_of_an_edge_reaches_nobody),
		cmocka_unit_test(an_eoi_exit_ends_one_vector_only),
		cmocka_unit_test(tpr_masks_and_unmasks_without_exits),
		cmocka_unit_test(tpr_survives_its_exits),
		cmocka_unit_test(ipis_that_are_not_virtualized_are_sent),
		cmocka_unit_test(written_registers_take_effect_and_read_back),
		cmocka_unit_test(a_self_ipi_below_16_is_an_error),
		cmocka_unit_test(the_timer_runs_and_its_vector_arrives),
	};

	return cmocka_run_group_tests_name("vid", tests, vid_on, NULL);
}
