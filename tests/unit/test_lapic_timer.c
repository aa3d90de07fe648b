/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC's timer against the SDM, in all its modes.
 * Knows nothing of the files that implement it. */
#include "unit/lapic_fixture.h"

/* SDM v3, "Divide Configuration Register". */
static void the_count_divides_the_bus_clock(void **state)
{
	static const struct { uint32_t code, by; } table[] = { { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 },
							       { 9, 64 }, { 10, 128 }, { 11, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct lapic l = enabled();
		uint64_t by = table[i].by;

		start(&l, 0x40, table[i].code, 1000, SOME_TIME);
		assert_int_equal(lapic_read(&l, APIC_TIMER_DIVIDE, SOME_TIME), table[i].code);
		assert_int_equal(lapic_deadline(&l), SOME_TIME + 1000 * by);
		assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, SOME_TIME), 1000);
		assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, SOME_TIME + by), 999);
		assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, SOME_TIME + 999 * by), 1);
		assert_int_equal(lapic_pending(&l), -1);
		assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, SOME_TIME + 1000 * by), 0);
		assert_int_equal(lapic_pending(&l), 0x40);
	}
}

/* SDM v3, "APIC Timer": "After the timer reaches zero, an timer interrupt is generated and the timer remains at its 0
 * value until reprogrammed." */
static void one_shot_fires_once(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40, 0xb, 500, 100);
	lapic_advance(&l, 599);
	assert_int_equal(lapic_pending(&l), -1);
	lapic_advance(&l, 600);
	take(&l, 0x40);
	wr(&l, APIC_EOI, 0);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	lapic_advance(&l, 1000000);
	assert_int_equal(lapic_pending(&l), -1);
	assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, 1000000), 0);
	assert_int_equal(lapic_read(&l, APIC_TIMER_INITIAL, 1000000), 500);
}

/* "In periodic mode, the current-count register is automatically reloaded from the initial-count register when the
 * count reaches 0 and a timer interrupt is generated, and the count-down is repeated." */
static void periodic_fires_every_period(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 0xb, 500, 100);
	for (uint64_t i = 1; i < 50; i++) {
		assert_int_equal(lapic_deadline(&l), 100 + i * 500);
		lapic_advance(&l, 100 + i * 500 - 1);
		assert_int_equal(lapic_pending(&l), -1);
		lapic_advance(&l, 100 + i * 500);
		take(&l, 0x40);
		lapic_write(&l, APIC_EOI, 0, 100 + i * 500);
		assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, 100 + i * 500), 500);
		assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, 100 + i * 500 + 499), 1);
	}
}

/* Far behind is one interrupt, at once, in phase: 2^62 ns of a 1 ns timer must not be a loop. */
static void missed_periods_collapse_and_keep_the_phase(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 0xb, 500, 100);
	lapic_advance(&l, 100 + 500 * 1000000ull + 3);
	take(&l, 0x40);
	wr(&l, APIC_EOI, 0);
	assert_int_equal(lapic_pending(&l), -1);
	assert_int_equal(lapic_deadline(&l), 100 + 500 * 1000001ull);
	start(&l, 0x40 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 0xb, 1, 1ull << 40);
	lapic_advance(&l, 1ull << 62);
	take(&l, 0x40);
	assert_int_equal(lapic_deadline(&l), (1ull << 62) + 1);
}

/* "A write of 0 to the initial-count register effectively stops the local APIC timer, in both one-shot and periodic
 * mode." */
static void an_initial_count_of_zero_stops_the_timer(void **state)
{
	(void)state;
	for (uint32_t mode = 0; mode < 2; mode++) {
		struct lapic l = enabled();

		start(&l, 0x40 | APIC_TIMER_MODE_FIELD(mode), 0, 500, 100);
		lapic_write(&l, APIC_TIMER_INITIAL, 0, 200);
		assert_int_equal(lapic_deadline(&l), TIME_NEVER);
		assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, 200), 0);
		lapic_advance(&l, 1000000);
		assert_int_equal(lapic_pending(&l), -1);
	}
}

