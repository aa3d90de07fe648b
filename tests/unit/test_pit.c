/* SPDX-License-Identifier: BSD-2-Clause
 * The 8254 around its modes: counts, latches, read-back, port 0x61 and time.
 * Knows nothing of interrupt controllers. */
#include "pit_fixture.h"

#define NSEC_PER_YEAR (365ull * 86400 * NSEC_PER_SEC)
#define LATCH_COUNT(ch) (PIT_READ_BACK | PIT_READ_BACK_NO_STATUS | PIT_READ_BACK_COUNTER(ch))
#define LATCH_BOTH(ch) (PIT_READ_BACK | PIT_READ_BACK_COUNTER(ch))

/* Nothing counts before a Control Word. */
static void reset_state(void **state)
{
	struct pit p;

	(void)state;
	pit_reset(&p, 12345 * NSEC_PER_SEC);
	for (unsigned ch = 0; ch < 3; ch++)
		assert_int_equal(status(&p, ch), PIT_STATUS_OUT | PIT_STATUS_NULL | PIT_CW_RW(PIT_RW_WORD) | PIT_CW_MODE(3));
	assert_int_equal(pit_deadline(&p), TIME_NEVER);
	assert_int_equal(clk(&p, WRAPPED(0) * 4), 0);
	write16(&p, 0, 4);
	assert_int_equal(clk(&p, 1 + 4), 1);
	assert_int_equal(read16(&p, 0), 4);
}

/* "0; this is equivalent to 2^16 for binary counting and 10^4 for BCD counting." */
static void count_zero_is_the_largest(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 2, 0);
	assert_int_equal(clk(&p, 1), 0);
	assert_int_equal(read16(&p, 0), 0);
	assert_int_equal(clk(&p, 1), 0);
	assert_int_equal(read16(&p, 0), WRAPPED(1));
	assert_int_equal(clk(&p, WRAPPED(2)), 0);
	assert_int_equal(clk(&p, 1), 1);
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_WORD, 2) | PIT_CW_BCD);
	write16(&p, 0, 0);
	clk(&p, 1);
	assert_int_equal(read16(&p, 0), 0);
	clk(&p, 1);
	assert_int_equal(read16(&p, 0), 0x9999);
	assert_int_equal(clk(&p, 9998), 0);
	assert_int_equal(clk(&p, 1), 1);
}

static void bcd_counts_in_decades(void **state)
{
	struct pit p = fresh();

	(void)state;
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_WORD, 0) | PIT_CW_BCD);
	write16(&p, 0, 0x1000);
	clk(&p, 2);
	assert_int_equal(read16(&p, 0), 0x0999);
	assert_int_equal(clk(&p, 998), 0);
	assert_int_equal(clk(&p, 1), 1);
	clk(&p, 1);
	assert_int_equal(read16(&p, 0), 0x9999);
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_WORD, 0) | PIT_CW_BCD);
	write16(&p, 0, 0x1234);
	assert_int_equal(pit_deadline(&p), ns_of(p.tick + 1 + 1234));
	clk(&p, 1);
	assert_int_equal(read16(&p, 0), 0x1234);
}

/* The RW bits: "least significant byte only", "most significant byte only", "least significant byte first, then most". */
static void byte_access(void **state)
{
	struct pit p = fresh();

	(void)state;
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_LSB, 2));
	pit_write(&p, PIT_CH0, 0x34);
	clk(&p, 1);
	assert_int_equal(pit_read(&p, PIT_CH0), 0x34);
	assert_int_equal(pit_read(&p, PIT_CH0), 0x34);
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_MSB, 2));
	pit_write(&p, PIT_CH0, 0x12);
	clk(&p, 1);
	assert_int_equal(pit_read(&p, PIT_CH0), 0x12);
	clk(&p, 1);
	assert_int_equal(pit_read(&p, PIT_CH0), 0x11);
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_WORD, 2));
	pit_write(&p, PIT_CH0, 0x34); /* a Control Word begins the pair anew */
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_WORD, 2));
	pit_write(&p, PIT_CH0, 0x78);
	assert_int_equal(pit_read(&p, PIT_CH0), LOW(0x11ff)); /* reading has a pair of its own */
	pit_write(&p, PIT_CH0, 0x56);
	pit_read(&p, PIT_CH0);
	clk(&p, 1);
	assert_int_equal(read16(&p, 0), 0x5678);
	pit_read(&p, PIT_CH0);
	program(&p, 0, 2, 0x1122);
	clk(&p, 1);
	assert_int_equal(read16(&p, 0), 0x1122);
	assert_int_equal(pit_read(&p, PIT_CMD), 0xff);
	pit_write(&p, PIT_CMD + 1, 0);
	assert_int_equal(pit_read(&p, PIT_CMD + 1), 0xff);
}

