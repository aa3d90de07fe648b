/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of the 8254: what each mode and the gate do to OUT and to the interrupt.
 * Knows nothing of latches and status beyond their use: that is pit_read.c. No scenario differs by rule or mode. */
#include "known.h"
#include "pit_regs.h"

/* ---- mode 0: interrupt on terminal count ---- */

/* One count, then a long look. Counter 2 has half the count and starts first: it tells that half the time has passed.
 * 82C54 data sheet, "Mode 0: Interrupt on Terminal Count": OUT "will remain low until the Counter reaches zero. OUT then
 * goes high and remains high until a new count or a new Mode 0 Control Word is written". Must: one interrupt, not before
 * its time, and OUT stays high. */
SCENARIO(pit_mode0_once, .name = "pit.mode0-fires-once")
{
	pit_listen_irq0();
	pit_port61(PORT61_GATE2);
	pit_start(2, 0, COUNT_10MS / 2); /* earlier and shorter: over when counter 0 fires, however long anything takes */
	pit_start(0, 0, COUNT_10MS);
	irq_on();
	EXPECT(SPIN_UNTIL(pit_ticks(), LONG_MS));
	EXPECT(pit_out2());
	pit_quiet_ms(QUIET_MS);
	irq_off();
	EXPECT_EQ(pit_ticks(), 1);
	EXPECT(pit_status(0) & STATUS_OUT);
}

/* OUT is looked at through the status byte, at each step.
 * 82C54 data sheet, "Mode 0": "After the Control Word is written, OUT is initially low". */
SCENARIO(pit_mode0_out, .name = "pit.mode0-out-follows-control-word",
	 .xfails = { QEMU_PIT })
{
	pit_start(0, 0, COUNT_MS);
	EXPECT(SPIN_UNTIL(pit_status(0) & STATUS_OUT, LONG_MS));
	pit_program(0, RW_WORD, 0);
	EXPECT(!(pit_status(0) & STATUS_OUT));
	pit_spin_ms(SOME_MS);
	EXPECT(!(pit_status(0) & STATUS_OUT)); /* nothing counts without a count */
	pit_load(0, COUNT_MS);
	EXPECT(SPIN_UNTIL(pit_status(0) & STATUS_OUT, LONG_MS));
}

/* After the interrupt a count alone is written.
 * 82C54 data sheet, "Mode 0": OUT "remains high until a new count ... is written". Must: it counts and fires again. */
SCENARIO(pit_mode0_again, .name = "pit.mode0-new-count-rearms")
{
	pit_listen_irq0();
	pit_start(0, 0, COUNT_MS);
	irq_on();
	EXPECT(SPIN_UNTIL(pit_ticks() == 1, LONG_MS));
	pit_load(0, COUNT_MS);
	EXPECT(SPIN_UNTIL(pit_ticks() == 2, LONG_MS));
	pit_quiet_ms(QUIET_MS);
	EXPECT_EQ(pit_ticks(), 2);
}

/* While a count runs, the low byte of another is written, and the high byte much later.
 * 82C54 data sheet, "Mode 0": "Writing the first byte disables counting. OUT is set low immediately (no clock pulse
 * required)"; "Writing the second byte allows the new count to be loaded on the next CLK pulse."
 * Must: no interrupt in between and OUT low, one after. (The first count is long: it cannot end before the byte is written unless
 * the CPU is away for 50 ms; then the attempt is repeated.) */
SCENARIO(pit_mode0_first_byte, .name = "pit.mode0-first-byte-stops", .deadline_ms = PATIENT_MS,
	 .xfails = { QEMU_PIT })
{
	bool stopped = false;

	for (int i = 0; i < ATTEMPTS && !stopped; i++) {
		pit_listen_irq0();
		pit_start(0, 0, COUNT_MAX);
		outb(PIT_COUNTER(0), LOW(COUNT_10MS));
		arrivals_clear();
		irq_on();
		pit_quiet_ms(2 * PERIOD_MAX_MS);
		irq_off();
		stopped = pit_ticks() == 0 && !(pit_status(0) & STATUS_OUT);
	}
	EXPECT(stopped);
	irq_on();
	outb(PIT_COUNTER(0), HIGH(COUNT_10MS));
	EXPECT(SPIN_UNTIL(pit_ticks() == 1, LONG_MS));
}