/* "If during the count-down process the initial-count register is set, counting will restart, using the new
 * initial-count value." */
static void a_new_initial_count_restarts(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40, 0xb, 500, 100);
	lapic_write(&l, APIC_TIMER_INITIAL, 700, 599);
	assert_int_equal(lapic_deadline(&l), 1299);
	start(&l, 0x40, 0xa, 0xffffffff, 0);
	assert_int_equal(lapic_deadline(&l), 0xffffffffull * 128);
}

/* "The mask flag in the LVT timer register can be used to mask the timer interrupt": the count goes on. */
static void a_masked_timer_counts_and_delivers_nothing(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40 | APIC_LVT_MASKED | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 0xb, 500, 0);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, 100), 400);
	lapic_advance(&l, 1200);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, 1200), 300);
	/* the expiry at 1500 is seen first by the unmasking write itself, and was masked */
	lapic_write(&l, APIC_LVT_TIMER, 0x40 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 1600);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(lapic_deadline(&l), 2000);
	lapic_advance(&l, 2000);
	assert_int_equal(lapic_pending(&l), 0x40);
}

static void software_disable_masks_a_running_timer(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 0xb, 500, 0);
	lapic_write(&l, APIC_SVR, 0xff, 100);
	lapic_advance(&l, 600);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, 600), 400);
}

static void a_new_divisor_keeps_the_count_that_is_left(void **state)
{
	static const uint32_t codes[] = { 0, 1, 2, 3, 8, 9, 10, 11 };

	(void)state;
	for (size_t a = 0; a < 8; a++)
		for (size_t b = 0; b < 8; b++)
			for (uint64_t t = 0; t < 1000; t += 37) {
				struct lapic l = enabled();
				uint32_t left;

				start(&l, 0x40, codes[a], 1000, 0);
				left = lapic_read(&l, APIC_TIMER_CURRENT, t);
				lapic_write(&l, APIC_TIMER_DIVIDE, codes[b], t);
				assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, t), left);
				if (t == 0)
					assert_int_equal(lapic_deadline(&l), 1000ull << ((codes[b] % 4 + codes[b] / 8 * 4 + 1) % 8));
			}
}

static void a_new_divisor_counts_for_later_periods(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 0xb, 1000, 0);
	lapic_write(&l, APIC_TIMER_DIVIDE, 0, 500);
	assert_int_equal(lapic_deadline(&l), 1500);
	lapic_advance(&l, 1500);
	assert_int_equal(lapic_deadline(&l), 3500);
	lapic_write(&l, APIC_TIMER_INITIAL, 0, 1600);
	lapic_write(&l, APIC_TIMER_DIVIDE, 0xb, 1600);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
}

static void one_shot_and_periodic_change_over_while_counting(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40, 0xb, 500, 0);
	lapic_write(&l, APIC_LVT_TIMER, 0x41 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 100);
	assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, 100), 400);
	lapic_advance(&l, 500);
	take(&l, 0x41);
	assert_int_equal(lapic_deadline(&l), 1000);
	lapic_write(&l, APIC_LVT_TIMER, 0x40, 600);
	lapic_advance(&l, 1000);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	lapic_write(&l, APIC_LVT_TIMER, 0x41 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 1100);
	assert_int_equal(lapic_read(&l, APIC_TIMER_CURRENT, 1100), 0); /* what has stopped stays stopped */
}

#define TSC_MODE (0x40 | APIC_TIMER_MODE_FIELD(APIC_TIMER_TSC_DEADLINE))

/* SDM v3, "TSC-Deadline Mode": "An interrupt is generated when the logical processor's time-stamp counter equals or
 * exceeds the target value ... When the timer generates an interrupt, it disarms itself and clears the
 * IA32_TSC_DEADLINE MSR." */
