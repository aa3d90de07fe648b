/* SPDX-License-Identifier: BSD-2-Clause
 * The contract of KVM_RUN and KVM_INTERRUPT under the four rules: who may hand over what, when it is told, where it lands.
 * Knows nothing of how the kernel half keeps its events. */
#include "unit/vcpu_fixture.h"

/* Reference, "KVM_INTERRUPT": "vec >= 256: EINVAL; mode S and stash full: EEXIST". */
static void interrupt_in_split_mode_fills_one_slot(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, STI, NOP, LABEL(0), NOP, OUT(EXIT, 1));
	assert_int_equal(interrupt(r, LAPIC_VECTORS), E_INVAL);
	assert_int_equal(interrupt(r, UINT32_MAX), E_INVAL);
	assert_int_equal(interrupt(r, EXTINT_VECTOR), 0);
	assert_int_equal(interrupt(r, EXTINT_VECTOR_2), E_EXIST);
	assert_int_equal(interrupt(r, LAPIC_VECTORS), E_INVAL);
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
	expect_no_arrival(r);
	assert_int_equal(interrupt(r, EXTINT_VECTOR_2), 0);
	rig_end(r);
}

/* Every vector of the byte is legal for ExtINT, those below 16 too. */
static void interrupt_takes_all_vectors(void **state)
{
	(void)state;
	for (unsigned vector = 0; vector < LAPIC_VECTORS; vector++) {
		struct rig *r = rig_split(0);

		for (unsigned v = 0; v < FIRST_IRQ; v++)
			fake_gate(&r->f, (uint8_t)v, HANDLER_IRET, false);
		LOAD(r, STI, NOP, NOP, OUT(EXIT, 1));
		assert_int_equal(interrupt(r, vector), 0);
		run_to(r, EXIT);
		expect_arrival(r, EVENT_INTR, (uint8_t)vector);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* Reference, "KVM_INTERRUPT": "mode U: overwrite inj, never fails". */
static void interrupt_in_user_mode_overwrites(void **state)
{
	struct rig *r = rig_user(0);

	(void)state;
	LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1));
	run_to(r, RAISE);
	assert_int_equal(interrupt(r, LAPIC_VECTORS), E_INVAL);
	assert_int_equal(interrupt(r, EXTINT_VECTOR), 0);
	assert_int_equal(interrupt(r, EXTINT_VECTOR_2), 0);
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR_2, 0);
	expect_no_arrival(r);
	rig_end(r);
}

static void no_irqchip_calls_in_user_mode(void **state)
{
	struct rig *r = rig_user(0);

	(void)state;
	assert_int_equal(msi(r, MSI_VECTOR), E_NXIO);
	assert_int_equal(lapic_highest_irr(&r->v.lapic), -1);
	rig_end(r);
}

/* What the user half asks for where it cannot see: why a HLT does not wait, the TSC that the guest has written, LVT0. */
static void the_user_half_is_told_what_it_cannot_see(void **state)
{
	struct rig *r = rig_user(0);
	struct tsc_clock before, after;

	(void)state;
	LOAD(r, STI, HLT, LABEL(0), NOP, OUT(EXIT, 1));
	while (run(r) != VCPU_EXIT_HLT)
		assert_int_not_equal(run_of(r)->exit_reason, VCPU_EXIT_IO);
	assert_false(vcpu_native_api.has_event(&r->v));
	vcpu_queue_exception(&r->v, VEC_DB, false, 0);
	assert_true(vcpu_native_api.has_event(&r->v));
	vcpu_native_api.get_tsc(&r->v, &before);
	assert_int_equal(vcpu_write_msr(&r->v, MSR_TSC, r->v.ops->guest_tsc(&r->v) + 12345), 0);
	vcpu_native_api.get_tsc(&r->v, &after);
	assert_int_equal(after.tsc0 - before.tsc0, 12345);
	assert_int_equal(after.mult, before.mult);
	assert_int_equal(vcpu_native_api.get_lapic(&r->v, APIC_LVT_LINT0), 0);
	rig_end(r);
	r = rig_split(0);
	assert_int_equal(vcpu_native_api.get_lapic(&r->v, APIC_LVT_LINT0), APIC_DM_FIELD(APIC_DM_EXTINT));
	rig_end(r);
}

