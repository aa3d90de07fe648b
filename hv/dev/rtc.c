/* SPDX-License-Identifier: BSD-2-Clause
 * MC146818 RTC and CMOS RAM: index/data ports, time of day, periodic, alarm and update interrupts.
 * Knows nothing of calendars outside its own registers and nothing of who set its clock.
 *
 * The registers are counted on only when someone looks: base_seconds stands for them until the guest writes one, then
 * `ram` holds its bytes as written until the next update counts on from them.
 * The update cycle ends on the second: there the registers change and UF is set, and UIP is high before it.
 * The chip's years are two digits and every fourth is a leap year. Daylight saving (DSE) and the square wave output
 * (SQWE) are bits without an effect. */
#include "dev/rtc.h"

#define FLOATING_BUS 0xff
#define INDEX_MASK 0x7f /* the port's highest bit masks NMI and is not the chip's */
#define SEC_PER_MIN 60u
#define SEC_PER_HOUR 3600u
#define SEC_PER_DAY 86400u
#define DAYS_PER_YEAR 365u
#define DAYS_PER_4_YEARS 1461u
#define DAYS_PER_CENTURY (25 * DAYS_PER_4_YEARS) /* as the chip counts them */
#define DAYS_1970_TO_2000 10957u
#define WEEKDAY_1970 4u /* days since Sunday on 1 January 1970 */
#define DIVIDER_HZ 32768u
#define PERIOD(rs) (1u << ((rs) - 1)) /* divider pulses between two periodic interrupts */
#define RS_SHIFTED 2 /* at 32.768 kHz the two fastest taps are taps 8 and 9 instead */
#define RS_SHIFT 7
#define TO_BCD(v) (((v) / 10 << 4) | (v) % 10)
#define FROM_BCD(v) (((v) >> 4) * 10 + ((v) & 0xf))
#define FORMAT_BITS (RTC_B_DM | RTC_B_24H)
#define FLAG_BITS (RTC_C_UF | RTC_C_AF | RTC_C_PF) /* register B enables them at the same places */
/* t(BUC) and t(UC): UIP is high from 244 us before the update cycle to its end, 1984 us later. */
#define UIP_TIME ((244 + 1984) * NSEC_PER_USEC)
#define FIRST_UPDATE (NSEC_PER_SEC / 2)

static const uint16_t days_before_month[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };

/* The divider runs; all settings but the three time bases hold it in reset or test it. */
static bool divider_runs(const struct rtc *r)
{
	return GET_FIELD(6, 4, r->ram[RTC_A]) <= RTC_DV_32768HZ;
}

static bool updates(const struct rtc *r)
{
	return divider_runs(r) && !(r->ram[RTC_B] & RTC_B_SET);
}

static uint8_t encode(const struct rtc *r, uint32_t v)
{
	return r->ram[RTC_B] & RTC_B_DM ? v : TO_BCD(v);
}

/* A guest can write anything: what is out of range is brought into it. */
static uint32_t decode(const struct rtc *r, uint8_t v, uint32_t first, uint32_t last)
{
	uint32_t n = r->ram[RTC_B] & RTC_B_DM ? v : FROM_BCD(v);

	if (n < first)
		return first;
	return n > last ? last : n;
}

static uint8_t encode_hour(const struct rtc *r, uint32_t hour)
{
	if (r->ram[RTC_B] & RTC_B_24H)
		return encode(r, hour);
	return encode(r, (hour + 11) % 12 + 1) | (hour >= 12 ? RTC_HOURS_PM : 0);
}

static uint32_t decode_hour(const struct rtc *r, uint8_t v)
{
	if (r->ram[RTC_B] & RTC_B_24H)
		return decode(r, v, 0, 23);
	return decode(r, v & ~RTC_HOURS_PM, 1, 12) % 12 + (v & RTC_HOURS_PM ? 12 : 0);
}

static bool leap_year(uint32_t year)
{
	return year % 4 == 0;
}

/* Days before the month in which day `day` of the year lies are taken off; returns the month, 1..12. */
static uint32_t split_month(uint32_t year, uint32_t *day)
{
	for (uint32_t m = 12; m > 1; m--) {
		uint32_t before = days_before_month[m - 1] + (m > 2 && leap_year(year));

		if (*day >= before) {
			*day -= before;
			return m;
		}
	}
	return 1;
}

static void date_to_ram(struct rtc *r, uint64_t days)
{
	/* Whole centuries are added so that 1970 does not lie before the first. */
	uint32_t day = (days + DAYS_PER_CENTURY - DAYS_1970_TO_2000) % DAYS_PER_CENTURY;
	uint32_t year = day / DAYS_PER_4_YEARS * 4;

	day %= DAYS_PER_4_YEARS;
	if (day > DAYS_PER_YEAR) { /* past the leap year, which is the first of four and a day longer */
		year += (day - 1) / DAYS_PER_YEAR;
		day = (day - 1) % DAYS_PER_YEAR;
	}
	r->ram[RTC_MONTH] = encode(r, split_month(year, &day));
	r->ram[RTC_DATE] = encode(r, day + 1);
	r->ram[RTC_YEAR] = encode(r, year);
}