static void tsc_deadline_fires_at_its_tsc(void **state)
{
	struct lapic l = enabled();
	uint64_t val;

	(void)state;
	wr(&l, APIC_LVT_TIMER, TSC_MODE);
	assert_int_equal(wrmsr(&l, MSR_TSC_DEADLINE, 3001), 0);
	assert_int_equal(lapic_deadline(&l), 1001); /* TSC 3001 is reached between 1000 and 1001 ns */
	assert_int_equal(rdmsr(&l, MSR_TSC_DEADLINE), 3001);
	assert_int_equal(rd(&l, APIC_TIMER_CURRENT), 0);
	lapic_advance(&l, 1000);
	assert_int_equal(lapic_pending(&l), -1);
	assert_int_equal(lapic_read_msr(&l, MSR_TSC_DEADLINE, &val, 1001), 0);
	assert_int_equal(val, 0);
	take(&l, 0x40);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	lapic_advance(&l, 100000);
	assert_int_equal(lapic_pending(&l), -1);
}

static void tsc_deadline_in_the_past_fires_at_once(void **state)
{
	static const uint64_t past[] = { 1, 999, 1000, 1001, 2999, 3000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(past); i++) {
		struct lapic l = enabled();

		wr(&l, APIC_LVT_TIMER, TSC_MODE);
		assert_int_equal(lapic_write_msr(&l, MSR_TSC_DEADLINE, past[i], 1000, &two_ghz), 0);
		assert_int_equal(lapic_pending(&l), 0x40);
		assert_int_equal(rdmsr(&l, MSR_TSC_DEADLINE), 0);
	}
}

static void tsc_deadline_far_away_never_fires(void **state)
{
	static const struct tsc_clock negative = { .mult = 1ull << 31, .tsc0 = -5000ull };
	static const struct tsc_clock slow = { .mult = 1ull << 40, .tsc0 = 0 };
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_TIMER, TSC_MODE);
	assert_int_equal(wrmsr(&l, MSR_TSC_DEADLINE, UINT64_MAX), 0);
	assert_int_equal(lapic_pending(&l), -1);
	assert_int_equal(lapic_deadline(&l), (UINT64_MAX - 1000) / 2 + 1);
	assert_int_equal(lapic_write_msr(&l, MSR_TSC_DEADLINE, UINT64_MAX, 0, &slow), 0);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	assert_int_equal(rdmsr(&l, MSR_TSC_DEADLINE), UINT64_MAX);
	/* The guest set its TSC to 0 at 2500 ns. */
	assert_int_equal(lapic_write_msr(&l, MSR_TSC_DEADLINE, 1000, 2500, &negative), 0);
	assert_int_equal(lapic_deadline(&l), 3000);
	assert_int_equal(lapic_write_msr(&l, MSR_TSC_DEADLINE, UINT64_MAX, 2500, &negative), 0);
	assert_int_equal(lapic_pending(&l), -1);
}