/* "If a Counter is latched and then, some time later, latched again before the count is read, the second Counter Latch
 * Command is ignored." "The count is held in the latch until it is read". */
static void counter_latch(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 2, 10000);
	clk(&p, 1 + 10);
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_LATCH, 0));
	clk(&p, 1000);
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_LATCH, 0));
	assert_int_equal(read16(&p, 0), 9990);
	assert_int_equal(read16(&p, 0), 8990);
	/* "Counter Latch Commands do not affect the programmed Mode of the Counter in any way." */
	assert_int_equal(status(&p, 0) & ~PIT_STATUS_OUT, PIT_CW_RW(PIT_RW_WORD) | PIT_CW_MODE(2));
	/* "or until the Counter is reprogrammed" */
	pit_write(&p, PIT_CMD, LATCH_BOTH(0));
	program(&p, 0, 2, 500);
	clk(&p, 1);
	assert_int_equal(read16(&p, 0), 500);
	/* one byte, one read */
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_LSB, 2));
	pit_write(&p, PIT_CH0, 100);
	clk(&p, 1);
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_LATCH, 0));
	clk(&p, 10);
	assert_int_equal(pit_read(&p, PIT_CH0), 100);
	assert_int_equal(pit_read(&p, PIT_CH0), 90);
}

/* "if both count and status ... are latched, the first read operation of that counter will return latched status,
 * regardless of which was latched first. The next one or two reads ... return the latched count. Subsequent reads return
 * unlatched count." */
static void read_back(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 2, 1000);
	program(&p, 2, 0, 300);
	clk(&p, 1 + 100);
	pit_write(&p, PIT_CMD, LATCH_COUNT(0) | PIT_READ_BACK_COUNTER(2));
	clk(&p, 100);
	pit_write(&p, PIT_CMD, LATCH_BOTH(0)); /* the count is latched already, the status is not */
	clk(&p, 1);
	assert_int_equal(pit_read(&p, PIT_CH0), PIT_STATUS_OUT | PIT_CW_RW(PIT_RW_WORD) | PIT_CW_MODE(2));
	assert_int_equal(read16(&p, 0), 900);
	assert_int_equal(read16(&p, 0), 799);
	assert_int_equal(read16(&p, 2), 300); /* gate low */
	/* "If multiple status latch operations of the counter(s) are performed without reading the status, all but the
	 * first are ignored" */
	pit_write(&p, PIT_CMD, LATCH_STATUS(0));
	pit_write(&p, PIT_CH0, 1);
	pit_write(&p, PIT_CH0, 1);
	pit_write(&p, PIT_CMD, LATCH_STATUS(0));
	assert_false(pit_read(&p, PIT_CH0) & PIT_STATUS_NULL);
	assert_true(null_count(&p, 0));
	/* counter 1 was never selected */
	assert_false(p.ch[1].count_latched || p.ch[1].status_latched);
}

/* "Null Count goes to 1 when the second byte is written." */
static void null_count_rules(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 2, 50);
	clk(&p, 5);
	assert_false(null_count(&p, 0));
	pit_write(&p, PIT_CH0, 60);
	assert_false(null_count(&p, 0));
	pit_write(&p, PIT_CH0, 0);
	assert_true(null_count(&p, 0));
	clk(&p, 50);
	assert_false(null_count(&p, 0));
	pit_write(&p, PIT_CMD, CW(0, PIT_RW_WORD, 2));
	assert_true(null_count(&p, 0));
	clk(&p, 50);
	assert_true(null_count(&p, 0));
	assert_int_equal(pit_deadline(&p), TIME_NEVER);
}

