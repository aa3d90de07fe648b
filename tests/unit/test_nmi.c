/* SPDX-License-Identifier: BSD-2-Clause
 * NMIs: before interrupts, blocked until IRET, latched once, never lost and never late.
 * Knows nothing of deliveries that are cut short; those are proved with the events. */
#include "unit/vcpu_fixture.h"

/* SDM v3, "Priority Among Simultaneous Exceptions and Interrupts": NMI before maskable hardware interrupts. */
static void nmi_goes_before_intr(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		interrupt(r, EXTINT_VECTOR);
		msi(r, MSI_VECTOR);
		nmi(r);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
		expect_arrival_at(r, EVENT_INTR, MSI_VECTOR, 0);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* SDM v3, "Handling Multiple NMIs": "While an NMI interrupt handler is executing, the processor blocks delivery of subsequent
 * NMIs until the next execution of the IRET instruction." One of them is held. */
static void nmis_are_blocked_until_iret_and_latched_once(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		fake_gate(&r->f, VEC_NMI, 1, false);
		LOAD(r, OUT(RAISE, 1), LABEL(0), NOP, NOP, OUT(EXIT, 1), LABEL(1), OUT(RAISE, 1), NOP, IRET);
		run_to(r, RAISE);
		nmi(r);
		nmi(r);
		run_to(r, RAISE); /* in the handler */
		assert_true(r->f.nmi_blocked);
		nmi(r);
		nmi(r);
		nmi(r);
		run_to(r, RAISE); /* in the second */
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
		expect_no_arrival(r);
		assert_int_equal(r->v.stats.nmi, 2);
		rig_end(r);
	}
}

/* SDM v3, "Handling Multiple NMIs": "the next execution of the IRET instruction", be it of an exception's handler. */
static void any_iret_ends_the_blocking(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		fake_gate(&r->f, VEC_NMI, 1, false);
		LOAD(r, OUT(RAISE, 1), LABEL(0), NOP, NOP, OUT(EXIT, 1), LABEL(1), OUT(RAISE, 1), FAULT(VEC_UD, 0), LABEL(2),
		     NOP, IRET);
		run_to(r, RAISE);
		nmi(r);
		run_to(r, RAISE);
		nmi(r);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
		expect_arrival(r, EVENT_EXCEPTION, VEC_UD);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 2);
		rig_end(r);
	}
}

/* SDM v3, "Masking Exceptions and Interrupts When Switching Stacks": MOV SS inhibits NMIs as well. */
static void nmi_waits_for_the_shadow_of_mov_ss(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, NOP, LABEL(0), NOP, OUT(EXIT, 1));
		r->f.shadow = SHADOW_MOV_SS;
		nmi(r);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
		rig_end(r);
	}
}

static void nmi_wakes_a_halted_cpu_whatever_if_says(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, OUT(RAISE, 1), HLT, LABEL(0), NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		run_of(r)->deadline = r->f.clock + NSEC_PER_MSEC;
		assert_int_equal(run(r), VCPU_EXIT_INTR);
		assert_true(r->v.halted);
		run_of(r)->deadline = LONG_NS;
		nmi(r);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
		assert_int_equal(r->v.stats.halts, 1);
		rig_end(r);
	}
}

/* An NMI to oneself arrives at the next boundary, not at the next exit for another reason. */
static void nmi_by_self_ipi_comes_at_once(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, STORE32(APIC(APIC_ICR_LOW), APIC_DM_FIELD(APIC_DM_NMI) | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF)),
		     LABEL(0), NOP, NOP, OUT(EXIT, 1));
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
		expect_no_arrival(r);
		rig_end(r);
	}
}

static void extint_waits_for_the_end_of_an_nmi_handler(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		fake_gate(&r->f, VEC_NMI, 1, false);
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1), LABEL(1), OUT(RAISE, 1), NOP, IRET);
		run_to(r, RAISE);
		nmi(r);
		run_to(r, RAISE);
		assert_false(run_of(r)->ready_for_interrupt_injection);
		interrupt(r, EXTINT_VECTOR);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
		expect_no_arrival(r);
		rig_end(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nmi_goes_before_intr),
		cmocka_unit_test(nmis_are_blocked_until_iret_and_latched_once),
		cmocka_unit_test(any_iret_ends_the_blocking),
		cmocka_unit_test(nmi_waits_for_the_shadow_of_mov_ss),
		cmocka_unit_test(nmi_wakes_a_halted_cpu_whatever_if_says),
		cmocka_unit_test(nmi_by_self_ipi_comes_at_once),
		cmocka_unit_test(extint_waits_for_the_end_of_an_nmi_handler),
	};

	return RUN_BOTH_WAYS("nmi", tests);
}
