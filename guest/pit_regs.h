/* SPDX-License-Identifier: BSD-2-Clause
 * The 8254 as its scenarios program it: control words, counts, latches, status and port 0x61.
 * Knows nothing of exact time: the CPU may be taken away between any two instructions. What scenarios look at is counts,
 * order, lower bounds and, for values that move, whether some attempt sees them. */
#pragma once

#include "pic_regs.h"

#define PIT_COUNTER(n) ((uint16_t)(0x40 + (n)))
#define PIT_CONTROL 0x43
#define CW_COUNTER(n) FIELD(7, 6, n)
#define CW_RW(a) FIELD(5, 4, a)
#define CW_MODE(m) FIELD(3, 1, m)
#define CW_BCD BIT(0)
#define CW_PROGRAMMED MASK(5, 0)
enum { RW_LATCH, RW_LSB, RW_MSB, RW_WORD };
#define LOW(w) ((uint8_t)GET_FIELD(7, 0, w))
#define HIGH(w) ((uint8_t)GET_FIELD(15, 8, w))
#define WORD_HIGH(b) FIELD(15, 8, b)

#define READ_BACK MASK(7, 6)
#define READ_BACK_NO_COUNT BIT(5)
#define READ_BACK_NO_STATUS BIT(4)
#define READ_BACK_COUNTER(n) BIT((n) + 1)
#define STATUS_OUT BIT(7)
#define STATUS_NULL_COUNT BIT(6)

#define PORT61 0x61
#define PORT61_GATE2 BIT(0)
#define PORT61_SPEAKER BIT(1)
#define PORT61_NMI_ENABLES MASK(3, 2)
#define PORT61_REFRESH BIT(4)
#define PORT61_OUT2 BIT(5)

#define IRQ0 0
enum { COUNT_MAX = 0, COUNT_MS = 1193, COUNT_2MS = 2386, COUNT_10MS = 11932 }; /* PIT ticks */
enum { COUNT_A = 0x1234, COUNT_B = 0x5678, COUNT_QUARTER = 0x4000, COUNT_SMALL = 0x100, COUNT_EVEN = 0xfffe };
#define PERIOD_MAX_MS 54 /* of 65536 ticks, rounded down */
enum { LONG_MS = 2000, SOME_MS = 5, QUIET_MS = 30, ATTEMPTS = 20, SAMPLES = 200, PERIODS = 10 };
enum { PATIENT_MS = 20000 }; /* deadline of scenarios that repeat attempts or take many samples */

static inline void pit_program(unsigned counter, unsigned rw, unsigned mode)
{
	outb(PIT_CONTROL, (uint8_t)(CW_COUNTER(counter) | CW_RW(rw) | CW_MODE(mode)));
}

static inline void pit_load(unsigned counter, uint16_t count)
{
	outb(PIT_COUNTER(counter), LOW(count));
	outb(PIT_COUNTER(counter), HIGH(count));
}

static inline void pit_start(unsigned counter, unsigned mode, uint16_t count)
{
	pit_program(counter, RW_WORD, mode);
	pit_load(counter, count);
}

static inline void pit_latch(unsigned counter) { outb(PIT_CONTROL, (uint8_t)(CW_COUNTER(counter) | CW_RW(RW_LATCH))); }

static inline uint16_t pit_read_word(unsigned counter)
{
	uint8_t low = inb(PIT_COUNTER(counter));

	return (uint16_t)(low + WORD_HIGH(inb(PIT_COUNTER(counter))));
}

static inline uint16_t pit_latched(unsigned counter)
{
	pit_latch(counter);
	return pit_read_word(counter);
}

static inline uint8_t pit_status(unsigned counter)
{
	outb(PIT_CONTROL, (uint8_t)(READ_BACK | READ_BACK_NO_COUNT | READ_BACK_COUNTER(counter)));
	return inb(PIT_COUNTER(counter));
}

static inline void pit_wait_loaded(unsigned counter)
{
	if (!SPIN_UNTIL(!(pit_status(counter) & STATUS_NULL_COUNT), LONG_MS))
		fail("", "the count of counter %u is never loaded", counter);
}

static inline void pit_port61(uint8_t bits) { outb(PORT61, (uint8_t)((inb(PORT61) & PORT61_NMI_ENABLES) | bits)); }
static inline bool pit_out2(void) { return inb(PORT61) & PORT61_OUT2; }
static inline void pit_spin_ms(unsigned ms) { (void)SPIN_UNTIL(false, ms); }

/* Long enough for what must not come, and then a read of a port: a model that works out the past at the next access has
 * its chance too. */
static inline void pit_quiet_ms(unsigned ms)
{
	pit_spin_ms(ms);
	(void)pit_out2();
}

/* As SPIN_UNTIL, for a condition that may pass again: once seen it is not looked at any more. */
#define SEEN_WITHIN(cond, ms) __extension__({ bool seen_ = false; SPIN_UNTIL((seen_ = seen_ || (cond)), ms); })

/* Counter 2 with GATE low holds still: its value can be compared exactly. */
static inline void pit_hold(unsigned mode, uint16_t count)
{
	pit_port61(0);
	pit_start(2, mode, count);
	pit_wait_loaded(2);
}

static inline void pit_need_gate(void)
{
	uint16_t before;

	pit_hold(0, COUNT_A);
	before = pit_latched(2);
	pit_spin_ms(SOME_MS);
	if (pit_latched(2) != before)
		skip("counter 2 counts with GATE low: see pit.gate-stops-counting");
}

/* Counter 0's output is low, no edge of it is latched, and it interrupts from now on. */
static inline void pit_listen_irq0(void)
{
	pit_start(0, 0, COUNT_MAX);
	pic_init(ICW4_8086, ICW4_8086);
	pic_listen(BIT(IRQ0), pic_finish);
}

static inline uint32_t pit_ticks(void) { return arrivals_of(PIC_VECTOR(IRQ0)); }