static uint32_t weekday(uint64_t days)
{
	return (days + WEEKDAY_1970) % 7;
}

/* The registers as counted. */
static void time_to_ram(struct rtc *r)
{
	uint64_t days = r->base_seconds / SEC_PER_DAY;
	uint32_t second = r->base_seconds % SEC_PER_DAY;

	r->ram[RTC_SECONDS] = encode(r, second % SEC_PER_MIN);
	r->ram[RTC_MINUTES] = encode(r, second / SEC_PER_MIN % 60);
	r->ram[RTC_HOURS] = encode_hour(r, second / SEC_PER_HOUR);
	r->ram[RTC_DAY_OF_WEEK] = encode(r, (weekday(days) + r->weekday_shift) % 7 + 1);
	date_to_ram(r, days);
}

static uint64_t days_from_ram(const struct rtc *r)
{
	uint32_t year = decode(r, r->ram[RTC_YEAR], 0, 99);
	uint32_t month = decode(r, r->ram[RTC_MONTH], 1, 12);
	uint32_t day = decode(r, r->ram[RTC_DATE], 1, 31);

	return DAYS_1970_TO_2000 + year * DAYS_PER_YEAR + (year + 3) / 4 + days_before_month[month - 1] +
	       (month > 2 && leap_year(year)) + day - 1;
}

static uint64_t seconds_from_ram(const struct rtc *r)
{
	return days_from_ram(r) * SEC_PER_DAY + decode_hour(r, r->ram[RTC_HOURS]) * SEC_PER_HOUR +
	       decode(r, r->ram[RTC_MINUTES], 0, 59) * SEC_PER_MIN + decode(r, r->ram[RTC_SECONDS], 0, 59);
}

static uint64_t seconds(const struct rtc *r)
{
	return r->raw ? seconds_from_ram(r) : r->base_seconds;
}

/* The registers become the guest's: they hold what they show. */
static void hold_registers(struct rtc *r)
{
	if (!r->raw)
		time_to_ram(r);
	r->raw = true;
}

/* The chip counts on from what the registers hold. */
static void take_registers(struct rtc *r)
{
	uint32_t written = decode(r, r->ram[RTC_DAY_OF_WEEK], 1, 7) - 1;

	if (!r->raw)
		return;
	r->base_seconds = seconds_from_ram(r);
	r->weekday_shift = (written + 7 - weekday(r->base_seconds / SEC_PER_DAY)) % 7;
	r->raw = false;
}

/* "The 'don't care' code is any hexadecimal byte from C0 to FF." */
static bool matches(uint8_t alarm, uint8_t now)
{
	return (alarm & RTC_ALARM_ANY) == RTC_ALARM_ANY || alarm == now;
}

/* Seconds from `second` of the day to the alarm, 1..SEC_PER_DAY; TIME_NEVER if its bytes are no time at all.
 * Skips whole hours and minutes: some two hundred steps at most. */
static uint64_t until_alarm(const struct rtc *r, uint32_t second)
{
	for (uint32_t t = second + 1; t <= second + SEC_PER_DAY;) {
		uint32_t s = t % SEC_PER_DAY;

		if (!matches(r->ram[RTC_HOURS_ALARM], encode_hour(r, s / SEC_PER_HOUR)))
			t += SEC_PER_HOUR - s % SEC_PER_HOUR;
		else if (!matches(r->ram[RTC_MINUTES_ALARM], encode(r, s / SEC_PER_MIN % 60)))
			t += SEC_PER_MIN - s % SEC_PER_MIN;
		else if (!matches(r->ram[RTC_SECONDS_ALARM], encode(r, s % SEC_PER_MIN)))
			t++;
		else
			return t - second;
	}
	return TIME_NEVER;
}

/* Divider pulses between two periodic interrupts, 0 for none. */
static uint32_t period(const struct rtc *r)
{
	uint32_t rs = r->ram[RTC_A] & RTC_A_RS;

	if (rs == 0)
		return 0;
	return PERIOD(rs <= RS_SHIFTED ? rs + RS_SHIFT : rs);
}

/* Every period divides the second, so a second is all that a pulse count has to span: no drift. */
static void schedule(struct rtc *r)
{
	uint32_t pulses = period(r);
	uint64_t next;

	r->update_next = TIME_NEVER;
	r->periodic_next = TIME_NEVER;
	if (!divider_runs(r))
		return;
	r->update_next = r->base_time + NSEC_PER_SEC;
	if (!pulses)
		return;
	next = ((r->now - r->base_time) * DIVIDER_HZ / NSEC_PER_SEC / pulses + 1) * pulses;
	r->periodic_next = r->base_time + (next * NSEC_PER_SEC + DIVIDER_HZ - 1) / DIVIDER_HZ;
}

/* IRQF is high when "PF = PIE = 1", "AF = AIE = 1" or "UF = UIE = 1". */
static void update_irqf(struct rtc *r)
{
	r->ram[RTC_C] &= FLAG_BITS;
	if (r->ram[RTC_C] & r->ram[RTC_B])
		r->ram[RTC_C] |= RTC_C_IRQF;
}