/* "Success says nothing about IF or LVT0." */
static void success_of_interrupt_says_nothing_about_if_or_lvt0(void **state)
{
	(void)state;
	FOR_RULES(rule) {
		struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_SPLIT, 0);

		LOAD(r, LVT0_MASK, OUT(RAISE, 1), NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		assert_false(run_of(r)->ready_for_interrupt_injection);
		assert_int_equal(interrupt(r, EXTINT_VECTOR), 0);
		run_to(r, EXIT);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* "run->if_flag = RFLAGS.IF only (no shadow, no stash)"; ready asks for all three. */
static void if_flag_is_rflags_alone(void **state)
{
	(void)state;
	FOR_RULES(rule) {
		struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_SPLIT, 0);

		LOAD(r, NOP, NOP, OUT(EXIT, 1));
		run_of(r)->immediate_exit = 1;
		r->f.rflags |= RFLAGS_IF;
		assert_int_equal(run(r), VCPU_EXIT_INTR);
		assert_true(run_of(r)->if_flag && run_of(r)->ready_for_interrupt_injection);
		r->f.shadow = SHADOW_STI;
		run(r);
		assert_true(run_of(r)->if_flag && !run_of(r)->ready_for_interrupt_injection);
		r->f.shadow = SHADOW_NONE;
		interrupt(r, EXTINT_VECTOR);
		run(r);
		assert_true(run_of(r)->if_flag && !run_of(r)->ready_for_interrupt_injection);
		rig_end(r);
	}
}

/* SDM v2, "STI": the processor "begins responding to external, maskable interrupts after the next instruction is executed".
 * A load of SS casts such a shadow too, whatever IF was; POPF and IRET cast none. */
static void window_opens_at_the_first_boundary(void **state)
{
	static const struct fake_insn progs[][6] = {
		{ NOP, STI, NOP, LABEL(0), NOP, OUT(EXIT, 1) },
		{ NOP, POPF(RFLAGS_IF), LABEL(0), NOP, NOP, OUT(EXIT, 1) },
		{ MOV_SS, POPF(RFLAGS_IF), LABEL(0), NOP, NOP, OUT(EXIT, 1) },
		{ STI, CLI, STI, NOP, LABEL(0), OUT(EXIT, 1) },
		{ STI, MOV_SS, NOP, LABEL(0), NOP, OUT(EXIT, 1) },
		{ STI, STI, LABEL(0), STI, NOP, OUT(EXIT, 1) },
		{ STI, OUT(RAISE, 1), LABEL(0), NOP, NOP, OUT(EXIT, 1) },
		{ STI, CPUID, LABEL(0), NOP, NOP, OUT(EXIT, 1) },
	};

	(void)state;
	for (unsigned p = 0; p < ARRAY_SIZE(progs); p++)
		FOR_RULES(rule)
			FOR_SEEDS(seed)
			for (unsigned mode = 0; mode < 2; mode++) {
				struct rig *r = rig_new((enum irq_rule)rule, (enum irqchip_mode)mode, seed);

				rig_load(r, progs[p], ARRAY_SIZE(progs[p]));
				run_of(r)->request_interrupt_window = 1;
				/* An exit of its own at that very boundary serves as well: ready says it. */
				do
					run(r);
				while (!run_of(r)->ready_for_interrupt_injection);
				assert_int_equal(r->f.rip, fake_label(&r->f, 0));
				rig_end(r);
			}
}

/* "exit with KVM_EXIT_IRQ_WINDOW_OPEN iff W and ready" */
static void no_window_without_w_or_without_an_opening(void **state)
{
	(void)state;
	FOR_RULES(rule)
		FOR_SEEDS(seed) {
			struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_SPLIT, seed);

			LOAD(r, STI, NOP, NOP, CLI, NOP, OUT(RAISE, 1), STI, CLI, NOP, OUT(EXIT, 1));
			assert_int_equal(run(r), VCPU_EXIT_IO);
			assert_int_equal(run_of(r)->io.port, RAISE);
			assert_int_equal(r->v.stats.window_exits, 0);
			run_of(r)->request_interrupt_window = 1;
			assert_int_equal(run(r), VCPU_EXIT_IO); /* sti;cli opens nothing */
			assert_int_equal(run_of(r)->io.port, EXIT);
			rig_end(r);
		}
}

