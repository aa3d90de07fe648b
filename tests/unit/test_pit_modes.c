/* SPDX-License-Identifier: BSD-2-Clause
 * The six modes of the 8254 against their definitions in the data sheet, sentence by sentence.
 * Knows nothing of interrupt controllers. */
#include "pit_fixture.h"

/* "for an initial count of N, OUT does not go high until N + 1 CLK pulses after the initial count is written." */
static void mode0_terminal_count(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 0, 4);
	assert_false(pit_out0(&p));
	assert_true(null_count(&p, 0));
	assert_int_equal(clk(&p, 1), 0);
	assert_false(null_count(&p, 0));
	assert_int_equal(read16(&p, 0), 4);
	assert_int_equal(pit_deadline(&p), ns_of(5));
	assert_int_equal(clk(&p, 3), 0);
	assert_false(pit_out0(&p));
	assert_int_equal(clk(&p, 1), 1);
	assert_true(pit_out0(&p));
	assert_int_equal(pit_deadline(&p), TIME_NEVER);
	assert_int_equal(read16(&p, 0), 0);
	/* "the Counter ... wraps around to the highest count" */
	assert_int_equal(clk(&p, 3), 0);
	assert_int_equal(read16(&p, 0), WRAPPED(3));
	assert_int_equal(clk(&p, 10 * WRAPPED(0)), 0);
	assert_int_equal(read16(&p, 0), WRAPPED(3));
	assert_true(pit_out0(&p));
}

/* "Writing the first byte disables counting. OUT is set low immediately (no clock pulse required). Writing the second
 * byte allows the new count to be loaded on the next CLK pulse." */
static void mode0_new_count(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 0, 100);
	clk(&p, 1 + 30);
	pit_write(&p, PIT_CH0, 3);
	clk(&p, 1000);
	assert_int_equal(read16(&p, 0), 70);
	assert_int_equal(pit_deadline(&p), TIME_NEVER);
	pit_write(&p, PIT_CH0, 0);
	assert_int_equal(clk(&p, 3), 0);
	assert_int_equal(clk(&p, 1), 1);
	pit_write(&p, PIT_CH0, 3);
	assert_false(pit_out0(&p));
	pit_write(&p, PIT_CH0, 0);
	assert_int_equal(clk(&p, 4), 1);
	/* one byte: low from the write on */
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_LSB, 0));
	pit_write(&p, PIT_CH0, 2);
	clk(&p, 10);
	assert_true(pit_out0(&p));
	pit_write(&p, PIT_CH0, 2);
	assert_false(pit_out0(&p));
	assert_int_equal(clk(&p, 3), 1);
}

/* "If an initial count is written while GATE = 0, it will still be loaded on the next CLK pulse. When GATE goes high, OUT
 * will go high N CLK pulses later". */
static void mode0_gate(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 2, 0, 5);
	clk(&p, 100);
	assert_int_equal(read16(&p, 2), 5);
	assert_false(null_count(&p, 2));
	gate2(&p, true);
	clk(&p, 2);
	gate2(&p, false);
	clk(&p, 50);
	assert_int_equal(read16(&p, 2), 3);
	gate2(&p, true);
	clk(&p, 2);
	assert_false(pit_read(&p, PIT_PORT61) & PORT61_OUT2);
	clk(&p, 1);
	assert_true(pit_read(&p, PIT_PORT61) & PORT61_OUT2);
	gate2(&p, false); /* "GATE has no effect on OUT" */
	assert_true(pit_read(&p, PIT_PORT61) & PORT61_OUT2);
	clk(&p, 10);
	gate2(&p, false); /* low already: it has stood still since the fall */
	assert_int_equal(read16(&p, 2), 0);
}

/* "OUT will go low on the CLK pulse following a trigger to begin the one-shot pulse, and will remain low until the Counter
 * reaches zero. ... The one-shot is retriggerable". */
