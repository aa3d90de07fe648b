/* SPDX-License-Identifier: BSD-2-Clause
 * The MC146818A against its data sheet's sentences and against the C library's calendar.
 * Knows nothing of interrupt controllers. */
#define _GNU_SOURCE
#include "dev/rtc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define YEAR_2026 1767225600ull /* Thursday, 1 January 2026, 00:00:00 UTC */
#define DAY 86400ull
#define SEC NSEC_PER_SEC
#define DV_RESET RTC_A_DV(RTC_DV_RESET)
#define DV_NORMAL RTC_A_DV(RTC_DV_32768HZ)
#define PULSE_NS(n) (((n) * SEC + 32767) / 32768)
#define BCD(v) ((v) / 10 * 16 + (v) % 10)
#define UIP_NS (2228 * NSEC_PER_USEC)

static uint8_t get(struct rtc *r, unsigned reg)
{
	rtc_write(r, RTC_INDEX, reg);
	return rtc_read(r, RTC_DATA);
}

static void put(struct rtc *r, unsigned reg, uint8_t val)
{
	rtc_write(r, RTC_INDEX, reg);
	rtc_write(r, RTC_DATA, val);
}

static void set_bits(struct rtc *r, unsigned reg, uint8_t bits)
{
	put(r, reg, get(r, reg) | bits);
}

static void clear_bits(struct rtc *r, unsigned reg, uint8_t bits)
{
	put(r, reg, get(r, reg) & ~bits);
}

static struct rtc at(uint64_t unix_seconds)
{
	struct rtc r;

	rtc_reset(&r, 0, unix_seconds);
	put(&r, RTC_A, DV_NORMAL); /* no periodic rate */
	return r;
}

static struct rtc binary_at(uint64_t unix_seconds)
{
	struct rtc r = at(unix_seconds);

	r.ram[RTC_B] |= RTC_B_DM;
	return r;
}

static void assert_time(struct rtc *r, unsigned hour, unsigned minute, unsigned second)
{
	assert_int_equal(get(r, RTC_HOURS), hour);
	assert_int_equal(get(r, RTC_MINUTES), minute);
	assert_int_equal(get(r, RTC_SECONDS), second);
}

static void assert_date(struct rtc *r, unsigned year, unsigned month, unsigned day)
{
	assert_int_equal(get(r, RTC_YEAR), year);
	assert_int_equal(get(r, RTC_MONTH), month);
	assert_int_equal(get(r, RTC_DATE), day);
}

static void set_time(struct rtc *r, unsigned hour, unsigned minute, unsigned second)
{
	put(r, RTC_HOURS, hour);
	put(r, RTC_MINUTES, minute);
	put(r, RTC_SECONDS, second);
}

static void set_date(struct rtc *r, unsigned year, unsigned month, unsigned day)
{
	put(r, RTC_YEAR, year);
	put(r, RTC_MONTH, month);
	put(r, RTC_DATE, day);
}

static void set_alarm(struct rtc *r, unsigned hour, unsigned minute, unsigned second)
{
	put(r, RTC_HOURS_ALARM, hour);
	put(r, RTC_MINUTES_ALARM, minute);
	put(r, RTC_SECONDS_ALARM, second);
}