/* What is accepted with IF=0 lands where IF and shadow allow it. */
static void accepted_vector_lands_after_the_shadow(void **state)
{
	(void)state;
	FOR_RULES(rule)
		FOR_SEEDS(seed) {
			struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_SPLIT, seed);
			const struct fake_arrival *a;

			LOAD(r, OUT(RAISE, 1), NOP, STI, NOP, LABEL(0), NOP, OUT(EXIT, 1));
			run_to(r, RAISE);
			assert_int_equal(interrupt(r, EXTINT_VECTOR), 0);
			run_to(r, EXIT);
			a = expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
			assert_true(a->if_ && !a->shadow && a->injected);
			expect_no_arrival(r);
			rig_end(r);
		}
}

/* "Skipping an emulated instruction must clear the shadow." */
static void an_emulated_instruction_ends_the_shadow(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, STI, OUT(RAISE, 1), LABEL(0), NOP, NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		assert_true(run_of(r)->ready_for_interrupt_injection);
		assert_int_equal(interrupt(r, EXTINT_VECTOR), 0);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
		rig_end(r);
	}
}

/* Two vectors back to back, as automatic EOI makes them: the window for the second is requested while the first fills
 * the stash. Returns whether the guest was stopped for the second before it stopped by itself. */
static bool second_extint_in_time(enum irq_rule rule, enum irqchip_mode mode, uint64_t *exits)
{
	struct rig *r = rig_new(rule, mode, 0);
	struct vcpu_run *u = run_of(r);
	bool in_time;

	fake_map_all(&r->f);
	LOAD(r, STI, NOP, MOV(RCX, SPIN), OUT(RAISE, 1), LABEL(0), NOP, LABEL(1), LOOP(1), OUT(EXIT, 1));
	run_to(r, RAISE);
	assert_true(u->ready_for_interrupt_injection);
	assert_int_equal(interrupt(r, EXTINT_VECTOR), 0);
	u->request_interrupt_window = 1;
	*exits = r->v.stats.exits;
	in_time = run(r) == VCPU_EXIT_IRQ_WINDOW_OPEN;
	*exits = r->v.stats.exits - *exits;
	expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
	assert_true(u->ready_for_interrupt_injection);
	if (in_time)
		assert_int_equal(r->f.rip, fake_label(&r->f, 0)); /* at once after the first one's IRET */
	else
		assert_int_equal(u->io.port, EXIT); /* nobody looked until an unrelated exit */
	rig_end(r);
	return in_time;
}

/* Reference, "Arming hole": "If W=1 while stash is full, req_int_win=0; injection empties the stash during the same
 * entry and nothing re-arms until the next exit for any reason." */
static void window_request_is_sampled_before_injection(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++)
		FOR_RULES(rule) {
			bool hole = rule == IRQ_RULE_STASH || rule == IRQ_RULE_BOUNDARY;
			uint64_t exits;

			assert_int_equal(second_extint_in_time((enum irq_rule)rule, (enum irqchip_mode)mode, &exits), !hole);
			assert_int_equal(exits, 1);
		}
}

/* The hole closes at the next exit for any reason, and nothing is lost. */
static void the_hole_closes_at_the_next_exit(void **state)
{
	(void)state;
	for (unsigned rule = IRQ_RULE_STASH; rule <= IRQ_RULE_BOUNDARY; rule++) {
		struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_SPLIT, 0);

		fake_map_all(&r->f);
		LOAD(r, STI, OUT(RAISE, 1), NOP, NOP, CPUID, LABEL(0), NOP, NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		interrupt(r, EXTINT_VECTOR);
		run_of(r)->request_interrupt_window = 1;
		assert_int_equal(run(r), VCPU_EXIT_IRQ_WINDOW_OPEN);
		assert_int_equal(r->f.rip, fake_label(&r->f, 0));
		interrupt(r, EXTINT_VECTOR_2);
		run_of(r)->request_interrupt_window = 0;
		run_to(r, EXIT);
		expect_arrival(r, EVENT_INTR, EXTINT_VECTOR);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR_2, 0);
		rig_end(r);
	}
}

/* Reference, the table "Split mode, A=P=1", row L=1, V=0: under legacy "exit only after its handler reopens IF and L=0",
 * else "exit at once". */
