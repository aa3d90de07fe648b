/* SPDX-License-Identifier: BSD-2-Clause
 * The 8254: three counters, and port 0x61 that gates the third. Time comes in, output levels go out.
 * Knows nothing of interrupt controllers. */
#pragma once

#include "bits.h"
#include "types.h"

#define PIT_CH0 0x40
#define PIT_CH1 0x41
#define PIT_CH2 0x42
#define PIT_CMD 0x43
#define PIT_PORT61 0x61
#define PIT_HZ 1193182ull

/* Control Word */
#define PIT_CW_BCD BIT(0)
#define PIT_CW_MODE(m) FIELD(3, 1, m)
#define PIT_CW_RW(rw) FIELD(5, 4, rw)
#define PIT_CW_SC(ch) FIELD(7, 6, ch)
#define PIT_RW_LATCH 0
#define PIT_RW_LSB 1
#define PIT_RW_MSB 2
#define PIT_RW_WORD 3
/* Read-Back Command: the two latch bits are active low */
#define PIT_READ_BACK PIT_CW_SC(3)
#define PIT_READ_BACK_NO_STATUS BIT(4)
#define PIT_READ_BACK_NO_COUNT BIT(5)
#define PIT_READ_BACK_COUNTER(ch) BIT((ch) + 1)
/* Status Byte; the bits below are the Control Word's */
#define PIT_STATUS_NULL BIT(6)
#define PIT_STATUS_OUT BIT(7)

#define PORT61_GATE2 BIT(0)
#define PORT61_SPEAKER BIT(1)
#define PORT61_REFRESH BIT(4)
#define PORT61_OUT2 BIT(5)

/* Ticks are CLK pulses since the clock began. A count goes from the count register into the counting element at
 * `load_at`; from then on its value and OUT are functions of the ticks since `start`. */
struct pit_channel {
	uint8_t mode;       /* 0..5 */
	uint8_t control;    /* Control Word, bits 5..0 as written */
	bool bcd;
	uint8_t access;     /* PIT_RW_*: low byte, high byte, low then high */
	bool write_high, read_high; /* which byte comes next when access is PIT_RW_WORD */
	uint8_t write_low;  /* low byte waiting for its high byte */
	bool gate;
	bool written;       /* a whole count was written since the Control Word */
	bool loaded;        /* and the counting element was loaded: it counts */
	bool null_count;    /* status bit 6: the new count is not in the counting element yet */
	uint32_t count;     /* count register, 1..65536 (10000 in BCD) */
	uint32_t element;   /* the count that was loaded at `start`; not loaded: where the counting element stands */
	uint64_t start;     /* tick at which it was loaded; wraps below zero in mode 3 */
	uint64_t load_at;   /* tick at which `count` goes into the counting element, TIME_NEVER */
	bool cycle_load;    /* ... because a cycle ends there (modes 2 and 3) */
	bool triggered;     /* the gate rose and the load that follows is outstanding */
	uint64_t paused_at; /* tick at which the gate fell (gate low only) */
	bool count_latched, status_latched;
	uint16_t latch;
	uint8_t status;
};

struct pit {
	struct pit_channel ch[3];
	uint64_t tick;      /* now, in PIT ticks */
	uint64_t edges;     /* rising edges that writes made, not yet returned */
	uint8_t port61;
};

/* Nothing counts and every OUT is high: the data sheet leaves the state before the first Control Word open. */
void pit_reset(struct pit *p, uint64_t now);
/* Moves to `now` (ns, never backwards). Returns how many rising edges counter 0's output made since the last call,
 * those made by a pit_write() in between included: after a write, call it again to collect them. */
uint64_t pit_advance(struct pit *p, uint64_t now);
/* Output level of counter 0 at the time last advanced to. */
bool pit_out0(const struct pit *p);
/* The next time (ns) at which counter 0's output changes level, TIME_NEVER if it will not by itself. */
uint64_t pit_deadline(const struct pit *p);
/* Ports 0x40..0x43 and 0x61. The caller advances first. */
uint8_t pit_read(struct pit *p, uint16_t port);
void pit_write(struct pit *p, uint16_t port, uint8_t val);