/* The time is valid, C and D cannot be written, UIP neither. */
static void reset_state(void **state)
{
	struct rtc r;

	(void)state;
	rtc_reset(&r, 5 * SEC, YEAR_2026);
	assert_false(rtc_intr(&r));
	assert_int_equal(rtc_deadline(&r), TIME_NEVER);
	assert_int_equal(get(&r, RTC_D), RTC_D_VRT);
	put(&r, RTC_D, 0);
	put(&r, RTC_C, 0xff);
	assert_int_equal(get(&r, RTC_D), RTC_D_VRT);
	assert_int_equal(get(&r, RTC_C), 0);
	put(&r, RTC_A, RTC_A_UIP | DV_NORMAL);
	assert_int_equal(get(&r, RTC_A), DV_NORMAL);
	assert_int_equal(rtc_read(&r, RTC_INDEX), 0xff);
	assert_int_equal(rtc_read(&r, RTC_DATA + 1), 0xff);
	rtc_write(&r, RTC_DATA + 1, 1);
	assert_date(&r, 0x26, 1, 1);
	rtc_reset(&r, 5 * SEC, YEAR_2026);
	set_bits(&r, RTC_B, RTC_B_UIE);
	assert_int_equal(rtc_deadline(&r), 6 * SEC);
	set_bits(&r, RTC_B, RTC_B_PIE);
	assert_int_equal(rtc_deadline(&r), 5 * SEC + PULSE_NS(32)); /* 1024 Hz */
}

/* The general purpose bytes are nobody's but the program's; the index port's top bit is not part of the address. */
static void cmos_ram(void **state)
{
	struct rtc r = at(YEAR_2026);

	(void)state;
	for (unsigned i = RTC_RAM; i < 128; i++)
		put(&r, i, i ^ 0x55);
	rtc_advance(&r, 1000 * DAY * SEC);
	for (unsigned i = RTC_RAM; i < 128; i++)
		assert_int_equal(get(&r, i | BIT(7)), i ^ 0x55);
}

/* The whole calendar, in every format, against the C library. */
static void calendar(void **state)
{
	static const uint8_t formats[] = { 0, RTC_B_24H, RTC_B_DM, RTC_B_DM | RTC_B_24H };

	(void)state;
	for (unsigned f = 0; f < ARRAY_SIZE(formats); f++) {
		bool binary = formats[f] & RTC_B_DM;

		for (uint64_t t = 0; t < 130ull * 365 * DAY; t += DAY * 3 / 4 + 77) { /* 1970 to 2099 */
			struct rtc r;
			time_t time = t;
			struct tm tm;
			unsigned hour;

			gmtime_r(&time, &tm);
			rtc_reset(&r, 0, t);
			r.ram[RTC_B] = formats[f];
			hour = tm.tm_hour;
			if (!(formats[f] & RTC_B_24H))
				hour = (hour + 11) % 12 + 1;
			hour = binary ? hour : BCD(hour);
			if (!(formats[f] & RTC_B_24H) && tm.tm_hour >= 12)
				hour |= RTC_HOURS_PM;
			assert_int_equal(get(&r, RTC_HOURS), hour);
			assert_int_equal(get(&r, RTC_MINUTES), binary ? tm.tm_min : BCD(tm.tm_min));
			assert_int_equal(get(&r, RTC_SECONDS), binary ? tm.tm_sec : BCD(tm.tm_sec));
			assert_int_equal(get(&r, RTC_DATE), binary ? tm.tm_mday : BCD(tm.tm_mday));
			assert_int_equal(get(&r, RTC_MONTH), binary ? tm.tm_mon + 1 : BCD(tm.tm_mon + 1));
			assert_int_equal(get(&r, RTC_YEAR), binary ? tm.tm_year % 100 : BCD(tm.tm_year % 100));
			assert_int_equal(get(&r, RTC_DAY_OF_WEEK), tm.tm_wday + 1);
		}
	}
}

/* What is written is counted on from, in every format: the registers read back one second later as the next second. */
static void written_time_is_counted_on(void **state)
{
	static const uint8_t formats[] = { 0, RTC_B_24H, RTC_B_DM, RTC_B_DM | RTC_B_24H };

	(void)state;
	for (unsigned f = 0; f < ARRAY_SIZE(formats); f++)
		for (uint64_t t = 30 * 365 * DAY; t < 129ull * 365 * DAY; t += DAY * 5 / 4 + 3599) {
			struct rtc a, b;

			rtc_reset(&a, 0, t);
			rtc_reset(&b, 0, YEAR_2026);
			a.ram[RTC_B] = formats[f];
			b.ram[RTC_B] = formats[f] | RTC_B_SET;
			for (unsigned reg = 0; reg < RTC_A; reg++)
				put(&b, reg, get(&a, reg));
			put(&b, RTC_B, formats[f]);
			rtc_advance(&a, SEC);
			rtc_advance(&b, SEC);
			for (unsigned reg = 0; reg < RTC_A; reg++)
				assert_int_equal(get(&a, reg), get(&b, reg));
		}
}