static bool ready_with_lapic_pending(enum irq_rule rule)
{
	struct rig *r = rig_new(rule, IRQCHIP_SPLIT, 0);
	bool ready;

	LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, NOP, OUT(EXIT, 1));
	run_to(r, RAISE);
	msi(r, MSI_VECTOR);
	run_of(r)->immediate_exit = 1;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	ready = run_of(r)->ready_for_interrupt_injection;
	run_of(r)->immediate_exit = 0;
	if (ready) {
		interrupt(r, EXTINT_VECTOR);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
		expect_arrival_at(r, EVENT_INTR, MSI_VECTOR, 0);
		assert_int_equal(r->v.stats.window_exits, !rig_vid); /* for the vector that software injects */
	} else {
		run_of(r)->request_interrupt_window = 1;
		assert_int_equal(run(r), VCPU_EXIT_IRQ_WINDOW_OPEN);
		expect_arrival_at(r, EVENT_INTR, MSI_VECTOR, 0);
		assert_int_equal(r->f.rip, fake_label(&r->f, 0));
	}
	rig_end(r);
	return ready;
}

/* Inversion under legacy: what the 8259 has waits for what the LAPIC got later. With virtual-interrupt delivery it would
 * wait for ever: that is proved elsewhere. */
static void extint_goes_before_the_lapic(void **state)
{
	(void)state;
	for (unsigned rule = rig_vid ? IRQ_RULE_STASH : IRQ_RULE_LEGACY; rule < IRQ_RULES; rule++)
		assert_int_equal(ready_with_lapic_pending((enum irq_rule)rule), rule != IRQ_RULE_LEGACY);
}

/* Each EOI of the storm comes to the user half, which wants one ExtINT per EOI. Returns how many it got. */
static unsigned extints_in_storm(struct rig *r, uint64_t until)
{
	const uint64_t eoi_exits[4] = { [MSI_VECTOR / 64] = BIT64(MSI_VECTOR % 64) };
	struct vcpu_run *u = run_of(r);
	unsigned extints = 0;

	vcpu_native_api.set_eoi_exits(&r->v, eoi_exits);
	u->deadline = until;
	while (run(r) != VCPU_EXIT_INTR) {
		u->request_interrupt_window = u->exit_reason == VCPU_EXIT_IOAPIC_EOI;
		if (u->exit_reason == VCPU_EXIT_IOAPIC_EOI)
			continue;
		assert_int_equal(u->exit_reason, VCPU_EXIT_IRQ_WINDOW_OPEN);
		assert_int_equal(interrupt(r, EXTINT_VECTOR), 0);
		extints++;
	}
	return extints;
}

/* Reference, "Without VID": "Starvation needs a fresh deliverable LAPIC vector at every reopening." */
static void a_self_ipi_storm_starves_extint_under_legacy_only(void **state)
{
	const uint64_t storm_ns = 2000000;
	const unsigned many = 100;

	(void)state;
	for (unsigned rule = rig_vid ? IRQ_RULE_STASH : IRQ_RULE_LEGACY; rule < IRQ_RULES; rule++) {
		struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_SPLIT, 0);
		unsigned extints;

		fake_gate(&r->f, MSI_VECTOR, 1, false);
		LOAD(r, SELF_IPI(MSI_VECTOR), STI, LABEL(0), NOP, JMP(0), LABEL(1), EOI, SELF_IPI(MSI_VECTOR), IRET);
		extints = extints_in_storm(r, storm_ns);
		assert_true(count_arrivals(r, EVENT_INTR, MSI_VECTOR) > many);
		assert_in_range(extints, rule == IRQ_RULE_LEGACY ? 0 : many, rule == IRQ_RULE_LEGACY ? 0 : UINT32_MAX);
		assert_in_range(count_arrivals(r, EVENT_INTR, EXTINT_VECTOR), extints ? extints - 1 : 0, extints);
		rig_end(r);
	}
}

/* What software has yet to tell the CPU is no register; what was posted then is in IRR now. */
static void expect_same_lapic(const struct rig *r, struct lapic *before)
{
	lapic_take_posted(before);
	before->changed = r->v.lapic.changed;
	assert_memory_equal(before, &r->v.lapic, sizeof(*before));
}