/* "equals or exceeds": unsigned, also at and above 2^63, and where the TSC wraps. */
static void tsc_deadline_is_unsigned(void **state)
{
	static const struct tsc_clock high = { .mult = 1ull << 31, .tsc0 = 0xf000000000000000 };
	static const struct tsc_clock wraps = { .mult = 1ull << 31, .tsc0 = 0 - 4000ull }; /* at 2000 ns */
	static const struct {
		const struct tsc_clock *clk;
		uint64_t now, tsc, fires; /* fires <= now: at once */
	} cases[] = {
		{ &high, 1000, 0xf000000000000000 - 1, 1000 }, { &high, 1000, 0xf000000000000000 + 2000, 1000 },
		{ &high, 1000, 0xf000000000000000 + 3000, 1500 }, { &high, 1000, 1, 1000 },
		{ &wraps, 1000, 100, 1000 },                    { &wraps, 1000, 0 - 1000ull, 1500 },
		{ &wraps, 2000, 0 - 1000ull, TIME_NEVER },      { &wraps, 2000, 100, 2050 },
		{ &wraps, 2100, 100, 2100 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lapic l = enabled();
		bool at_once = cases[i].fires <= cases[i].now;

		wr(&l, APIC_LVT_TIMER, TSC_MODE);
		assert_int_equal(lapic_write_msr(&l, MSR_TSC_DEADLINE, cases[i].tsc, cases[i].now, cases[i].clk), 0);
		assert_int_equal(lapic_pending(&l), at_once ? 0x40 : -1);
		if (cases[i].fires == TIME_NEVER)
			assert_true(lapic_deadline(&l) > UINT64_MAX / 4);
		else
			assert_int_equal(lapic_deadline(&l), at_once ? TIME_NEVER : cases[i].fires);
	}
}

/* "In TSC-deadline mode, writing 0 to the IA32_TSC_DEADLINE MSR disarms the local-APIC timer." */
static void tsc_deadline_zero_disarms_and_a_new_one_replaces(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_TIMER, TSC_MODE);
	wrmsr(&l, MSR_TSC_DEADLINE, 3000);
	wrmsr(&l, MSR_TSC_DEADLINE, 5000);
	assert_int_equal(lapic_deadline(&l), 2000);
	wrmsr(&l, MSR_TSC_DEADLINE, 0);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	assert_int_equal(rdmsr(&l, MSR_TSC_DEADLINE), 0);
	lapic_advance(&l, 100000);
	assert_int_equal(lapic_pending(&l), -1);
}

/* "In TSC-deadline mode, writes to the initial-count register are ignored; and current-count register always reads
 * 0." */
static void initial_count_is_ignored_in_tsc_deadline_mode(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_TIMER, TSC_MODE);
	wr(&l, APIC_TIMER_INITIAL, 500);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	wrmsr(&l, MSR_TSC_DEADLINE, 3000);
	wr(&l, APIC_TIMER_INITIAL, 500);
	wr(&l, APIC_TIMER_DIVIDE, 3);
	assert_int_equal(lapic_deadline(&l), 1000);
	assert_int_equal(rd(&l, APIC_TIMER_CURRENT), 0);
	assert_int_equal(rd(&l, APIC_TIMER_INITIAL), 0);
}

/* "In other timer modes (LVT bit 18 = 0), the IA32_TSC_DEADLINE MSR reads zero and writes are ignored." */
static void tsc_deadline_is_ignored_in_other_modes(void **state)
{
	(void)state;
	for (uint32_t mode = 0; mode < 4; mode++) {
		struct lapic l = enabled();

		wr(&l, APIC_LVT_TIMER, 0x40 | APIC_TIMER_MODE_FIELD(mode));
		assert_int_equal(wrmsr(&l, MSR_TSC_DEADLINE, 3000), 0);
		if (mode == APIC_TIMER_TSC_DEADLINE)
			continue;
		assert_int_equal(rdmsr(&l, MSR_TSC_DEADLINE), 0);
		assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	}
}

/* "Transitioning between TSC-deadline mode and other timer modes also disarms the timer." */
static void changing_from_or_to_tsc_deadline_disarms(void **state)
{
	(void)state;
	for (uint32_t mode = 0; mode < 4; mode++) {
		struct lapic l = enabled();
		uint32_t other = 0x40 | APIC_TIMER_MODE_FIELD(mode);

		if (mode == APIC_TIMER_TSC_DEADLINE)
			continue;
		start(&l, other, 0xb, 500, 0);
		assert_int_equal(lapic_deadline(&l), mode < 2 ? 500 : TIME_NEVER);
		wr(&l, APIC_LVT_TIMER, TSC_MODE);
		assert_int_equal(lapic_deadline(&l), TIME_NEVER);
		wrmsr(&l, MSR_TSC_DEADLINE, 3000);
		wr(&l, APIC_LVT_TIMER, TSC_MODE | 1); /* the same mode: stays armed */
		assert_int_equal(lapic_deadline(&l), 1000);
		wr(&l, APIC_LVT_TIMER, other);
		assert_int_equal(lapic_deadline(&l), TIME_NEVER);
		assert_int_equal(rdmsr(&l, MSR_TSC_DEADLINE), 0);
		wr(&l, APIC_LVT_TIMER, TSC_MODE);
		assert_int_equal(rdmsr(&l, MSR_TSC_DEADLINE), 0);
		lapic_advance(&l, 100000);
		assert_int_equal(lapic_highest_irr(&l), -1);
	}
}