/* "When the 12-hour format is selected the high-order bit of the hours byte represents PM when it is a '1'." */
static void twelve_hours(void **state)
{
	struct rtc r = at(YEAR_2026 + 11 * 3600 + 3599);

	(void)state;
	put(&r, RTC_B, 0);
	put(&r, RTC_HOURS, 0x11);
	rtc_advance(&r, SEC);
	assert_time(&r, RTC_HOURS_PM | 0x12, 0, 0);
	rtc_advance(&r, 3601 * SEC);
	assert_time(&r, RTC_HOURS_PM | 0x01, 0, 0);
	rtc_advance(&r, (1 + 12 * 3600) * SEC);
	assert_time(&r, 0x12, 0, 0);
	assert_date(&r, 0x26, 1, 2);
}

/* "the program may initialize the time and calendar bytes without an update occurring in the midst of initializing" */
static void set_stops_updates(void **state)
{
	struct rtc r = at(YEAR_2026);

	(void)state;
	rtc_advance(&r, SEC / 2);
	set_bits(&r, RTC_B, RTC_B_SET);
	set_time(&r, 0x23, 0x59, 0x58);
	set_date(&r, 0x99, 0x12, 0x31);
	put(&r, RTC_DAY_OF_WEEK, 7);
	rtc_advance(&r, 100 * SEC + SEC / 2);
	assert_time(&r, 0x23, 0x59, 0x58);
	assert_int_equal(get(&r, RTC_C) & RTC_C_UF, 0);
	clear_bits(&r, RTC_B, RTC_B_SET);
	rtc_advance(&r, 101 * SEC - 1);
	assert_time(&r, 0x23, 0x59, 0x58);
	rtc_advance(&r, 101 * SEC); /* the divider went on */
	assert_time(&r, 0x23, 0x59, 0x59);
	assert_int_equal(get(&r, RTC_C), RTC_C_UF);
	rtc_advance(&r, 102 * SEC);
	assert_time(&r, 0, 0, 0);
	assert_date(&r, 0, 1, 1);
	assert_int_equal(get(&r, RTC_DAY_OF_WEEK), 1);
	rtc_advance(&r, (102 + 59 * DAY) * SEC);
	assert_date(&r, 0, 2, 0x29); /* every fourth year is a leap year */
	rtc_advance(&r, (102 + 365 * DAY) * SEC);
	assert_date(&r, 0, 0x12, 0x31);
}

/* The registers are written one by one, with SET clear too, and nothing else of the date moves meanwhile. */
static void writes_without_set(void **state)
{
	struct rtc r = at(YEAR_2026 + 40 * DAY); /* 10 February */

	(void)state;
	put(&r, RTC_DATE, 0x31);
	put(&r, RTC_MONTH, 0x01);
	assert_date(&r, 0x26, 0x01, 0x31);
	rtc_advance(&r, SEC);
	assert_date(&r, 0x26, 0x01, 0x31);
	rtc_advance(&r, DAY * SEC);
	assert_date(&r, 0x26, 0x02, 0x01);
}