static void mode1_one_shot(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 2, 1, 4);
	clk(&p, 20);
	assert_true(out(&p, 2));
	assert_true(null_count(&p, 2)); /* armed, not loaded */
	gate2(&p, true);
	assert_true(out(&p, 2));
	clk(&p, 1);
	assert_false(out(&p, 2));
	assert_false(null_count(&p, 2));
	gate2(&p, false);
	clk(&p, 3);
	assert_false(out(&p, 2));
	gate2(&p, true); /* again: "OUT will remain low until N CLK pulses after any trigger" */
	clk(&p, 4);
	assert_false(out(&p, 2));
	clk(&p, 1);
	assert_true(out(&p, 2));
	pit_write(&p, PIT_PORT61, PORT61_GATE2 | PORT61_SPEAKER); /* no rising edge */
	clk(&p, 1);
	assert_true(out(&p, 2));
	/* "If a new count is written to the Counter during a oneshot pulse, the current one-shot is not affected unless
	 * the Counter is retriggered." */
	gate2(&p, false);
	gate2(&p, true);
	clk(&p, 2);
	write16(&p, 2, 9);
	clk(&p, 3);
	assert_true(out(&p, 2));
	gate2(&p, false);
	gate2(&p, true);
	clk(&p, 9);
	assert_false(out(&p, 2));
	clk(&p, 1);
	assert_true(out(&p, 2));
}

/* A trigger before there is a count has nothing to load. */
static void mode1_trigger_before_count(void **state)
{
	struct pit p = fresh();

	(void)state;
	pit_write(&p, PIT_CMD, CW(2, PIT_RW_WORD, 1));
	gate2(&p, true);
	clk(&p, 2);
	assert_true(out(&p, 2));
	write16(&p, 2, 3);
	clk(&p, 10);
	assert_true(out(&p, 2));
	/* counter 0 has its gate tied high: nothing ever triggers it */
	program(&p, 0, 1, 3);
	assert_int_equal(pit_deadline(&p), TIME_NEVER);
	assert_int_equal(clk(&p, 100), 0);
	assert_true(pit_out0(&p));
}

/* "OUT goes low N CLK Pulses after the initial count is written. ... OUT goes low for one CLK pulse. OUT then goes high
 * again, the Counter reloads the initial count and the process is repeated." */
static void mode2_rate_generator(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 2, 3);
	assert_int_equal(clk(&p, 2), 0);
	assert_true(pit_out0(&p));
	assert_int_equal(clk(&p, 1), 0);
	assert_false(pit_out0(&p));
	assert_int_equal(read16(&p, 0), 1);
	assert_int_equal(pit_deadline(&p), ns_of(4));
	assert_int_equal(clk(&p, 1), 1);
	assert_true(pit_out0(&p));
	assert_int_equal(read16(&p, 0), 3);
	assert_int_equal(pit_deadline(&p), ns_of(6));
	assert_int_equal(clk(&p, 3000), 1000);
	assert_int_equal(read16(&p, 0), 3);
}

/* "Writing a new count while counting does not affect the current counting sequence. ... the new count will be loaded at
 * the end of the current counting cycle." */
static void mode2_new_count_at_cycle_end(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 2, 10);
	clk(&p, 1 + 4);
	write16(&p, 0, 3);
	assert_true(null_count(&p, 0));
	assert_int_equal(read16(&p, 0), 6);
	assert_int_equal(pit_deadline(&p), ns_of(10));
	assert_int_equal(clk(&p, 5), 0);
	assert_int_equal(pit_deadline(&p), ns_of(11)); /* the low pulse ends with the load */
	assert_int_equal(clk(&p, 1), 1);
	assert_false(null_count(&p, 0));
	assert_int_equal(read16(&p, 0), 3);
	assert_int_equal(clk(&p, 3), 1);
	/* in one step across the change: 3, 3, then 5 each */
	clk(&p, 1);
	write16(&p, 0, 5);
	assert_int_equal(clk(&p, 2 + 5 + 5 + 4), 3);
	assert_int_equal(clk(&p, 1), 1);
	/* the first byte alone does nothing */
	pit_write(&p, PIT_CH0, 2);
	assert_int_equal(clk(&p, 50), 10);
}

