/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC's timer by the virtual clock: it ends a run and a sleep in time, and its vector arrives.
 * Knows nothing of how the timer counts. */
#include "unit/vcpu_fixture.h"

#define TIMER_VECTOR 0x40
#define TIMER_NS 5000
#define TSC_TICKS 2 /* per ns */
#define SLACK_NS (20 * NSEC_PER_USEC) /* of exits and deliveries */
#define FAR_NS NSEC_PER_MSEC
#define WRITE_TIMER(v) STORE32(APIC(APIC_LVT_TIMER), (v))
#define WRITE_COUNT(v) STORE32(APIC(APIC_TIMER_INITIAL), (v))
#define DIVIDE_BY_1 STORE32(APIC(APIC_TIMER_DIVIDE), 0xb)

static void one_shot_fires_while_the_guest_runs(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);
		uint64_t started;

		fake_gate(&r->f, TIMER_VECTOR, 1, false);
		LOAD(r, STI, WRITE_TIMER(TIMER_VECTOR), DIVIDE_BY_1, OUT(RAISE, 1), WRITE_COUNT(TIMER_NS), LABEL(0), NOP, JMP(0),
		     LABEL(1), EOI, OUT(EXIT, 1), IRET);
		run_to(r, RAISE);
		started = r->f.clock;
		run_to(r, EXIT);
		assert_in_range(expect_arrival(r, EVENT_INTR, TIMER_VECTOR)->clock, started + TIMER_NS,
				started + TIMER_NS + SLACK_NS);
		run_of(r)->deadline = r->f.clock + FAR_NS;
		assert_int_equal(run(r), VCPU_EXIT_INTR);
		expect_no_arrival(r); /* once */
		rig_end(r);
	}
}

static void one_shot_wakes_a_halted_guest(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);
		uint64_t started;

		fake_gate(&r->f, TIMER_VECTOR, HANDLER_EOI, false);
		LOAD(r, WRITE_TIMER(TIMER_VECTOR), DIVIDE_BY_1, OUT(RAISE, 1), WRITE_COUNT(TIMER_NS), STI, HLT, LABEL(0), NOP,
		     OUT(EXIT, 1));
		run_to(r, RAISE);
		started = r->f.clock;
		run_to(r, EXIT);
		assert_in_range(expect_arrival_at(r, EVENT_INTR, TIMER_VECTOR, 0)->clock, started + TIMER_NS,
				started + TIMER_NS + SLACK_NS);
		rig_end(r);
	}
}

/* A timer that cannot interrupt is no reason to end the guest's run. */
static void a_masked_timer_sets_no_deadline(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, WRITE_TIMER(TIMER_VECTOR | APIC_LVT_MASKED | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC)), DIVIDE_BY_1,
	     WRITE_COUNT(TIMER_NS), OUT(EXIT, 1));
	run_of(r)->deadline = FAR_NS;
	run_to(r, EXIT);
	assert_int_equal(r->f.last_deadline, FAR_NS);
	rig_end(r);
}

static void periodic_fires_again_and_again(void **state)
{
	const unsigned periods = 20;

	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		fake_gate(&r->f, TIMER_VECTOR, HANDLER_EOI, false);
		LOAD(r, WRITE_TIMER(TIMER_VECTOR | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC)), DIVIDE_BY_1,
		     WRITE_COUNT(10 * TIMER_NS), LABEL(0), STI, HLT, JMP(0));
		run_of(r)->deadline = periods * 10 * TIMER_NS + SLACK_NS;
		assert_int_equal(run(r), VCPU_EXIT_INTR);
		assert_in_range(count_arrivals(r, EVENT_INTR, TIMER_VECTOR), periods - 2, periods + 1);
		rig_end(r);
	}
}

/* A masked timer counts on, and keeps nobody from sleeping on. */
static void a_masked_timer_does_not_wake(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, WRITE_TIMER(APIC_LVT_MASKED | TIMER_VECTOR), DIVIDE_BY_1, WRITE_COUNT(TIMER_NS), STI, HLT, OUT(EXIT, 1));
	run_of(r)->deadline = FAR_NS;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	assert_true(r->v.halted);
	assert_int_equal(r->f.clock, FAR_NS);
	rig_end(r);
}

