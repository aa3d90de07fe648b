/* SPDX-License-Identifier: BSD-2-Clause
 * Virtual-interrupt delivery where the guest moves its APIC: on, off and on again at run time, and x2APIC mode.
 * Knows nothing of what xAPIC mode at its usual place has proved already. */
#include "unit/vid_fixture.h"

#define MOVED 0xfed00000u
#define BASE_XAPIC (APIC_DEFAULT_PHYS | APIC_BASE_EN | APIC_BASE_BSP)
#define BASE_X2APIC (BASE_XAPIC | APIC_BASE_EXTD)
#define BASE_MOVED (MOVED | APIC_BASE_EN | APIC_BASE_BSP)
#define BASE_OFF (APIC_DEFAULT_PHYS | APIC_BASE_BSP)
#define WRITE_BASE(v) WRITE_MSR(MSR_APIC_BASE, v)
#define X2APIC(reg) (MSR_X2APIC_FIRST + (reg) / 16)
#define WRITE_X2APIC(reg, v) WRITE_MSR(X2APIC(reg), v)
#define READ_X2APIC(reg) MOV(RCX, X2APIC(reg)), RDMSR

/* ---- the guest moves its APIC ---- */

/* In service: 50. Waiting with IF=0: 70 above it, 51 in its class, 40 below. */
static void raise_around(struct rig *r)
{
	msi(r, 0x40);
	msi(r, 0x51);
	msi(r, 0x70);
}

static struct rig *rig_movable(uint64_t seed, unsigned label)
{
	struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

	fake_gate(&r->f, 0x50, label, false);
	for (unsigned v = 0x40; v < 0x80; v++)
		if (v != 0x50)
			fake_gate(&r->f, (uint8_t)v, HANDLER_EOI, false);
	return r;
}

/* KVM inhibits APICv while the APIC is not where the CPU looks for it ("APICV_INHIBIT_REASON_APIC_BASE_MODIFIED"). */
static void moving_the_page_away_and_back_loses_nothing(void **state)
{
	const unsigned eoi_moved = 3;

	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_movable(seed, 1);

		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1),
		     LABEL(1), OUT(RAISE, 1), WRITE_BASE(BASE_MOVED), OUT(RAISE, 1), STI, NOP, LABEL(2), CLI, OUT(RAISE, 1),
		     WRITE_BASE(BASE_XAPIC), OUT(RAISE, 1), STI, NOP, LABEL(4), CLI, EOI, IRET,
		     LABEL(3), STORE32(MOVED + APIC_EOI, 0), IRET);
		run_to(r, RAISE);
		msi(r, 0x50);
		run_to(r, RAISE);
		raise_around(r);
		run_to(r, RAISE); /* away: software delivers */
		fake_gate(&r->f, 0x70, eoi_moved, false);
		run_to(r, RAISE);
		assert_int_equal(r->f.vid, HVM_VID_OFF);
		assert_int_equal(r->v.stats.lapic, 1);
		msi(r, 0x60);
		run_to(r, RAISE); /* back */
		run_to(r, EXIT);
		assert_int_equal(r->f.vid, HVM_VID_XAPIC);
		expect_virtual_at(r, 0x50, 0);
		expect_injected_at(r, 0x70, 2);
		expect_virtual_at(r, 0x60, 4);
		expect_virtual_at(r, 0x51, 0);
		expect_virtual_at(r, 0x40, 0);
		expect_no_arrival(r);
		assert_int_equal(r->v.stats.lapic, 1);
		rig_end(r);
	}
}