/* The output of counter 0 is IR0 of the 8259: an edge there that OUT withdraws.
 * 82C54 data sheet, "Mode 0", as above; 8259A data sheet: the input "must remain high until after the falling edge of
 * the first INTA". Must: IRR0 is set and stays while OUT is high, and goes with it when a Control Word takes OUT low. */
SCENARIO(pit_mode0_line, .name = "pit.mode0-out-is-ir0",
	 .xfails = { QEMU_PIT })
{
	pit_listen_irq0();
	pic_mask(IRQ0);
	EXPECT(!(pic_irr(false) & BIT(IRQ0)));
	pit_start(0, 0, COUNT_MS);
	EXPECT(SPIN_UNTIL(pic_irr(false) & BIT(IRQ0), LONG_MS));
	pit_spin_ms(SOME_MS);
	EXPECT(pic_irr(false) & BIT(IRQ0));
	pit_program(0, RW_WORD, 0);
	EXPECT(!(pic_irr(false) & BIT(IRQ0)));
}

/* The count is read long after the end.
 * 82C54 data sheet, "Operation Common to All Modes": "The Counter does not stop when it reaches zero. In Modes 0, 1, 4, and
 * 5 the Counter "wraps around" to the highest count". Must: values above the one that was loaded are seen. */
SCENARIO(pit_mode0_wraps, .name = "pit.mode0-wraps-around")
{
	pit_start(0, 0, COUNT_SMALL);
	EXPECT(SEEN_WITHIN(pit_latched(0) > COUNT_QUARTER, LONG_MS));
}

/* ---- modes 2 and 3: periodic ---- */

/* At least ten periods. Counter 2 starts before counter 0 with a little more than five periods: while its OUT is low, no
 * more than five can have passed, however long anything takes. The Control Word takes OUT from low to high: one edge more.
 * 82C54 data sheet, "Mode 2: Rate Generator": "typically used to generate a Real Time Clock interrupt"; "For an initial
 * count of N, the sequence repeats every N CLK cycles." "Mode 3: Square Wave Mode" is "similar to Mode 2 except for the
 * duty cycle of OUT". */
static void expect_periodic(unsigned mode)
{
	enum { PERIODS_IN_TIME = 5 };
	uint32_t in_time = 0, seen;

	pit_listen_irq0();
	pit_port61(PORT61_GATE2);
	pit_start(2, 0, PERIODS_IN_TIME * COUNT_10MS + COUNT_MS);
	pit_start(0, mode, COUNT_10MS);
	irq_on();
	for (seen = 0; !pit_out2(); seen = pit_ticks())
		in_time = seen;
	EXPECT(in_time <= PERIODS_IN_TIME + 1);
	EXPECT(SPIN_UNTIL(pit_ticks() > PERIODS, LONG_MS));
}

SCENARIO(pit_mode2_periodic, .name = "pit.mode2-periodic", .deadline_ms = PATIENT_MS) { expect_periodic(2); }
SCENARIO(pit_mode3_periodic, .name = "pit.mode3-periodic", .deadline_ms = PATIENT_MS) { expect_periodic(3); }

/* How many of the samples of OUT2 are high, with some time between them. */
static unsigned samples_high(unsigned mode)
{
	unsigned high = 0;

	pit_port61(PORT61_GATE2);
	pit_start(2, mode, COUNT_2MS);
	pit_wait_loaded(2);
	for (int i = 0; i < SAMPLES; i++) {
		uint64_t until = rdtsc() + rnd() % (2 * env.tsc_per_ms);

		while (rdtsc() < until)
			pause();
		high += pit_out2();
	}
	metric("high", high);
	return high;
}

/* OUT2 is sampled at random times.
 * 82C54 data sheet, "Mode 2": "When the initial count has decremented to 1, OUT goes low for one CLK pulse."
 * Must: of 2,386 pulses one is low: nearly every sample is high. */
SCENARIO(pit_mode2_duty, .name = "pit.mode2-out-low-for-one-pulse", .deadline_ms = PATIENT_MS,
	 .xfails = { QEMU_PIT })
{
	EXPECT(samples_high(2) >= SAMPLES - SAMPLES / 10);
}

/* 82C54 data sheet, "Mode 3": "When half the initial count has expired, OUT goes low for the remainder of the count."
 * Must: both levels are common. */
SCENARIO(pit_mode3_duty, .name = "pit.mode3-out-is-square", .deadline_ms = PATIENT_MS)
{
	unsigned high = samples_high(3);

	EXPECT(high >= SAMPLES / 10);
	EXPECT(high <= SAMPLES - SAMPLES / 10);
}