/* LVT_TIMER in NMI mode: the NMI needs no IF, and wakes. */
static void a_timer_that_is_an_nmi_wakes_with_if_0(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, DIVIDE_BY_1, WRITE_COUNT(TIMER_NS), HLT, LABEL(0), NOP, OUT(EXIT, 1));
	lapic_write(&r->v.lapic, APIC_LVT_TIMER, 0, 0);
	r->v.lapic.lvt[LVT_TIMER] = APIC_DM_FIELD(APIC_DM_NMI);
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
	rig_end(r);
}

#define WRITE_MSR(msr, v) MOV(RCX, (msr)), MOV(RAX, (uint32_t)(v)), MOV(RDX, (uint64_t)(v) >> 32), WRMSR
#define TSC_MODE (TIMER_VECTOR | APIC_TIMER_MODE_FIELD(APIC_TIMER_TSC_DEADLINE))

/* SDM v3, "TSC-Deadline Mode": "the processor generates a timer interrupt when the value of time-stamp counter is greater
 * than or equal to that of IA32_TSC_DEADLINE". */
static void tsc_deadline_fires_when_the_tsc_is_there(void **state)
{
	(void)state;
	FOR_SEEDS(seed)
		for (unsigned halted = 0; halted < 2; halted++) {
			struct rig *r = rig_split(seed);

			fake_gate(&r->f, TIMER_VECTOR, HANDLER_EOI, false);
			if (halted)
				LOAD(r, WRITE_TIMER(TSC_MODE), WRITE_MSR(MSR_TSC_DEADLINE, TSC_TICKS * FAR_NS), STI, HLT,
				     OUT(EXIT, 1));
			else
				LOAD(r, WRITE_TIMER(TSC_MODE), WRITE_MSR(MSR_TSC_DEADLINE, TSC_TICKS * FAR_NS), STI, LABEL(0), NOP,
				     JMP(0));
			run_of(r)->deadline = 2 * FAR_NS;
			run(r);
			assert_in_range(expect_arrival(r, EVENT_INTR, TIMER_VECTOR)->clock, FAR_NS, FAR_NS + SLACK_NS);
			expect_no_arrival(r);
			rig_end(r);
		}
}

static void a_tsc_deadline_that_passed_fires_at_once(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		fake_gate(&r->f, TIMER_VECTOR, HANDLER_EOI, false);
		LOAD(r, WRITE_TIMER(TSC_MODE), STI, NOP, WRITE_MSR(MSR_TSC_DEADLINE, 1), LABEL(0), NOP, OUT(EXIT, 1));
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_INTR, TIMER_VECTOR, 0);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* The deadline is compared with the guest's TSC: one that jumps past it fires, one that is set back postpones it. */
static void the_deadline_follows_a_tsc_that_jumps(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	fake_gate(&r->f, TIMER_VECTOR, HANDLER_EOI, false);
	LOAD(r, WRITE_TIMER(TSC_MODE), STI, NOP, WRITE_MSR(MSR_TSC_DEADLINE, TSC_TICKS * FAR_NS),
	     WRITE_MSR(MSR_TSC, TSC_TICKS * FAR_NS), LABEL(0), NOP, OUT(RAISE, 1),
	     WRITE_MSR(MSR_TSC_DEADLINE, 3 * TSC_TICKS * FAR_NS), WRITE_MSR(MSR_TSC, 0), OUT(RAISE, 1), LABEL(1), NOP, JMP(1));
	run_to(r, RAISE);
	expect_arrival_at(r, EVENT_INTR, TIMER_VECTOR, 0);
	run_to(r, RAISE);
	run_of(r)->deadline = r->f.clock + 3 * FAR_NS - SLACK_NS;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	expect_no_arrival(r);
	run_of(r)->deadline += 2 * SLACK_NS;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	expect_arrival(r, EVENT_INTR, TIMER_VECTOR);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_shot_fires_while_the_guest_runs),
		cmocka_unit_test(one_shot_wakes_a_halted_guest),
		cmocka_unit_test(periodic_fires_again_and_again),
		cmocka_unit_test(a_masked_timer_sets_no_deadline),
		cmocka_unit_test(a_masked_timer_does_not_wake),
		cmocka_unit_test(a_timer_that_is_an_nmi_wakes_with_if_0),
		cmocka_unit_test(tsc_deadline_fires_when_the_tsc_is_there),
		cmocka_unit_test(a_tsc_deadline_that_passed_fires_at_once),
		cmocka_unit_test(the_deadline_follows_a_tsc_that_jumps),
	};

	return RUN_BOTH_WAYS("vcpu_timer", tests);
}