/* SDM v3, "State Changes From xAPIC Mode to x2APIC Mode": but for ID, LDR and half the ICR "state is preserved". */
static void going_to_x2apic_loses_nothing(void **state)
{
	const unsigned eoi_msr = 3;

	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_movable(seed, 1);

		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1),
		     LABEL(1), OUT(RAISE, 1), WRITE_BASE(BASE_X2APIC), OUT(RAISE, 1), STI, NOP, LABEL(2), CLI,
		     WRITE_X2APIC(APIC_EOI, 0), IRET,
		     LABEL(3), WRITE_X2APIC(APIC_EOI, 0), IRET);
		run_to(r, RAISE);
		msi(r, 0x50);
		run_to(r, RAISE);
		raise_around(r);
		run_to(r, RAISE);
		for (unsigned v = 0x40; v < 0x80; v++)
			if (v != 0x50)
				fake_gate(&r->f, (uint8_t)v, eoi_msr, false);
		run_to(r, EXIT);
		assert_int_equal(r->f.vid, HVM_VID_X2APIC);
		expect_virtual_at(r, 0x50, 0);
		expect_virtual_at(r, 0x70, 2);
		expect_virtual_at(r, 0x51, 0);
		expect_virtual_at(r, 0x40, 0);
		expect_no_arrival(r);
		assert_int_equal(r->v.stats.lapic, 0);
		rig_end(r);
	}
}

/* SDM v3, "Local APIC Status and Location": disabled, "the processor is functionally equivalent to an IA-32 processor
 * without an on-chip APIC"; enabled again, the APIC is in its power-up state: what waited or was in service is gone, and
 * nothing of it comes back. */
static void disabling_forgets_and_enabling_begins_anew(void **state)
{
	static const uint64_t via[] = { BASE_XAPIC, BASE_X2APIC }; /* before it is disabled */

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(via); i++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_movable(seed, 1);

			LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1),
			     LABEL(1), OUT(RAISE, 1), WRITE_BASE(via[i]), WRITE_BASE(BASE_OFF), OUT(RAISE, 1), STI, NOP, LABEL(2),
			     CLI, WRITE_BASE(BASE_XAPIC), WRITE(APIC_SVR, APIC_SVR_ENABLE | 0xff), OUT(RAISE, 1), STI, NOP,
			     LABEL(3), IRET);
			run_to(r, RAISE);
			msi(r, 0x50);
			run_to(r, RAISE);
			raise_around(r);
			run_to(r, RAISE); /* off: a PC with an 8259 only */
			assert_int_equal(lapic_highest_irr(&r->v.lapic), -1);
			assert_int_equal(lapic_highest_isr(&r->v.lapic), -1);
			msi(r, 0x71); /* reaches nobody */
			interrupt(r, EXTINT_VECTOR);
			run_to(r, RAISE); /* on again */
			assert_int_equal(r->f.vid, HVM_VID_XAPIC);
			msi(r, 0x41);
			run_to(r, EXIT);
			expect_virtual_at(r, 0x50, 0);
			expect_injected_at(r, EXTINT_VECTOR, 2);
			expect_virtual_at(r, 0x41, 3);
			expect_no_arrival(r);
			assert_int_equal(r->v.stats.lapic, 0);
			rig_end(r);
		}
}

/* SDM v3, "Local APIC State After It Has Been Software Disabled": "Pending interrupts in the IRR and ISR registers are
 * held"; and fixed interrupts are not accepted, be they self-IPIs, which a CPU that virtualizes them would take. */
static void software_disabling_holds_what_waits_and_takes_no_self_ipi(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_movable(seed, 1);

		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1),
		     LABEL(1), OUT(RAISE, 1), WRITE(APIC_SVR, 0xff), SELF_IPI(0x60), OUT(RAISE, 1),
		     WRITE(APIC_SVR, APIC_SVR_ENABLE | 0xff), OUT(RAISE, 1), STI, NOP, LABEL(2), CLI, EOI, IRET);
		run_to(r, RAISE);
		msi(r, 0x50);
		run_to(r, RAISE);
		raise_around(r);
		run_to(r, RAISE); /* disabled */
		assert_int_equal(lapic_highest_irr(&r->v.lapic), 0x70);
		assert_int_equal(lapic_highest_isr(&r->v.lapic), 0x50);
		run_to(r, RAISE); /* enabled */
		assert_int_equal(r->f.vid, HVM_VID_XAPIC);
		run_to(r, EXIT);
		expect_virtual_at(r, 0x50, 0);
		expect_virtual_at(r, 0x70, 2);
		expect_virtual_at(r, 0x51, 0);
		expect_virtual_at(r, 0x40, 0);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* ---- x2APIC mode ---- */

static struct rig *rig_x2apic(uint64_t seed)
{
	struct rig *r = rig_mapped(IRQ_RULE_REARM, seed);

