/* SPDX-License-Identifier: BSD-2-Clause
 * How fast the TSC and the local APIC's timer run, measured while the firmware still keeps time, and what time it is.
 * Knows nothing of who needs it. */
#include "boot/clock.h"

#include "status.h"
#include "x86.h"

#define ROUNDS 32
#define SHORT_US 500
#define LONG_US 3500
#define LENGTH_MS ((LONG_US - SHORT_US) / 1000)
#define DIVIDE_BY_1 0xb /* "Divide Configuration Register" */
#define COUNT_MAX UINT32_MAX

#define EPOCH_YEAR 1970
#define HOURS_PER_DAY 24
#define SECONDS_PER_MINUTE 60
#define MINUTES_PER_HOUR 60

struct ticks {
	uint64_t tsc, lapic;
};

static struct ticks measure_once(const struct firmware *fw, const struct lapic_hw *l, unsigned us)
{
	struct ticks t;

	lapic_hw_write(l, APIC_TIMER_INITIAL, COUNT_MAX);
	t.tsc = rdtsc();
	fw->bs->Stall(us);
	t.tsc = rdtsc() - t.tsc;
	t.lapic = COUNT_MAX - lapic_hw_read(l, APIC_TIMER_CURRENT);
	return t;
}

/* Whatever disturbs a measurement makes it longer: the shortest is the truest, and many short ones are more likely to
 * hold an undisturbed one than a few long ones. */
static struct ticks measure(const struct firmware *fw, const struct lapic_hw *l, unsigned us)
{
	struct ticks best = { UINT64_MAX, UINT64_MAX };

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct ticks t = measure_once(fw, l, us);

		best.tsc = min_u64(best.tsc, t.tsc);
		best.lapic = min_u64(best.lapic, t.lapic);
	}
	return best;
}

/* The firmware may use the timer itself, so it gets it back as it was. */
static void measure_both(const struct firmware *fw, const struct lapic_hw *l, struct ticks *brief, struct ticks *lengthy)
{
	uint32_t lvt = lapic_hw_read(l, APIC_LVT_TIMER);
	uint32_t divide = lapic_hw_read(l, APIC_TIMER_DIVIDE);
	uint32_t initial = lapic_hw_read(l, APIC_TIMER_INITIAL);

	lapic_hw_write(l, APIC_LVT_TIMER, APIC_LVT_MASKED | APIC_TIMER_MODE_FIELD(APIC_TIMER_ONESHOT));
	lapic_hw_write(l, APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	*brief = measure(fw, l, SHORT_US);
	*lengthy = measure(fw, l, LONG_US);
	lapic_hw_write(l, APIC_TIMER_INITIAL, 0);
	lapic_hw_write(l, APIC_TIMER_DIVIDE, divide);
	lapic_hw_write(l, APIC_LVT_TIMER, lvt);
	lapic_hw_write(l, APIC_TIMER_INITIAL, initial);
}

int clock_measure(const struct firmware *fw, struct host_clock *out)
{
	uint64_t rflags = read_rflags();
	struct ticks brief, lengthy;
	struct lapic_hw l;

	if (lapic_hw_probe(&l))
		return E_NODEV;
	cli();
	measure_both(fw, &l, &brief, &lengthy);
	if (rflags & RFLAGS_IF)
		sti();
	/* The difference of a long and a short delay holds neither the call nor the reading. */
	if (lengthy.tsc <= brief.tsc || lengthy.lapic <= brief.lapic)
		return E_NODEV;
	out->tsc_khz = (lengthy.tsc - brief.tsc) / LENGTH_MS;
	out->lapic_khz = (lengthy.lapic - brief.lapic) / LENGTH_MS;
	return out->tsc_khz && out->lapic_khz ? 0 : E_NODEV;
}

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint64_t days_since_epoch(const EFI_TIME *t)
{
	static const uint16_t before_month[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	uint64_t days = 0;

	for (unsigned year = EPOCH_YEAR; year < t->Year; year++)
		days += is_leap(year) ? 366 : 365;
	return days + before_month[t->Month - 1] + (t->Month > 2 && is_leap(t->Year)) + t->Day - 1;
}

uint64_t clock_unix_seconds(const struct firmware *fw)
{
	EFI_TIME t;

	if (EFI_ERROR(fw->st->RuntimeServices->GetTime(&t, NULL)))
		return 0;
	if (t.Year < EPOCH_YEAR || t.Month < 1 || t.Month > 12 || t.Day < 1)
		return 0;
	return ((days_since_epoch(&t) * HOURS_PER_DAY + t.Hour) * MINUTES_PER_HOUR + t.Minute) * SECONDS_PER_MINUTE + t.Second;
}