/* Nonsense in the registers comes out as some valid time. */
static void nonsense_is_brought_into_range(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v++)
		for (unsigned b = 0; b <= (RTC_B_DM | RTC_B_24H); b += RTC_B_24H) {
			struct rtc r = at(YEAR_2026);

			put(&r, RTC_B, RTC_B_SET | b);
			for (unsigned reg = 0; reg < RTC_A; reg++)
				put(&r, reg, v);
			assert_int_equal(get(&r, RTC_MONTH), v);
			put(&r, RTC_B, b);
			rtc_advance(&r, SEC);
			put(&r, RTC_B, RTC_B_SET | RTC_B_DM | RTC_B_24H);
			rtc_advance(&r, 2 * SEC);
			put(&r, RTC_B, RTC_B_DM | RTC_B_24H);
			rtc_advance(&r, 3 * SEC);
			assert_in_range(get(&r, RTC_MONTH), 1, 12);
			assert_in_range(get(&r, RTC_DATE), 1, 31);
			assert_in_range(get(&r, RTC_DAY_OF_WEEK), 1, 7);
			assert_in_range(get(&r, RTC_HOURS), 0, 23);
		}
}

/* DM says how the bytes are read, it does not convert them. */
static void format_bits_do_not_convert(void **state)
{
	struct rtc r = at(YEAR_2026 + 3600 * 19);

	(void)state;
	assert_int_equal(get(&r, RTC_HOURS), 0x19);
	put(&r, RTC_B, RTC_B_24H | RTC_B_DM);
	assert_int_equal(get(&r, RTC_HOURS), 0x19);
	put(&r, RTC_B, RTC_B_24H);
	rtc_advance(&r, SEC);
	assert_time(&r, 0x19, 0, 1);
	put(&r, RTC_B, RTC_B_24H | RTC_B_DM);
	put(&r, RTC_HOURS, 19);
	rtc_advance(&r, 2 * SEC);
	assert_time(&r, 19, 0, 2);
}

/* "When UIP is a '0', the update cycle is not in progress and will not be for at least 244 us". */
static void update_in_progress(void **state)
{
	struct rtc r = at(YEAR_2026);

	(void)state;
	assert_false(get(&r, RTC_A) & RTC_A_UIP);
	rtc_advance(&r, SEC - UIP_NS - 1);
	assert_false(get(&r, RTC_A) & RTC_A_UIP);
	rtc_advance(&r, SEC - UIP_NS);
	assert_true(get(&r, RTC_A) & RTC_A_UIP);
	rtc_advance(&r, SEC - 1);
	assert_true(get(&r, RTC_A) & RTC_A_UIP);
	assert_int_equal(get(&r, RTC_C), 0);
	/* "Writing the SET bit ... to a '1' inhibits any update cycle and then clears the UIP status bit." */
	set_bits(&r, RTC_B, RTC_B_SET);
	assert_false(get(&r, RTC_A) & RTC_A_UIP);
	clear_bits(&r, RTC_B, RTC_B_SET);
	rtc_advance(&r, SEC);
	assert_false(get(&r, RTC_A) & RTC_A_UIP);
	assert_int_equal(get(&r, RTC_C), RTC_C_UF);
	assert_time(&r, 0, 0, 1);
}

/* "When the divider reset is removed the first update cycle begins one-half second later." */
static void divider_reset(void **state)
{
	struct rtc r = at(YEAR_2026);

	(void)state;
	rtc_advance(&r, SEC / 5);
	put(&r, RTC_A, DV_RESET | 6);
	set_bits(&r, RTC_B, RTC_B_UIE | RTC_B_PIE);
	assert_int_equal(rtc_deadline(&r), TIME_NEVER);
	assert_int_equal(r.update_next, TIME_NEVER);
	rtc_advance(&r, 100 * SEC);
	assert_false(get(&r, RTC_A) & RTC_A_UIP);
	assert_time(&r, 0, 0, 0);
	assert_int_equal(get(&r, RTC_C), 0);
	put(&r, RTC_A, DV_NORMAL);
	assert_int_equal(rtc_deadline(&r), 100 * SEC + SEC / 2);
	rtc_advance(&r, 100 * SEC + SEC / 2);
	assert_true(rtc_intr(&r));
	assert_time(&r, 0, 0, 1);
	rtc_advance(&r, 101 * SEC + SEC / 2);
	assert_time(&r, 0, 0, 2);
	/* at the very beginning of time as well */
	r = at(YEAR_2026);
	put(&r, RTC_A, DV_RESET);
	put(&r, RTC_A, DV_NORMAL | 15);
	set_bits(&r, RTC_B, RTC_B_UIE | RTC_B_PIE);
	rtc_advance(&r, SEC / 2 - 1);
	assert_false(rtc_intr(&r));
	rtc_advance(&r, SEC / 2);
	assert_int_equal(get(&r, RTC_C), RTC_C_IRQF | RTC_C_UF | RTC_C_PF);
}

