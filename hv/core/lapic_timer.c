/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC's timer: one-shot, periodic and TSC-deadline, kept as the time of the next expiry.
 * Knows nothing of who asks for the time, nor of interrupts but that LVT_TIMER is raised. */
#include "core/lapic_internal.h"

/* SDM v3, "Divide Configuration Register": bits 3, 1 and 0; 000 divides by 2, 110 by 128, 111 by 1. */
#define DIVIDE_CODE(v) (GET_FIELD(1, 0, v) | FIELD(2, 2, GET_FIELD(3, 3, v)))
#define DIVIDE_BY(v) BIT64((DIVIDE_CODE(v) + 1) % 8)
#define TSC_FRACTION_BITS 32
#define TSC_ROUND_UP (((unsigned __int128)1 << TSC_FRACTION_BITS) - 1)
#define TSC_TO_NS(ticks, mult) (((unsigned __int128)(ticks) * (mult) + TSC_ROUND_UP) >> TSC_FRACTION_BITS)

static bool in_tsc_mode(const struct lapic *l)
{
	return APIC_TIMER_MODE(l->lvt[LVT_TIMER]) == APIC_TIMER_TSC_DEADLINE;
}

/* The mode 3 is reserved: its timer never runs. */
static bool counts(const struct lapic *l)
{
	return APIC_TIMER_MODE(l->lvt[LVT_TIMER]) < APIC_TIMER_TSC_DEADLINE;
}

static uint64_t ns_per_count(const struct lapic *l)
{
	return DIVIDE_BY(l->timer_divide) * LAPIC_TIMER_NS;
}

static void stop(struct lapic *l)
{
	l->timer_deadline = TIME_NEVER;
	l->tsc_deadline = 0;
	l->timer_initial = 0;
}

/* SDM v3, "TSC-Deadline Mode": "Transitioning between TSC-deadline mode and other timer modes also disarms the
 * timer." Editions before May 2019 said that any change of the mode disarms; that was an error of the manual. Between
 * one-shot and periodic the count runs on, as in KVM: there the mode matters at the next expiry only. */
void lapic_timer_write_lvt(struct lapic *l, uint32_t val)
{
	bool counted = counts(l);
	bool same = APIC_TIMER_MODE(val) == APIC_TIMER_MODE(l->lvt[LVT_TIMER]);

	l->lvt[LVT_TIMER] = val;
	if (!same && !(counted && counts(l)))
		stop(l);
}

/* SDM v3, "APIC Timer": "A write of 0 to the initial-count register effectively stops the local APIC timer, in both
 * one-shot and periodic mode." "TSC-Deadline Mode": "writes to the initial-count register are ignored". */
void lapic_timer_write_initial(struct lapic *l, uint32_t val, uint64_t now)
{
	if (!counts(l))
		return;
	l->timer_initial = val;
	l->timer_deadline = val ? now + val * ns_per_count(l) : TIME_NEVER;
}

/* The counts that are left stay, each lasts as long as the new divisor says. Rounded up, so that the current count
 * does not change by the write. */
void lapic_timer_write_divide(struct lapic *l, uint32_t val, uint64_t now)
{
	uint64_t old = ns_per_count(l);

	l->timer_divide = val & APIC_TIMER_DIVIDE_WRITABLE;
	if (counts(l) && l->timer_deadline != TIME_NEVER)
		l->timer_deadline = now + ((l->timer_deadline - now) * ns_per_count(l) + old - 1) / old;
}

uint32_t lapic_timer_current(const struct lapic *l, uint64_t now)
{
	uint64_t count = ns_per_count(l);

	if (!counts(l) || l->timer_deadline == TIME_NEVER)
		return 0;
	return (uint32_t)((l->timer_deadline - now + count - 1) / count);
}

static uint64_t ticks_to_ns(unsigned __int128 ticks, const struct tsc_clock *clk)
{
	unsigned __int128 ns;

	if (ticks > UINT64_MAX)
		return TIME_NEVER;
	ns = TSC_TO_NS(ticks, clk->mult);
	return ns > TIME_NEVER ? TIME_NEVER : (uint64_t)ns;
}

/* The first ns from now on at which the guest TSC is not below tsc, as unsigned numbers; 0 if it is not now. tsc0 is what the
 * TSC was at ns 0, and since the guest may write it, it may have been just below 2^64 then, or wrap between now and later. */
static uint64_t tsc_to_ns(uint64_t tsc, uint64_t now, const struct tsc_clock *clk)
{
	uint64_t to_wrap = 0 - clk->tsc0; /* ticks; 0: all of them */
	bool wrapped = to_wrap && now >= ticks_to_ns(to_wrap, clk);

	if (wrapped)
		return ticks_to_ns((unsigned __int128)to_wrap + tsc, clk);
	return tsc < clk->tsc0 ? 0 : ticks_to_ns(tsc - clk->tsc0, clk);
}

/* SDM v3, "TSC-Deadline Mode": "Writing a non-zero 64-bit value into IA32_TSC_DEADLINE arms the timer"; "writing 0
 * to the IA32_TSC_DEADLINE MSR disarms"; "In other timer modes (LVT bit 18 = 0), the IA32_TSC_DEADLINE MSR reads
 * zero and writes are ignored." */
void lapic_timer_write_tsc_deadline(struct lapic *l, uint64_t tsc, uint64_t now, const struct tsc_clock *clk)
{
	if (!in_tsc_mode(l))
		return;
	l->tsc_deadline = tsc;
	l->timer_deadline = tsc ? tsc_to_ns(tsc, now, clk) : TIME_NEVER;
	lapic_advance(l, now);
}

/* Periods that nobody looked at become one interrupt, as they would in IRR, and the phase is kept. */
static uint64_t next_period(const struct lapic *l, uint64_t now)
{
	uint64_t period = l->timer_initial * ns_per_count(l);
	uint64_t elapsed = (now - l->timer_deadline) / period + 1;

	return l->timer_deadline + elapsed * period;
}

void lapic_advance(struct lapic *l, uint64_t now)
{
	if (l->timer_deadline == TIME_NEVER || l->timer_deadline > now)
		return;
	if (APIC_TIMER_MODE(l->lvt[LVT_TIMER]) == APIC_TIMER_PERIODIC)
		l->timer_deadline = next_period(l, now);
	else
		l->timer_deadline = TIME_NEVER;
	/* "When the timer generates an interrupt, it disarms itself and clears the IA32_TSC_DEADLINE MSR." */
	l->tsc_deadline = 0;
	lapic_raise_lvt(l, LVT_TIMER);
}

uint64_t lapic_deadline(const struct lapic *l)
{
	return l->lvt[LVT_TIMER] & APIC_LVT_MASKED ? TIME_NEVER : l->timer_deadline;
}