/* "ExtINT ignores TPR/PPR, sets no IRR/ISR and needs no LAPIC EOI; PPR unchanged." */
static void extint_does_not_touch_the_lapic(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);
		struct lapic before;

		fake_gate(&r->f, EXTINT_VECTOR, 1, false);
		LOAD(r, STORE32(APIC(APIC_TPR), 0xf0), STI, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1), LABEL(1),
		     OUT(RAISE, 1), IRET);
		run_to(r, RAISE);
		msi(r, MSI_VECTOR);
		before = r->v.lapic;
		assert_true(run_of(r)->ready_for_interrupt_injection);
		interrupt(r, EXTINT_VECTOR);
		run_to(r, RAISE); /* in the handler */
		expect_same_lapic(r, &before);
		run_to(r, EXIT);
		expect_same_lapic(r, &before);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
		expect_no_arrival(r); /* TPR holds the MSI back */
		rig_end(r);
	}
}

/* Reference, "Stranded stash": "a second KVM_INTERRUPT gives EEXIST, and the stale vector fires when LVT0 is unmasked." */
static void masking_lvt0_strands_the_stash(void **state)
{
	(void)state;
	FOR_RULES(rule)
		FOR_SEEDS(seed) {
			struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_SPLIT, seed);

			LOAD(r, OUT(RAISE, 1), LVT0_MASK, STI, NOP, NOP, OUT(RAISE, 1), LVT0_OPEN, LABEL(0), NOP, NOP,
			     OUT(EXIT, 1));
			run_to(r, RAISE);
			assert_int_equal(interrupt(r, EXTINT_VECTOR), 0);
			run_of(r)->request_interrupt_window = 1;
			assert_int_equal(run(r), VCPU_EXIT_IO); /* no window in between */
			assert_int_equal(interrupt(r, EXTINT_VECTOR_2), E_EXIST);
			expect_no_arrival(r);
			run_of(r)->request_interrupt_window = 0;
			run_to(r, EXIT);
			expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
			expect_no_arrival(r);
			rig_end(r);
		}
}

/* P: "APICBASE.EN=0, or (LVT0.mask=0 and LVT0.mode=ExtINT(7)). SVR is not consulted"; but clearing SVR.EN masks LVT0. */
static void lint0_decides_whether_extint_is_accepted(void **state)
{
	const uint32_t open = APIC_DM_FIELD(APIC_DM_EXTINT);
	struct rig *r = rig_split(0);
	struct lapic *l = &r->v.lapic;

	(void)state;
	LOAD(r, NOP, OUT(EXIT, 1));
	r->f.rflags |= RFLAGS_IF;
	run_of(r)->immediate_exit = 1;
	for (unsigned n = 0; n < 8; n++) {
		uint32_t mode = n & BIT(0) ? open : APIC_DM_FIELD(APIC_DM_FIXED);
		bool masked = n & BIT(1), enabled = n & BIT(2);

		l->base = APIC_DEFAULT_PHYS | (enabled ? APIC_BASE_EN : 0);
		l->lvt[LVT_LINT0] = mode | (masked ? APIC_LVT_MASKED : 0);
		run(r);
		assert_int_equal(run_of(r)->ready_for_interrupt_injection, !enabled || (!masked && mode == open));
	}
	l->base |= APIC_BASE_EN;
	l->lvt[LVT_LINT0] = open;
	lapic_write(l, APIC_SVR, 0, 0);
	run(r);
	assert_false(run_of(r)->ready_for_interrupt_injection);
	rig_end(r);
}

/* ---- user irqchip: what DOSEMU met ---- */

/* An OUT with TF set: the guest owes itself a #DB when the user half gets the OUT. Who accepts an interrupt then injects
 * it on top of the #DB, and it lands in the #DB handler with IF=0. */
static void accepting_during_a_pending_db(void **state)
{
	(void)state;
	FOR_RULES(rule)
		FOR_SEEDS(seed) {
			struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_USER, seed);
			bool accepts = rule == IRQ_RULE_LEGACY || rule == IRQ_RULE_STASH;
			const struct fake_arrival *a;

			r->f.allow_if0 = accepts;
			fake_gate(&r->f, VEC_DB, 1, false);
			LOAD(r, POPF(RFLAGS_TF | RFLAGS_IF), OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1), LABEL(1), NOP, IRET);
			run_to(r, RAISE);
			assert_int_equal(run_of(r)->ready_for_interrupt_injection, accepts);
			if (accepts)
				interrupt(r, EXTINT_VECTOR);
			run_of(r)->request_interrupt_window = !accepts;
			run(r);
			expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, 0);
			if (accepts) {
				a = expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 1);
				assert_false(a->if_);
			} else {
				assert_true(run_of(r)->ready_for_interrupt_injection);
				interrupt(r, EXTINT_VECTOR);
				run_of(r)->request_interrupt_window = 0;
				run_to(r, EXIT);
				do
					a = next_arrival(r);
				while (a && a->type != EVENT_INTR);
				assert_non_null(a);
				assert_true(a->if_);
			}
			rig_end(r);
		}
}