	assert_int_equal(lapic_write_msr(&r->v.lapic, MSR_APIC_BASE, BASE_X2APIC, 0, &r->v.tsc), 0);
	fake_gate(&r->f, MSI_VECTOR, 1, false);
	return r;
}

/* SDM v3, "Virtualizing MSR-Based APIC Accesses": 808H, 80BH and 83FH. */
static void in_x2apic_mode_tpr_eoi_and_self_ipi_do_not_exit(void **state)
{
	struct rig *r = rig_x2apic(0);
	uint64_t exits;

	(void)state;
	LOAD(r, STI, NOP, OUT(RAISE, 1), WRITE_X2APIC(APIC_TPR, 0x60), WRITE_X2APIC(APIC_SELF_IPI, MSI_VECTOR), NOP,
	     WRITE_X2APIC(APIC_TPR, 0), LABEL(0), READ_X2APIC(APIC_TPR), OUT(EXIT, 1), LABEL(1), WRITE_X2APIC(APIC_EOI, 0), IRET);
	run_to(r, RAISE);
	exits = r->v.stats.exits;
	run_to(r, EXIT);
	expect_virtual_at(r, MSI_VECTOR, 0);
	expect_no_arrival(r);
	assert_int_equal(r->v.stats.exits, exits + 1); /* of OUT itself */
	assert_int_equal(r->v.regs.gpr[RAX], 0);
	rig_end(r);
}

/* The others are software's, by WRMSR as ever. */
static void in_x2apic_mode_the_icr_sends(void **state)
{
	const uint32_t icr = MSI_VECTOR | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF);

	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_x2apic(seed);

		LOAD(r, STI, WRITE_X2APIC(APIC_ICR_LOW, icr), LABEL(0), READ_X2APIC(APIC_ICR_LOW), OUT(RAISE, 1), OUT(EXIT, 1),
		     LABEL(1), WRITE_X2APIC(APIC_EOI, 0), IRET);
		expect_read(r, icr);
		expect_virtual_at(r, MSI_VECTOR, 0);
		assert_int_equal(r->v.exit_counts[HVM_EXIT_WRMSR], 1);
		rig_end(r);
	}
}

static void in_x2apic_mode_an_eoi_exits_for_a_level_line(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_x2apic(seed);

		choose_eoi_exit(r, MSI_VECTOR);
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1), LABEL(1), WRITE_X2APIC(APIC_EOI, 0), LABEL(2), IRET);
		run_to(r, RAISE);
		msi(r, MSI_VECTOR);
		assert_int_equal(run(r), VCPU_EXIT_IOAPIC_EOI);
		assert_int_equal(r->f.rip, fake_label(&r->f, 2));
		run_to(r, EXIT);
		expect_virtual_at(r, MSI_VECTOR, 0);
		rig_end(r);
	}
}

static void in_x2apic_mode_a_self_ipi_below_16_is_an_error(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_x2apic(seed);

		LOAD(r, STI, WRITE_X2APIC(APIC_SELF_IPI, 5), WRITE_X2APIC(APIC_ESR, 0), READ_X2APIC(APIC_ESR), OUT(RAISE, 1),
		     OUT(EXIT, 1));
		expect_read(r, APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECV_ILLEGAL);
		assert_int_equal(r->v.exit_counts[HVM_EXIT_APIC_WRITE], 1);
		expect_no_arrival(r);
		rig_end(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moving_the_page_away_and_back_loses_nothing),
		cmocka_unit_test(going_to_x2apic_loses_nothing),
		cmocka_unit_test(disabling_forgets_and_enabling_begins_anew),
		cmocka_unit_test(software_disabling_holds_what_waits_and_takes_no_self_ipi),
		cmocka_unit_test(in_x2apic_mode_tpr_eoi_and_self_ipi_do_not_exit),
		cmocka_unit_test(in_x2apic_mode_the_icr_sends),
		cmocka_unit_test(in_x2apic_mode_an_eoi_exits_for_a_level_line),
		cmocka_unit_test(in_x2apic_mode_a_self_ipi_below_16_is_an_error),
	};

	return cmocka_run_group_tests_name("vid_modes", tests, vid_on, NULL);
}