/* UIE "enables the update-end flag (UF) bit in Register C to assert IRQ"; a read of register C clears it. */
static void update_ended_interrupt(void **state)
{
	struct rtc r = at(YEAR_2026);

	(void)state;
	set_bits(&r, RTC_B, RTC_B_UIE);
	assert_int_equal(rtc_deadline(&r), SEC);
	rtc_advance(&r, SEC - 1);
	assert_false(rtc_intr(&r));
	rtc_advance(&r, SEC);
	assert_true(rtc_intr(&r));
	assert_int_equal(rtc_deadline(&r), TIME_NEVER); /* nothing more can be raised */
	assert_int_equal(get(&r, RTC_C), RTC_C_IRQF | RTC_C_UF);
	assert_false(rtc_intr(&r));
	assert_int_equal(get(&r, RTC_C), 0);
	assert_int_equal(rtc_deadline(&r), 2 * SEC);
	/* "the SET bit going high clears the UIE bit" */
	put(&r, RTC_B, RTC_B_24H | RTC_B_UIE | RTC_B_SET);
	assert_int_equal(get(&r, RTC_B), RTC_B_24H | RTC_B_SET);
	put(&r, RTC_B, RTC_B_24H | RTC_B_UIE | RTC_B_SET); /* SET is high, not going high */
	assert_int_equal(get(&r, RTC_B), RTC_B_24H | RTC_B_UIE | RTC_B_SET);
	assert_int_equal(rtc_deadline(&r), TIME_NEVER);
}

/* The flags are set whether or not they are enabled; an enable that meets a set flag asserts IRQ. */
static void flags_without_enables(void **state)
{
	struct rtc r = at(YEAR_2026);

	(void)state;
	put(&r, RTC_A, DV_NORMAL | 6);
	set_alarm(&r, RTC_ALARM_ANY, RTC_ALARM_ANY, RTC_ALARM_ANY);
	rtc_advance(&r, SEC);
	assert_false(rtc_intr(&r));
	put(&r, RTC_B, RTC_B_24H | RTC_B_AIE);
	assert_true(rtc_intr(&r));
	put(&r, RTC_B, RTC_B_24H);
	assert_false(rtc_intr(&r));
	assert_int_equal(get(&r, RTC_C), RTC_C_UF | RTC_C_AF | RTC_C_PF);
}

/* The periodic rates of the 32.768 kHz time base: 1 and 2 are those of 8 and 9, from 3 on each takes twice as long. */
static void periodic_rates(void **state)
{
	static const unsigned pulses[] = { 0, 128, 256, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384 };

	(void)state;
	for (unsigned rs = 1; rs < ARRAY_SIZE(pulses); rs++) {
		struct rtc r = at(YEAR_2026);
		uint64_t n = 32768 / pulses[rs] * 3;

		put(&r, RTC_A, DV_NORMAL | rs);
		set_bits(&r, RTC_B, RTC_B_PIE);
		for (uint64_t i = 1; i <= n; i++) {
			assert_int_equal(rtc_deadline(&r), PULSE_NS(i * pulses[rs]));
			rtc_advance(&r, rtc_deadline(&r) - 1);
			assert_false(rtc_intr(&r));
			rtc_advance(&r, rtc_deadline(&r));
			assert_true(get(&r, RTC_C) & RTC_C_PF);
		}
		assert_int_equal(r.now, 3 * SEC); /* no drift */
		put(&r, RTC_A, DV_NORMAL);
		assert_int_equal(rtc_deadline(&r), TIME_NEVER);
	}
}