static void a_masked_tsc_deadline_passes_unheard(void **state)
{
	struct lapic l = enabled();
	uint64_t val;

	(void)state;
	wr(&l, APIC_LVT_TIMER, TSC_MODE | APIC_LVT_MASKED);
	wrmsr(&l, MSR_TSC_DEADLINE, 3000);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	assert_int_equal(lapic_read_msr(&l, MSR_TSC_DEADLINE, &val, 999), 0);
	assert_int_equal(val, 3000);
	assert_int_equal(lapic_read_msr(&l, MSR_TSC_DEADLINE, &val, 1000), 0);
	assert_int_equal(val, 0);
	assert_int_equal(lapic_highest_irr(&l), -1);
}

static void an_illegal_timer_vector_is_an_error(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x0f, 0xb, 500, 0);
	lapic_advance(&l, 500);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(latched_esr(&l), APIC_ESR_RECV_ILLEGAL);
}

/* A register access that comes after an expiry sees it, whoever forgot to advance. */
static void register_accesses_see_the_timer(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40, 0xb, 500, 0);
	assert_int_equal(lapic_read(&l, APIC_IRR + 0x20, 500), BIT(0));
	take(&l, 0x40);
	start(&l, 0x41, 0xb, 500, 1000);
	lapic_write(&l, APIC_EOI, 0, 1500);
	assert_int_equal(lapic_pending(&l), 0x41);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_count_divides_the_bus_clock),
		cmocka_unit_test(one_shot_fires_once),
		cmocka_unit_test(periodic_fires_every_period),
		cmocka_unit_test(missed_periods_collapse_and_keep_the_phase),
		cmocka_unit_test(an_initial_count_of_zero_stops_the_timer),
		cmocka_unit_test(a_new_initial_count_restarts),
		cmocka_unit_test(a_masked_timer_counts_and_delivers_nothing),
		cmocka_unit_test(software_disable_masks_a_running_timer),
		cmocka_unit_test(a_new_divisor_keeps_the_count_that_is_left),
		cmocka_unit_test(a_new_divisor_counts_for_later_periods),
		cmocka_unit_test(one_shot_and_periodic_change_over_while_counting),
		cmocka_unit_test(tsc_deadline_fires_at_its_tsc),
		cmocka_unit_test(tsc_deadline_in_the_past_fires_at_once),
		cmocka_unit_test(tsc_deadline_far_away_never_fires),
		cmocka_unit_test(tsc_deadline_is_unsigned),
		cmocka_unit_test(tsc_deadline_zero_disarms_and_a_new_one_replaces),
		cmocka_unit_test(initial_count_is_ignored_in_tsc_deadline_mode),
		cmocka_unit_test(tsc_deadline_is_ignored_in_other_modes),
		cmocka_unit_test(changing_from_or_to_tsc_deadline_disarms),
		cmocka_unit_test(a_masked_tsc_deadline_passes_unheard),
		cmocka_unit_test(an_illegal_timer_vector_is_an_error),
		cmocka_unit_test(register_accesses_see_the_timer),
	};

	return cmocka_run_group_tests_name("lapic_timer", tests, NULL, NULL);
}