static void update(struct rtc *r, uint64_t n)
{
	take_registers(r);
	if (until_alarm(r, r->base_seconds % SEC_PER_DAY) <= n)
		r->ram[RTC_C] |= RTC_C_AF;
	r->ram[RTC_C] |= RTC_C_UF;
	r->base_seconds += n;
}

void rtc_advance(struct rtc *r, uint64_t now)
{
	uint64_t n;

	if (now <= r->now)
		return;
	r->now = now;
	if (!divider_runs(r))
		return;
	/* The flags do not depend on their enables. */
	if (r->periodic_next <= now)
		r->ram[RTC_C] |= RTC_C_PF;
	n = (now - r->base_time) / NSEC_PER_SEC;
	if (n && updates(r))
		update(r, n);
	r->base_time += n * NSEC_PER_SEC;
	schedule(r);
	update_irqf(r);
}

bool rtc_intr(const struct rtc *r)
{
	return r->ram[RTC_C] & RTC_C_IRQF;
}

static uint64_t alarm_time(const struct rtc *r)
{
	uint64_t n = until_alarm(r, seconds(r) % SEC_PER_DAY);

	return n == TIME_NEVER ? TIME_NEVER : r->base_time + n * NSEC_PER_SEC;
}

uint64_t rtc_deadline(const struct rtc *r)
{
	uint8_t enabled = r->ram[RTC_B];
	uint64_t next = TIME_NEVER;

	if (rtc_intr(r))
		return TIME_NEVER;
	if (enabled & RTC_B_PIE)
		next = r->periodic_next;
	if (!updates(r))
		return next;
	if (enabled & RTC_B_UIE)
		next = min_u64(next, r->update_next);
	if (enabled & RTC_B_AIE)
		next = min_u64(next, alarm_time(r));
	return next;
}

static bool is_time(unsigned reg)
{
	switch (reg) {
	case RTC_SECONDS:
	case RTC_MINUTES:
	case RTC_HOURS:
	case RTC_DAY_OF_WEEK:
	case RTC_DATE:
	case RTC_MONTH:
	case RTC_YEAR:
		return true;
	default:
		return false;
	}
}

static uint8_t read_a(const struct rtc *r)
{
	bool uip = updates(r) && r->update_next - r->now <= UIP_TIME;

	return r->ram[RTC_A] | (uip ? RTC_A_UIP : 0);
}

/* "All bits which are high when read by the program are cleared": the flags, and IRQF with them. */
static uint8_t read_c(struct rtc *r)
{
	uint8_t val = r->ram[RTC_C];

	r->ram[RTC_C] = 0;
	return val;
}

static uint8_t read_data(struct rtc *r)
{
	if (is_time(r->index) && !r->raw)
		time_to_ram(r);
	if (r->index == RTC_A)
		return read_a(r);
	if (r->index == RTC_C)
		return read_c(r);
	return r->ram[r->index];
}

static void write_a(struct rtc *r, uint8_t val)
{
	bool ran = divider_runs(r);

	r->ram[RTC_A] = val & ~RTC_A_UIP;
	/* "When the divider reset is removed the first update cycle begins one-half second later." */
	if (!ran && divider_runs(r))
		r->base_time = r->now + FIRST_UPDATE - NSEC_PER_SEC;
	schedule(r);
}

static void write_b(struct rtc *r, uint8_t val)
{
	/* A change of format does not change the bytes: the program has to write them anew. */
	if ((val & RTC_B_SET) || ((val ^ r->ram[RTC_B]) & FORMAT_BITS))
		hold_registers(r);
	/* "the SET bit going high clears the UIE bit" */
	if (val & ~r->ram[RTC_B] & RTC_B_SET)
		val &= ~RTC_B_UIE;
	r->ram[RTC_B] = val;
	update_irqf(r);
}

static void write_data(struct rtc *r, uint8_t val)
{
	switch (r->index) {
	case RTC_A:
		write_a(r, val);
		break;
	case RTC_B:
		write_b(r, val);
		break;
	case RTC_C:
	case RTC_D:
		break; /* read-only */
	default:
		if (is_time(r->index))
			hold_registers(r);
		r->ram[r->index] = val;
		break;
	}
}

uint8_t rtc_read(struct rtc *r, uint16_t port)
{
	return port == RTC_DATA ? read_data(r) : FLOATING_BUS;
}

void rtc_write(struct rtc *r, uint16_t port, uint8_t val)
{
	if (port == RTC_INDEX) {
		r->index = val & INDEX_MASK;
		r->nmi_off = val & RTC_NMI_OFF;
	} else if (port == RTC_DATA) {
		write_data(r, val);
	}
}

void rtc_reset(struct rtc *r, uint64_t now, uint64_t unix_seconds)
{
	*r = (struct rtc){ .now = now, .base_time = now, .base_seconds = unix_seconds };
	r->ram[RTC_A] = RTC_A_DV(RTC_DV_32768HZ) | 6; /* 1024 Hz, as a PC's firmware leaves it */
	r->ram[RTC_B] = RTC_B_24H;
	r->ram[RTC_D] = RTC_D_VRT;
	schedule(r);
}