/* Periodic interrupts do not need updates. */
static void periodic_runs_while_set(void **state)
{
	struct rtc r = at(YEAR_2026);

	(void)state;
	put(&r, RTC_A, DV_NORMAL | 15);
	put(&r, RTC_B, RTC_B_SET | RTC_B_PIE);
	rtc_advance(&r, 10 * SEC);
	assert_int_equal(get(&r, RTC_C), RTC_C_IRQF | RTC_C_PF);
	assert_int_equal(rtc_deadline(&r), 10 * SEC + SEC / 2);
	rtc_advance(&r, 11 * SEC + SEC / 4);
	assert_true(rtc_intr(&r));
}

/* "the alarm interrupt is initiated at the specified time each day if the alarm enable bit is high" */
static void alarm_once_a_day(void **state)
{
	struct rtc r = at(YEAR_2026 + 3600);

	(void)state;
	set_alarm(&r, 0x01, 0x02, 0x03);
	set_bits(&r, RTC_B, RTC_B_AIE);
	assert_int_equal(rtc_deadline(&r), 123 * SEC);
	rtc_advance(&r, 123 * SEC - 1);
	assert_false(rtc_intr(&r));
	rtc_advance(&r, 123 * SEC);
	assert_int_equal(get(&r, RTC_C), RTC_C_IRQF | RTC_C_AF | RTC_C_UF);
	assert_int_equal(rtc_deadline(&r), (123 + DAY) * SEC);
	rtc_advance(&r, (122 + DAY) * SEC);
	assert_int_equal(get(&r, RTC_C), RTC_C_UF);
	rtc_advance(&r, (124 + DAY) * SEC); /* passed within a step */
	assert_int_equal(get(&r, RTC_C), RTC_C_IRQF | RTC_C_AF | RTC_C_UF);
	set_bits(&r, RTC_B, RTC_B_SET);
	assert_int_equal(rtc_deadline(&r), TIME_NEVER);
}

/* "Don't care" in the hours byte alone makes an alarm every hour, in hours and minutes every minute, in all three
 * every second. */
static void alarm_dont_care(void **state)
{
	struct rtc r = at(YEAR_2026);

	(void)state;
	set_bits(&r, RTC_B, RTC_B_AIE);
	set_alarm(&r, RTC_ALARM_ANY, 0x30, 0x15);
	assert_int_equal(rtc_deadline(&r), (30 * 60 + 15) * SEC);
	set_alarm(&r, RTC_ALARM_ANY, 0xff, 0x15);
	assert_int_equal(rtc_deadline(&r), 15 * SEC);
	set_alarm(&r, RTC_ALARM_ANY, 0xff, 0xc5);
	assert_int_equal(rtc_deadline(&r), SEC);
	set_alarm(&r, 0x05, RTC_ALARM_ANY, RTC_ALARM_ANY);
	assert_int_equal(rtc_deadline(&r), 5 * 3600 * SEC);
	set_alarm(&r, 0x00, 0x00, 0x00);
	assert_int_equal(rtc_deadline(&r), DAY * SEC); /* this second is past */
	set_alarm(&r, 0x05, 0x60, 0x00);
	assert_int_equal(rtc_deadline(&r), TIME_NEVER);
	rtc_advance(&r, 3 * DAY * SEC);
	assert_false(rtc_intr(&r));
	/* an alarm in 12-hour mode */
	put(&r, RTC_B, RTC_B_AIE);
	set_time(&r, 0x12, 0, 0);
	set_alarm(&r, RTC_HOURS_PM | 0x01, 0, 0);
	assert_int_equal(rtc_deadline(&r), (3 * DAY + 13 * 3600) * SEC);
}

