/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of the 8254: how counts are written and read, latches, the read-back command, port 0x61.
 * Knows nothing of interrupts. No scenario differs by rule or mode. */
#include "known.h"
#include "pit_regs.h"

enum { BCD_DIGITS = 4, BCD_LARGE = 0x9876 };

/* ---- counts ---- */

/* Counter 2 runs from a count of 0; counter 0, started before it, from a quarter of 65536.
 * 82C54 data sheet, "Operation Common to All Modes": "The largest possible initial count is 0; this is equivalent to 2^16
 * for binary counting". Must: when OUT2 rises, OUT0 has risen, however long anything takes. */
SCENARIO(pit_count_zero, .name = "pit.count-zero-is-65536")
{
	pit_port61(PORT61_GATE2);
	pit_start(0, 0, COUNT_QUARTER);
	pit_start(2, 0, COUNT_MAX);
	EXPECT(SPIN_UNTIL(pit_out2(), LONG_MS));
	EXPECT(pit_status(0) & STATUS_OUT);
}

/* Counter 2 counts in BCD, through several thousand.
 * 82C54 data sheet, "Control Word Format": BCD = 1 is "Binary Coded Decimal (BCD) Counter (4 Decades)". Must: no value
 * has a digit above 9, and they differ. */
SCENARIO(pit_bcd, .name = "pit.bcd",
	 .xfails = { QEMU_PIT })
{
	uint16_t first, all = 0;

	pit_port61(PORT61_GATE2);
	outb(PIT_CONTROL, (uint8_t)(CW_COUNTER(2) | CW_RW(RW_WORD) | CW_MODE(2) | CW_BCD));
	pit_load(2, BCD_LARGE);
	pit_wait_loaded(2);
	first = pit_latched(2);
	for (int i = 0; i < SAMPLES; i++) {
		uint16_t v = pit_latched(2);

		for (int digit = 0; digit < BCD_DIGITS; digit++)
			EXPECT(GET_FIELD(4 * digit + 3, 4 * digit, v) <= 9);
		all |= v ^ first;
	}
	EXPECT(all);
}

/* One-byte counts: only the low, then only the high byte is written and read.
 * 82C54 data sheet, "Write Operations": "The initial count must follow the count format specified in the Control Word
 * (least significant byte only, most significant byte only, or least significant byte and then most significant byte)."
 * Must: every read is the same byte, there is no second one. */
SCENARIO(pit_one_byte, .name = "pit.one-byte-counts")
{
	pit_need_gate();
	pit_program(2, RW_LSB, 0);
	outb(PIT_COUNTER(2), LOW(COUNT_A));
	pit_wait_loaded(2);
	EXPECT_EQ(inb(PIT_COUNTER(2)), LOW(COUNT_A));
	EXPECT_EQ(inb(PIT_COUNTER(2)), LOW(COUNT_A));
	pit_program(2, RW_MSB, 0);
	outb(PIT_COUNTER(2), HIGH(COUNT_A));
	pit_wait_loaded(2);
	EXPECT_EQ(inb(PIT_COUNTER(2)), HIGH(COUNT_A));
	EXPECT_EQ(inb(PIT_COUNTER(2)), HIGH(COUNT_A));
}

/* Two-byte counts, reads and writes interleaved.
 * 82C54 data sheet, "Read Operations": "reads and writes of the same Counter may be interleaved; for example, if the Counter
 * is programmed for two byte counts, the following sequence is valid. 1. Read least significant byte. 2. Write new least
 * significant byte. 3. Read most significant byte. 4. Write new most significant byte." */
SCENARIO(pit_interleaved, .name = "pit.interleaved-read-and-write")
{
	uint8_t low, high;

	pit_need_gate();
	pit_hold(4, COUNT_A);
	pit_latch(2);
	low = inb(PIT_COUNTER(2));
	outb(PIT_COUNTER(2), LOW(COUNT_B));
	high = inb(PIT_COUNTER(2));
	outb(PIT_COUNTER(2), HIGH(COUNT_B));
	pit_wait_loaded(2);
	EXPECT_EQ(low, LOW(COUNT_A));
	EXPECT_EQ(high, HIGH(COUNT_A));
	EXPECT_EQ(pit_latched(2), COUNT_B);
}

/* ---- latch and read-back ---- */

/* A value is latched, the counter is given another, it is latched again, then read twice.
 * 82C54 data sheet, "Counter Latch Command": "This count is held in the latch until it is read by the CPU ... The count is
 * then unlatched automatically and the OL returns to "following" the counting element". "If a Counter is latched and then,
 * some time later, latched again before the count is read, the second Counter Latch Command is ignored." */
SCENARIO(pit_latch_holds, .name = "pit.latch-holds-until-read")
{
	pit_need_gate();
	pit_hold(0, COUNT_A);
	pit_latch(2);
	pit_load(2, COUNT_B);
	pit_wait_loaded(2);
	pit_latch(2);
	EXPECT_EQ(pit_read_word(2), COUNT_A);
	EXPECT_EQ(pit_read_word(2), COUNT_B);
}

/* The same on a counter that runs: two values are latched 5 ms apart, the first is read after that time.
 * Must: some attempt finds the value that is read close to the one before the latch, not to the one after the wait. */
SCENARIO(pit_latch_running, .name = "pit.latch-holds-while-counting", .deadline_ms = PATIENT_MS)
{
	bool held = false;

	for (int i = 0; i < ATTEMPTS && !held; i++) {
		uint16_t before, at, after;

		pit_start(0, 0, COUNT_MAX);
		before = pit_latched(0);
		pit_latch(0);
		pit_spin_ms(SOME_MS);
		at = pit_read_word(0);
		after = pit_latched(0);
		held = (uint16_t)(before - at) < (uint16_t)(at - after) / 2;
	}
	EXPECT(held);
}