/* "If GATE goes low during an output pulse, OUT is set high immediately. A trigger reloads the Counter with the initial
 * count on the next CLK pulse; OUT goes low N CLK pulses after the trigger." */
static void mode2_gate(void **state)
{
	struct pit p = fresh();

	(void)state;
	gate2(&p, true);
	program(&p, 2, 2, 4);
	clk(&p, 4);
	assert_false(out(&p, 2));
	gate2(&p, false);
	assert_true(out(&p, 2));
	clk(&p, 77);
	assert_true(out(&p, 2));
	assert_int_equal(read16(&p, 2), 1);
	write16(&p, 2, 6); /* waits for the trigger */
	clk(&p, 50);
	assert_true(null_count(&p, 2));
	gate2(&p, true);
	assert_true(out(&p, 2));
	clk(&p, 1);
	assert_int_equal(read16(&p, 2), 6);
	clk(&p, 4);
	assert_true(out(&p, 2));
	clk(&p, 1);
	assert_false(out(&p, 2));
}

/* "If a trigger is received after writing a new count but before the end of the current period, the Counter will be loaded
 * with the new count on the next CLK pulse". */
static void mode2_trigger_loads_new_count(void **state)
{
	struct pit p = fresh();

	(void)state;
	gate2(&p, true);
	program(&p, 2, 2, 100);
	clk(&p, 10);
	write16(&p, 2, 7);
	gate2(&p, false);
	gate2(&p, true);
	clk(&p, 1);
	assert_int_equal(read16(&p, 2), 7);
	assert_false(null_count(&p, 2));
	/* a trigger is kept though the gate falls again before the pulse; so it is after a count that waited its turn */
	write16(&p, 2, 9);
	clk(&p, 7 + 3);
	assert_int_equal(read16(&p, 2), 6);
	gate2(&p, false);
	gate2(&p, true);
	gate2(&p, false);
	clk(&p, 5);
	assert_int_equal(read16(&p, 2), 9);
}

/* "for even counts ... decremented by two on succeeding CLK pulses. When the count expires OUT changes value". */
static void mode3_even(void **state)
{
	struct pit p = fresh();
	static const unsigned values[] = { 4, 2, 4, 2 };

	(void)state;
	program(&p, 0, 3, 4);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(clk(&p, 1), i && i % 4 == 0);
		assert_int_equal(pit_out0(&p), i % 4 < 2);
		assert_int_equal(read16(&p, 0), values[i % 4]);
	}
}

/* "for odd counts, OUT will be high for (N + 1)/2 counts and low for (N - 1)/2 counts." */
static void mode3_odd(void **state)
{
	struct pit p = fresh();
	static const unsigned values[] = { 4, 2, 0, 4, 2 };

	(void)state;
	program(&p, 0, 3, 5);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(clk(&p, 1), i && i % 5 == 0);
		assert_int_equal(pit_out0(&p), i % 5 < 3);
		assert_int_equal(read16(&p, 0), values[i % 5]);
	}
}

/* "the new count will be loaded at the end of the current half-cycle." */
static void mode3_new_count_at_half_cycle(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 3, 8);
	clk(&p, 1 + 1);
	write16(&p, 0, 20);
	assert_int_equal(pit_deadline(&p), ns_of(5));
	assert_int_equal(clk(&p, 3), 0);
	assert_false(pit_out0(&p)); /* the high half was the old count's, the low one is the new one's */
	assert_false(null_count(&p, 0));
	assert_int_equal(read16(&p, 0), 20);
	assert_int_equal(pit_deadline(&p), ns_of(15));
	write16(&p, 0, 6);
	assert_int_equal(clk(&p, 9), 0);
	assert_int_equal(clk(&p, 1), 1);
	assert_int_equal(read16(&p, 0), 6);
	assert_int_equal(clk(&p, 3), 0);
	assert_false(pit_out0(&p));
	assert_int_equal(clk(&p, 3 + 600), 101);
}

/* "If GATE goes low while OUT is low, OUT is set high immediately; no CLK pulse is required. A trigger reloads the Counter
 * with the initial count on the next CLK pulse." */
