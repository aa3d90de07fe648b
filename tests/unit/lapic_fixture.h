/* SPDX-License-Identifier: BSD-2-Clause
 * A local APIC in each of its modes, and short words to poke it with.
 * Knows nothing of what the tests expect. */
#pragma once

#include "core/lapic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "status.h"
#include "x86.h"

#define ID 3u
#define ENABLED (APIC_SVR_ENABLE | 0xffu)
#define X2(offset) (MSR_X2APIC_FIRST + (offset) / 16)
#define SOME_TIME 1000000ull

/* 2 ticks per ns, guest TSC 1000 at ns 0. */
static const struct tsc_clock two_ghz = { .mult = 1ull << 31, .tsc0 = 1000 };

static inline struct lapic after_reset(void)
{
	struct lapic l;

	memset(&l, 0x5a, sizeof(l));
	lapic_reset(&l, ID, true);
	return l;
}

static inline struct lapic enabled(void)
{
	struct lapic l = after_reset();

	lapic_write(&l, APIC_SVR, ENABLED, 0);
	return l;
}

static inline struct lapic x2apic(void)
{
	struct lapic l = enabled();

	assert_int_equal(lapic_write_msr(&l, MSR_APIC_BASE, l.base | APIC_BASE_EXTD, 0, NULL), 0);
	return l;
}

static inline uint32_t rd(struct lapic *l, uint32_t offset) { return lapic_read(l, offset, 0); }
static inline void wr(struct lapic *l, uint32_t offset, uint32_t val) { lapic_write(l, offset, val, 0); }

static inline int wrmsr(struct lapic *l, uint32_t msr, uint64_t val)
{
	return lapic_write_msr(l, msr, val, 0, &two_ghz);
}

static inline uint64_t rdmsr(struct lapic *l, uint32_t msr)
{
	uint64_t val = 0;

	assert_int_equal(lapic_read_msr(l, msr, &val, 0), 0);
	return val;
}

static inline bool send_msg(struct lapic *l, uint8_t mode, uint8_t vector, bool level)
{
	struct apic_msg m = { .dest = l->id, .vector = vector, .delivery_mode = mode, .level = level };

	return lapic_deliver(l, &m);
}

static inline void fixed(struct lapic *l, uint8_t vector) { assert_true(send_msg(l, APIC_DM_FIXED, vector, false)); }

/* The page, as the CPU sees it. */
static inline uint32_t *word_at(struct lapic *l, uint32_t offset) { return &l->page[offset / 4]; }
/* map: APIC_ISR, APIC_TMR or APIC_IRR. */
static inline uint32_t *word_of(struct lapic *l, uint32_t map, uint8_t v) { return word_at(l, map + v / 32 * 16); }
static inline bool in_map(struct lapic *l, uint32_t map, uint8_t v) { return *word_of(l, map, v) & BIT(v % 32); }

static inline void clear_map(struct lapic *l, uint32_t map)
{
	for (unsigned v = 0; v < 256; v += 32)
		*word_of(l, map, (uint8_t)v) = 0;
}

static inline void take(struct lapic *l, uint8_t vector)
{
	assert_int_equal(lapic_pending(l), vector);
	lapic_accept(l, vector);
}

static inline uint32_t latched_esr(struct lapic *l)
{
	wr(l, APIC_ESR, 0);
	return rd(l, APIC_ESR);
}

static inline void start(struct lapic *l, uint32_t lvt, uint32_t divide, uint32_t count, uint64_t now)
{
	lapic_write(l, APIC_LVT_TIMER, lvt, now);
	lapic_write(l, APIC_TIMER_DIVIDE, divide, now);
	lapic_write(l, APIC_TIMER_INITIAL, count, now);
}