/* The Control Word is written while a value is latched.
 * 82C54 data sheet, "Counter Latch Command": it is held until it is read "(or until the Counter is reprogrammed)". */
SCENARIO(pit_latch_reprogram, .name = "pit.control-word-drops-latch")
{
	pit_need_gate();
	pit_hold(0, COUNT_A);
	pit_latch(2);
	pit_hold(0, COUNT_B);
	EXPECT_EQ(pit_read_word(2), COUNT_B);
}

/* Counter 2 is programmed in all useful ways, each is read back.
 * 82C54 data sheet, "Read-Back Command": "Counter D5 through D0 contain the counter's programmed Mode exactly as written in
 * the last Mode Control Word." */
SCENARIO(pit_status_mode, .name = "pit.read-back-mode")
{
	for (unsigned rw = RW_LSB; rw <= RW_WORD; rw++)
		for (unsigned mode = 0; mode <= 5; mode++)
			for (unsigned bcd = 0; bcd <= CW_BCD; bcd++) {
				uint8_t cw = (uint8_t)(CW_COUNTER(2) | CW_RW(rw) | CW_MODE(mode) | bcd);

				outb(PIT_CONTROL, cw);
				EXPECT_EQ(pit_status(2) & CW_PROGRAMMED, cw & CW_PROGRAMMED);
			}
}

/* The null count bit through Control Word, count and loading.
 * 82C54 data sheet, "Read-Back Command": "THIS ACTION: Write to the control word register CAUSES: Null Count = 1. Write to
 * the count register (CR): Null Count = 1. New count is loaded into CE (CR -> CE): Null Count = 0"; "null count goes to 1
 * when the second byte is written". */
SCENARIO(pit_null_count, .name = "pit.null-count",
	 .xfails = { QEMU_PIT })
{
	pit_program(0, RW_WORD, 0);
	EXPECT(pit_status(0) & STATUS_NULL_COUNT);
	outb(PIT_COUNTER(0), LOW(COUNT_A));
	EXPECT(pit_status(0) & STATUS_NULL_COUNT);
	outb(PIT_COUNTER(0), HIGH(COUNT_A));
	pit_wait_loaded(0);
}

/* Status and count are latched by one command, the status after the count by two.
 * 82C54 data sheet, "Read-Back Command": "If both count and status of a counter are latched, the first read operation of
 * that counter will return latched status, regardless of which was latched first. The next one or two reads ... return
 * latched count." */
SCENARIO(pit_status_first, .name = "pit.read-back-status-before-count")
{
	uint8_t want = (uint8_t)(CW_RW(RW_WORD) | CW_MODE(0));

	pit_need_gate();
	pit_hold(0, COUNT_A);
	outb(PIT_CONTROL, (uint8_t)(READ_BACK | READ_BACK_COUNTER(2)));
	EXPECT_EQ(inb(PIT_COUNTER(2)), want);
	EXPECT_EQ(pit_read_word(2), COUNT_A);
	pit_latch(2);
	outb(PIT_CONTROL, (uint8_t)(READ_BACK | READ_BACK_NO_COUNT | READ_BACK_COUNTER(2)));
	EXPECT_EQ(inb(PIT_COUNTER(2)), want);
	EXPECT_EQ(pit_read_word(2), COUNT_A);
}

/* Counters 0 and 2 are latched by one command; counter 2 gets a new count before both are read.
 * 82C54 data sheet, "Read-Back Command": "This single command is functionally equivalent to several counter latch commands,
 * one for each counter latched. Each counter's latched count is held until it is read". */
SCENARIO(pit_read_back_two, .name = "pit.read-back-two-counters", .deadline_ms = PATIENT_MS)
{
	bool held = false;

	pit_need_gate();
	for (int i = 0; i < ATTEMPTS && !held; i++) {
		uint16_t before, at;

		pit_hold(0, COUNT_A);
		pit_start(0, 0, COUNT_MAX);
		before = pit_latched(0);
		outb(PIT_CONTROL,
		     (uint8_t)(READ_BACK | READ_BACK_NO_STATUS | READ_BACK_COUNTER(0) | READ_BACK_COUNTER(2)));
		pit_load(2, COUNT_B);
		pit_spin_ms(SOME_MS);
		at = pit_read_word(0);
		held = (uint16_t)(before - at) < (uint16_t)(at - pit_latched(0)) / 2;
		EXPECT_EQ(pit_read_word(2), COUNT_A);
	}
	EXPECT(held);
}

/* ---- port 0x61 ---- */

/* Gate and speaker bits are written and read; the refresh bit is watched.
 * 82371SB (PIIX3) data sheet, "NMI Status and Control Register": bits 1:0 are read/write, bit 4 "toggles from 0 to 1 or 1
 * to 0 following every refresh cycle". Must: the speaker's bit does not gate counter 2. */
SCENARIO(pit_port61_bits, .name = "pit.port61")
{
	enum { BITS = PORT61_GATE2 | PORT61_SPEAKER };

	for (unsigned bits = 0; bits <= BITS; bits++) {
		pit_port61((uint8_t)bits);
		EXPECT_EQ(inb(PORT61) & BITS, bits);
	}
	EXPECT(SEEN_WITHIN(inb(PORT61) & PORT61_REFRESH, LONG_MS));
	EXPECT(SEEN_WITHIN(!(inb(PORT61) & PORT61_REFRESH), LONG_MS));
	pit_need_gate();
	pit_port61(PORT61_SPEAKER);
	pit_spin_ms(SOME_MS);
	EXPECT_EQ(pit_latched(2), COUNT_A);
	pit_port61(0);
}