/* The exception is half delivered: its delivery faulted in the nested tables, and the user half gets its turn before it
 * is injected again. Only `stash` forgets to ask (no R in its ready). */
static void accepting_during_a_half_delivered_exception(void **state)
{
	const uint64_t soon = 150; /* between the faulting instruction and its exit */

	(void)state;
	FOR_RULES(rule) {
		struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_USER, 0);
		bool accepts = rule == IRQ_RULE_STASH;

		fake_map_all(&r->f);
		fake_unmap(&r->f, FAKE_IDT);
		r->f.allow_if0 = accepts;
		r->f.rflags |= RFLAGS_IF;
		fake_gate(&r->f, VEC_GP, 1, false);
		LOAD(r, LABEL(0), FAULT(VEC_GP, 0), OUT(EXIT, 1), LABEL(1), NOP, NOP, IRET_NEXT);
		run_of(r)->request_interrupt_window = 1;
		run_of(r)->deadline = soon;
		/* the window of the first instruction's boundary */
		assert_int_equal(run(r), VCPU_EXIT_IRQ_WINDOW_OPEN);
		run_of(r)->request_interrupt_window = 0;
		run_of(r)->deadline = r->f.clock + soon;
		assert_int_equal(run(r), VCPU_EXIT_INTR);
		assert_int_equal(r->v.stats.delivery_faults, 1);
		assert_int_equal(run_of(r)->ready_for_interrupt_injection, accepts);
		run_of(r)->request_interrupt_window = 1;
		run_of(r)->deadline = LONG_NS;
		if (accepts)
			interrupt(r, EXTINT_VECTOR);
		run_of(r)->request_interrupt_window = 0;
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
		if (accepts)
			assert_false(expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 1)->if_);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* "In U mode inj is re-injected with no IF check". */
static void user_mode_injects_whatever_if_says(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_user(seed);

		r->f.allow_if0 = true;
		LOAD(r, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		assert_false(run_of(r)->ready_for_interrupt_injection);
		interrupt(r, EXTINT_VECTOR);
		run_to(r, EXIT);
		assert_false(expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0)->if_);
		rig_end(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupt_in_split_mode_fills_one_slot),
		cmocka_unit_test(interrupt_takes_all_vectors),
		cmocka_unit_test(interrupt_in_user_mode_overwrites),
		cmocka_unit_test(the_user_half_is_told_what_it_cannot_see),
		cmocka_unit_test(no_irqchip_calls_in_user_mode),
		cmocka_unit_test(success_of_interrupt_says_nothing_about_if_or_lvt0),
		cmocka_unit_test(if_flag_is_rflags_alone),
		cmocka_unit_test(window_opens_at_the_first_boundary),
		cmocka_unit_test(no_window_without_w_or_without_an_opening),
		cmocka_unit_test(accepted_vector_lands_after_the_shadow),
		cmocka_unit_test(an_emulated_instruction_ends_the_shadow),
		cmocka_unit_test(window_request_is_sampled_before_injection),
		cmocka_unit_test(the_hole_closes_at_the_next_exit),
		cmocka_unit_test(extint_goes_before_the_lapic),
		cmocka_unit_test(a_self_ipi_storm_starves_extint_under_legacy_only),
		cmocka_unit_test(extint_does_not_touch_the_lapic),
		cmocka_unit_test(masking_lvt0_strands_the_stash),
		cmocka_unit_test(lint0_decides_whether_extint_is_accepted),
		cmocka_unit_test(accepting_during_a_pending_db),
		cmocka_unit_test(accepting_during_a_half_delivered_exception),
		cmocka_unit_test(user_mode_injects_whatever_if_says),
	};

	return RUN_BOTH_WAYS("contract", tests);
}