/* Many values of counter 2 with an even count.
 * 82C54 data sheet, "Mode 3": "Even counts: OUT is initially high. The initial count is loaded on one CLK pulse and then
 * is decremented by two on succeeding CLK pulses." Must: all are even, and they differ. */
SCENARIO(pit_mode3_by_two, .name = "pit.mode3-counts-by-two")
{
	uint16_t first, all = 0;

	pit_port61(PORT61_GATE2);
	pit_start(2, 3, COUNT_EVEN);
	pit_wait_loaded(2);
	first = pit_latched(2);
	for (int i = 0; i < SAMPLES; i++) {
		uint16_t v = pit_latched(2);

		EXPECT_EQ(v & 1, 0);
		all |= v ^ first;
	}
	EXPECT(all);
}

/* A small count is written early in a long period of mode 2.
 * 82C54 data sheet, "Mode 2": "Writing a new count while counting does not affect the current counting sequence. ...
 * Otherwise, the new count will be loaded at the end of the current counting cycle." "Read-Back Command": "NULL COUNT bit
 * D6 indicates when the last count written to the counter register (CR) has been loaded into the counting element (CE)."
 * Must: some attempt sees the old sequence go on with null count 1; later null count is 0 and no value is above the
 * new count. */
SCENARIO(pit_mode2_new_count, .name = "pit.mode2-new-count-at-cycle-end", .deadline_ms = PATIENT_MS,
	 .xfails = { QEMU_PIT,
		     BARE("bare-bochs*", "Bochs loads a new count at once") })
{
	bool seen = false;

	pit_port61(PORT61_GATE2);
	for (int i = 0; i < ATTEMPTS && !seen; i++) {
		pit_start(2, 2, COUNT_MAX);
		pit_wait_loaded(2);
		pit_load(2, COUNT_SMALL);
		outb(PIT_CONTROL, (uint8_t)(READ_BACK | READ_BACK_COUNTER(2)));
		bool null_count = inb(PIT_COUNTER(2)) & STATUS_NULL_COUNT;

		seen = pit_read_word(2) > COUNT_SMALL && null_count;
	}
	EXPECT(seen);
	pit_wait_loaded(2);
	for (int i = 0; i < SAMPLES; i++)
		EXPECT(pit_latched(2) <= COUNT_SMALL);
}

/* ---- mode 4 and mode 1 ---- */

/* OUT is high after the Control Word (the rise that this may be is cleared from the 8259 before the count is written).
 * 82C54 data sheet, "Mode 4: Software Triggered Strobe": "OUT will be initially high. When the initial count expires, OUT
 * will go low for one CLK pulse and then go high again. The counting sequence is "triggered" by writing the initial count."
 * Must: one rise, one interrupt; another count gives another. */
SCENARIO(pit_mode4_strobe, .name = "pit.mode4-strobes-once", .deadline_ms = PATIENT_MS,
	 .xfails = { QEMU_PIT })
{
	pit_start(0, 0, COUNT_MAX);
	pit_program(0, RW_WORD, 4);
	EXPECT(pit_status(0) & STATUS_OUT);
	pic_init(ICW4_8086, ICW4_8086);
	pic_listen(BIT(IRQ0), pic_finish);
	irq_on();
	pit_quiet_ms(SOME_MS);
	EXPECT_EQ(pit_ticks(), 0);
	pit_load(0, COUNT_MS);
	EXPECT(SPIN_UNTIL(pit_ticks() == 1, LONG_MS));
	pit_quiet_ms(2 * PERIOD_MAX_MS); /* the counter wraps around: no second strobe */
	EXPECT_EQ(pit_ticks(), 1);
	pit_load(0, COUNT_MS);
	EXPECT(SPIN_UNTIL(pit_ticks() == 2, LONG_MS));
}

/* Counter 2 is a one-shot, GATE2 its trigger.
 * 82C54 data sheet, "Mode 1: Hardware Retriggerable One-Shot": "OUT will be initially high. OUT will go low on the CLK
 * pulse following a trigger to begin the one-shot pulse, and will remain low until the Counter reaches zero. OUT will then
 * go high and remain high until the CLK pulse after the next trigger." */