/* Counts below the minimum: nothing moves. */
static void count_one_in_periodic_modes(void **state)
{
	struct pit p = fresh();

	(void)state;
	for (unsigned mode = 2; mode <= 3; mode++) {
		program(&p, 0, mode, 1);
		assert_int_equal(clk(&p, 100), 0);
		assert_true(pit_out0(&p));
		assert_int_equal(pit_deadline(&p), TIME_NEVER);
		write16(&p, 0, 2);
		assert_int_equal(clk(&p, 1 + 100), 50);
	}
}

/* An OUT that a write raises is an edge as well, and it is counted once. */
static void writes_make_edges(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 0, 100);
	assert_int_equal(clk(&p, 5), 0);
	program(&p, 0, 2, 100);
	assert_true(pit_out0(&p));
	assert_int_equal(pit_advance(&p, ns_of(p.tick)), 1);
	assert_int_equal(clk(&p, 1), 0);
}

/* Port 0x61: gate and speaker are kept, OUT2 and the refresh toggle are read. */
static void port61(void **state)
{
	struct pit p = fresh();
	unsigned toggles = 0;
	uint8_t last = pit_read(&p, PIT_PORT61);

	(void)state;
	pit_write(&p, PIT_PORT61, 0xff);
	assert_int_equal(pit_read(&p, PIT_PORT61) & ~PORT61_REFRESH, PORT61_OUT2 | 0x0f);
	pit_write(&p, PIT_PORT61, PORT61_SPEAKER);
	assert_int_equal(pit_read(&p, PIT_PORT61) & ~PORT61_REFRESH, PORT61_OUT2 | PORT61_SPEAKER);
	for (unsigned i = 0; i < 1800; i++) {
		uint8_t now;

		clk(&p, 1);
		now = pit_read(&p, PIT_PORT61);
		toggles += (now ^ last) & PORT61_REFRESH ? 1 : 0;
		last = now;
	}
	assert_int_equal(toggles, 100);
}

/* Ticks for years: no overflow, no drift, and the deadline is the first nanosecond of the change. */
static void time_is_exact(void **state)
{
	struct pit p = fresh();
	uint64_t edges = 0, now = 0;

	(void)state;
	program(&p, 0, 2, 11932);
	for (unsigned year = 0; year < 500; year++) {
		now += NSEC_PER_YEAR + 7;
		edges += pit_advance(&p, now);
	}
	assert_int_equal(p.tick, (uint64_t)((unsigned __int128)now * PIT_HZ / NSEC_PER_SEC));
	assert_int_equal(edges, (p.tick - 1) / 11932);
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t deadline = pit_deadline(&p);
		bool before = pit_out0(&p);

		assert_int_equal(pit_advance(&p, deadline - 1), 0);
		assert_int_equal(pit_out0(&p), before);
		assert_int_equal(pit_advance(&p, deadline), !before);
		assert_int_equal(pit_out0(&p), !before);
	}
	/* a clock that begins late begins where it is */
	pit_reset(&p, now);
	program(&p, 0, 0, 10);
	assert_int_equal(pit_deadline(&p), ns_of(p.tick + 11));
	assert_int_equal(pit_advance(&p, 0), 0); /* never backwards */
	assert_int_equal(pit_deadline(&p), ns_of(p.tick + 11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_state),
		cmocka_unit_test(count_zero_is_the_largest),
		cmocka_unit_test(bcd_counts_in_decades),
		cmocka_unit_test(byte_access),
		cmocka_unit_test(counter_latch),
		cmocka_unit_test(read_back),
		cmocka_unit_test(null_count_rules),
		cmocka_unit_test(count_one_in_periodic_modes),
		cmocka_unit_test(writes_make_edges),
		cmocka_unit_test(port61),
		cmocka_unit_test(time_is_exact),
	};

	return cmocka_run_group_tests_name("pit", tests, NULL, NULL);
}