/* The deadline is right while the guest's own bytes wait for their first update. */
static void alarm_after_setting_the_time(void **state)
{
	struct rtc r = binary_at(YEAR_2026);

	(void)state;
	set_bits(&r, RTC_B, RTC_B_AIE);
	set_alarm(&r, 23, 0, 0);
	put(&r, RTC_HOURS, 22);
	put(&r, RTC_MINUTES, 59);
	assert_int_equal(rtc_deadline(&r), 60 * SEC);
	rtc_advance(&r, 59 * SEC);
	assert_false(rtc_intr(&r));
	rtc_advance(&r, 60 * SEC);
	assert_true(rtc_intr(&r));
	assert_time(&r, 23, 0, 0);
}

/* One long step is the sum of the short ones, for every flag and register. */
static void long_steps_equal_short_ones(void **state)
{
	struct rtc a = at(YEAR_2026 + 58 * DAY), b;
	uint64_t now = 0;

	(void)state;
	srand(146818);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t target = now + rand() % (200 * SEC / 7) * (1 + rand() % 30);

		switch (rand() % 4) {
		case 0:
			put(&a, RTC_A, (rand() % 5 ? DV_NORMAL : DV_RESET) | (8 + rand() % 8));
			break;
		case 1:
			put(&a, RTC_B, rand());
			break;
		case 2:
			put(&a, rand() % RTC_A, rand() % 3 ? rand() % 0x60 : 0xff);
			break;
		default:
			get(&a, RTC_C);
			break;
		}
		b = a;
		while (now < target) {
			uint64_t deadline = rtc_deadline(&b);
			bool before = rtc_intr(&b);

			now = min_u64(now + 1 + rand() % (SEC / 3), target);
			rtc_advance(&b, now);
			assert_int_equal(!before && rtc_intr(&b), deadline <= now);
		}
		rtc_advance(&a, target);
		assert_memory_equal(a.ram, b.ram, sizeof(a.ram));
		for (unsigned reg = 0; reg < RTC_C; reg++)
			assert_int_equal(get(&a, reg), get(&b, reg));
	}
}

/* Centuries in one step; time never runs backwards. */
static void far_away(void **state)
{
	struct rtc r = at(YEAR_2026);

	(void)state;
	rtc_advance(&r, 500ull * 365 * DAY * SEC + SEC / 2);
	assert_int_equal(r.base_seconds, YEAR_2026 + 500ull * 365 * DAY);
	rtc_advance(&r, 0);
	assert_int_equal(r.update_next, 500ull * 365 * DAY * SEC + SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_state),
		cmocka_unit_test(cmos_ram),
		cmocka_unit_test(calendar),
		cmocka_unit_test(written_time_is_counted_on),
		cmocka_unit_test(twelve_hours),
		cmocka_unit_test(set_stops_updates),
		cmocka_unit_test(writes_without_set),
		cmocka_unit_test(nonsense_is_brought_into_range),
		cmocka_unit_test(format_bits_do_not_convert),
		cmocka_unit_test(update_in_progress),
		cmocka_unit_test(divider_reset),
		cmocka_unit_test(update_ended_interrupt),
		cmocka_unit_test(flags_without_enables),
		cmocka_unit_test(periodic_rates),
		cmocka_unit_test(periodic_runs_while_set),
		cmocka_unit_test(alarm_once_a_day),
		cmocka_unit_test(alarm_dont_care),
		cmocka_unit_test(alarm_after_setting_the_time),
		cmocka_unit_test(long_steps_equal_short_ones),
		cmocka_unit_test(far_away),
	};

	return cmocka_run_group_tests_name("rtc", tests, NULL, NULL);
}