static void mode3_gate(void **state)
{
	struct pit p = fresh();

	(void)state;
	gate2(&p, true);
	program(&p, 2, 3, 6);
	clk(&p, 1 + 4);
	assert_false(out(&p, 2));
	gate2(&p, false);
	assert_true(out(&p, 2));
	clk(&p, 9);
	gate2(&p, true);
	assert_true(out(&p, 2));
	clk(&p, 1);
	assert_int_equal(read16(&p, 2), 6);
	clk(&p, 3);
	assert_false(out(&p, 2));
}

/* "for an initial count of N, OUT does not strobe low until N + 1 CLK pulses after the initial count is written." */
static void mode4_software_strobe(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 4, 3);
	assert_true(pit_out0(&p));
	assert_int_equal(pit_deadline(&p), ns_of(4));
	clk(&p, 3);
	assert_true(pit_out0(&p));
	clk(&p, 1);
	assert_false(pit_out0(&p));
	assert_int_equal(pit_deadline(&p), ns_of(5));
	assert_int_equal(clk(&p, 1), 1);
	assert_true(pit_out0(&p));
	assert_int_equal(pit_deadline(&p), TIME_NEVER);
	assert_int_equal(clk(&p, 4 * WRAPPED(0)), 0); /* once, though the count passes zero again */
	/* "If a new count is written during counting, it will be loaded on the next CLK pulse" */
	write16(&p, 0, 50);
	clk(&p, 20);
	write16(&p, 0, 2);
	assert_int_equal(clk(&p, 3), 0);
	assert_false(pit_out0(&p));
	assert_int_equal(clk(&p, 1), 1);
	/* the whole strobe within one step */
	write16(&p, 0, 2);
	assert_int_equal(clk(&p, 4), 1);
}

/* "OUT does not strobe low until N + 1 CLK pulses after a trigger. ... GATE has no effect on OUT." */
static void mode5_hardware_strobe(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 2, 5, 3);
	clk(&p, 30);
	assert_true(out(&p, 2));
	gate2(&p, true);
	clk(&p, 2);
	gate2(&p, false); /* counts on */
	clk(&p, 1);
	assert_true(out(&p, 2));
	clk(&p, 1);
	assert_false(out(&p, 2));
	clk(&p, 1);
	assert_true(out(&p, 2));
	gate2(&p, true);
	clk(&p, 3);
	gate2(&p, false);
	gate2(&p, true);
	clk(&p, 3);
	assert_true(out(&p, 2)); /* retriggered: no strobe yet */
	clk(&p, 1);
	assert_false(out(&p, 2));
}

/* Modes 2 and 3 are also "X10" and "X11", and the status tells them "exactly as written". */
static void modes_with_dont_care(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 6, 3);
	assert_int_equal(clk(&p, 1 + 300), 100);
	assert_int_equal(status(&p, 0), PIT_STATUS_OUT | PIT_CW_RW(PIT_RW_WORD) | PIT_CW_MODE(6));
	program(&p, 0, 7, 4);
	clk(&p, 1 + 2);
	assert_false(pit_out0(&p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mode0_terminal_count),
		cmocka_unit_test(mode0_new_count),
		cmocka_unit_test(mode0_gate),
		cmocka_unit_test(mode1_one_shot),
		cmocka_unit_test(mode1_trigger_before_count),
		cmocka_unit_test(mode2_rate_generator),
		cmocka_unit_test(mode2_new_count_at_cycle_end),
		cmocka_unit_test(mode2_gate),
		cmocka_unit_test(mode2_trigger_loads_new_count),
		cmocka_unit_test(mode3_even),
		cmocka_unit_test(mode3_odd),
		cmocka_unit_test(mode3_new_count_at_half_cycle),
		cmocka_unit_test(mode3_gate),
		cmocka_unit_test(mode4_software_strobe),
		cmocka_unit_test(mode5_hardware_strobe),
		cmocka_unit_test(modes_with_dont_care),
	};

	return cmocka_run_group_tests_name("pit_modes", tests, NULL, NULL);
}
