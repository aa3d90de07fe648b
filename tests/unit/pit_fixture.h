/* SPDX-License-Identifier: BSD-2-Clause
 * An 8254, and short words to program it and to let CLK pulses pass.
 * Knows nothing of what the tests expect. */
#pragma once

#include "dev/pit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CW(ch, rw, mode) (PIT_CW_SC(ch) | PIT_CW_RW(rw) | PIT_CW_MODE(mode))
#define LATCH_STATUS(ch) (PIT_READ_BACK | PIT_READ_BACK_NO_COUNT | PIT_READ_BACK_COUNTER(ch))
#define LOW(v) ((v) & 0xff)
#define HIGH(v) ((v) >> 8 & 0xff)
#define WORD(h, l) ((h) << 8 | (l))
#define WRAPPED(n) (0x10000 - (n))

/* The first ns of a tick, reckoned the slow way. */
static inline uint64_t ns_of(uint64_t tick)
{
	return (uint64_t)(((unsigned __int128)tick * NSEC_PER_SEC + PIT_HZ - 1) / PIT_HZ);
}

/* Moves n CLK pulses on. */
static inline uint64_t clk(struct pit *p, uint64_t n)
{
	return pit_advance(p, ns_of(p->tick + n));
}

static inline struct pit fresh(void)
{
	struct pit p;

	pit_reset(&p, 0);
	return p;
}

static inline void write16(struct pit *p, unsigned ch, unsigned v)
{
	pit_write(p, PIT_CH0 + ch, LOW(v));
	pit_write(p, PIT_CH0 + ch, HIGH(v));
}

static inline unsigned read16(struct pit *p, unsigned ch)
{
	unsigned low = pit_read(p, PIT_CH0 + ch);

	return WORD(pit_read(p, PIT_CH0 + ch), low);
}

static inline void program(struct pit *p, unsigned ch, unsigned mode, unsigned count)
{
	pit_write(p, PIT_CMD, CW(ch, PIT_RW_WORD, mode));
	write16(p, ch, count);
}

static inline uint8_t status(struct pit *p, unsigned ch)
{
	pit_write(p, PIT_CMD, LATCH_STATUS(ch));
	return pit_read(p, PIT_CH0 + ch);
}

static inline bool out(struct pit *p, unsigned ch)
{
	return status(p, ch) & PIT_STATUS_OUT;
}

static inline bool null_count(struct pit *p, unsigned ch)
{
	return status(p, ch) & PIT_STATUS_NULL;
}

static inline void gate2(struct pit *p, bool high)
{
	pit_write(p, PIT_PORT61, high ? PORT61_GATE2 : 0);
}