SCENARIO(pit_mode1_one_shot, .name = "pit.mode1-gate-triggers", .deadline_ms = PATIENT_MS,
	 .xfails = { BARE("bare-qemu-7.*", "QEMU 7 has OUT of mode 1 upside down") })
{
	bool low = false;

	pit_port61(0);
	pit_start(2, 1, COUNT_MAX);
	pit_spin_ms(2 * PERIOD_MAX_MS);
	EXPECT(pit_out2());
	for (int i = 0; i < ATTEMPTS && !low; i++) {
		pit_port61(0);
		pit_port61(PORT61_GATE2);
		for (int j = 0; j < ATTEMPTS && !low; j++)
			low = !pit_out2();
	}
	EXPECT(low);
	EXPECT(SPIN_UNTIL(pit_out2(), LONG_MS));
	pit_spin_ms(QUIET_MS);
	EXPECT(pit_out2());
}

/* ---- gate ---- */

/* Counter 2 counts, is stopped and goes on.
 * 82C54 data sheet, "Mode 0": "GATE = 1 enables counting; GATE = 0 disables counting. GATE has no effect on OUT." */
SCENARIO(pit_gate_stops, .name = "pit.gate-stops-counting",
	 .xfails = { QEMU_PIT })
{
	uint16_t stopped;

	pit_port61(PORT61_GATE2);
	pit_start(2, 0, COUNT_MAX);
	pit_wait_loaded(2);
	pit_port61(0);
	stopped = pit_latched(2);
	pit_spin_ms(SOME_MS);
	EXPECT_EQ(pit_latched(2), stopped);
	pit_port61(PORT61_GATE2);
	EXPECT(SEEN_WITHIN(pit_latched(2) != stopped, LONG_MS));
	EXPECT(SPIN_UNTIL(pit_out2(), LONG_MS));
	pit_port61(0);
	EXPECT(pit_out2());
}

/* A count is written while GATE is low.
 * 82C54 data sheet, "Mode 0": "If an initial count is written while GATE = 0, it will still be loaded on the next CLK
 * pulse." Must: null count goes to 0 and the count can be read as it was written. */
SCENARIO(pit_gate_low_loads, .name = "pit.gate-low-still-loads")
{
	pit_need_gate();
	EXPECT_EQ(pit_latched(2), COUNT_A);
	EXPECT(!pit_out2());
}

/* Counter 2 in mode 2 has counted down some way when GATE falls and rises.
 * 82C54 data sheet, "Mode 2": "A trigger reloads the Counter with the initial count on the next CLK pulse".
 * Must: some attempt sees a value above the one at which it stopped. */
SCENARIO(pit_gate_reloads, .name = "pit.mode2-gate-reloads", .deadline_ms = PATIENT_MS,
	 .xfails = { QEMU_PIT })
{
	bool seen = false;

	for (int i = 0; i < ATTEMPTS && !seen; i++) {
		uint16_t stopped, after;

		pit_port61(PORT61_GATE2);
		pit_start(2, 2, COUNT_MAX);
		pit_wait_loaded(2);
		EXPECT(SEEN_WITHIN(pit_latched(2) < COUNT_QUARTER, LONG_MS));
		pit_port61(0);
		stopped = pit_latched(2);
		EXPECT(pit_out2());
		pit_port61(PORT61_GATE2);
		pit_wait_loaded(2);
		pit_spin_ms(1); /* the next CLK pulse may be some instructions away */
		after = pit_latched(2);
		seen = stopped > COUNT_SMALL && after > 2 * COUNT_QUARTER;
	}
	EXPECT(seen);
}

/* A counter that nobody listens to, at 16,000 periods a second: an edge is latched whenever somebody looks, so there is no reason
 * to stop the guest for it. Where exits are counted (the machine below makes some of its own). */
enum { FAST_COUNT = 75, SPIN_MS = 20, FEW_EXITS = 60 };
SCENARIO(pit_masked, .name = "pit.masked-costs-nothing")
{
	bool latched = false;
	uint64_t exits;

	pit_periodic(FAST_COUNT);
	irq_on();
	exits = lab_counter(LAB_EXITS);
	SPIN_UNTIL(false, SPIN_MS);
	exits = lab_counter(LAB_EXITS) - exits;
	irq_off();
	metric("exits", exits);
	EXPECT(exits < FEW_EXITS);
	/* The line is low for a moment in each period, and takes its request with it. */
	EXPECT(SPIN_UNTIL(latched |= !!(pic_irr(false) & BIT(0)), SPIN_MS));
}
