/* SPDX-License-Identifier: BSD-2-Clause
 * The UART against the PC16550D data sheet.
 * Knows nothing of who drives it. */
#include "dev/uart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bits.h"

#define DLAB 0x80
#define EIGHT_BITS 0x03
#define LOOP 0x10
#define OUT2 0x08
#define NO_INTR 0x01
#define RLS 0x06
#define RDA 0x04
#define TIMEOUT 0x0c
#define THRE 0x02
#define MODEM 0x00
#define FIFOS 0xc0
#define LSR_IDLE 0x60
#define LSR_DR 0x01
#define LSR_OE 0x02

static struct uart fresh(void)
{
	struct uart u;

	memset(&u, 0x5a, sizeof(u));
	uart_reset(&u);
	return u;
}

static struct uart looped(uint8_t fcr)
{
	struct uart u = fresh();

	uart_write(&u, UART_LCR, EIGHT_BITS);
	uart_write(&u, UART_FCR, fcr);
	uart_write(&u, UART_MCR, LOOP);
	uart_read(&u, UART_MSR);
	return u;
}

static void send(struct uart *u, const char *s)
{
	for (; *s; s++)
		uart_write(u, UART_THR, (uint8_t)*s);
}

/* PC16550D data sheet, "UART Reset Configuration". */
static void reset_state(void **state)
{
	struct uart u = fresh();
	char c;

	(void)state;
	assert_int_equal(uart_read(&u, UART_IER), 0);
	assert_int_equal(uart_read(&u, UART_IIR), NO_INTR);
	assert_int_equal(uart_read(&u, UART_LCR), 0);
	assert_int_equal(uart_read(&u, UART_MCR), 0);
	assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE);
	assert_int_equal(uart_read(&u, UART_MSR) & 0x0f, 0);
	assert_int_equal(uart_read(&u, UART_THR), 0);
	assert_false(uart_intr(&u));
	assert_int_equal(uart_take(&u, &c, 1), 0);
}

/* "This 8-bit Read/Write Register does not control the UART in any way." */
static void scratch_holds_any_byte(void **state)
{
	struct uart u = fresh();

	(void)state;
	for (int b = 0; b < 256; b++) {
		uart_write(&u, UART_SCR, b);
		assert_int_equal(uart_read(&u, UART_SCR), b);
	}
}

/* "Divisor Latch Access Bit": with it registers 0 and 1 are the divisor latches. */
static void dlab_selects_the_divisor_latches(void **state)
{
	struct uart u = fresh();
	char c;

	(void)state;
	uart_write(&u, UART_IER, 0x05);
	uart_write(&u, UART_LCR, DLAB | EIGHT_BITS);
	uart_write(&u, UART_THR, 0x34);
	uart_write(&u, UART_IER, 0x12);
	assert_int_equal(uart_read(&u, UART_THR), 0x34);
	assert_int_equal(uart_read(&u, UART_IER), 0x12);
	uart_write(&u, UART_LCR, EIGHT_BITS);
	assert_int_equal(uart_read(&u, UART_IER), 0x05);
	assert_int_equal(uart_read(&u, UART_THR), 0);
	assert_int_equal(uart_take(&u, &c, 1), 0);
	assert_int_equal(uart_read(&u, UART_LCR), EIGHT_BITS);
}

/* IER and MCR: the upper bits "are always cleared" / "permanently set to logic 0". */
static void unused_bits_read_zero(void **state)
{
	struct uart u = fresh();

	(void)state;
	uart_write(&u, UART_IER, 0xff);
	assert_int_equal(uart_read(&u, UART_IER), 0x0f);
	uart_write(&u, UART_MCR, 0xff);
	assert_int_equal(uart_read(&u, UART_MCR), 0x1f);
}

static void bytes_are_taken_in_order(void **state)
{
	struct uart u = fresh();
	char buf[16] = "";

	(void)state;
	send(&u, "hello, world");
	assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE);
	assert_int_equal(uart_take(&u, buf, 5), 5);
	assert_memory_equal(buf, "hello", 5);
	send(&u, "!");
	assert_int_equal(uart_take(&u, buf, sizeof(buf)), 8);
	assert_memory_equal(buf, ", world!", 8);
	assert_int_equal(uart_take(&u, buf, sizeof(buf)), 0);
}

/* A driver that looks at LSR, and sends up to a FIFO each time, loses nothing. */
static void a_full_buffer_says_busy_before_it_loses_bytes(void **state)
{
	struct uart u = fresh();
	char buf[UART_TX_FIFO];
	uint32_t sent = 0;

	(void)state;
	uart_write(&u, UART_MCR, OUT2);
	uart_write(&u, UART_IER, 0x02);
	while (uart_read(&u, UART_LSR) & 0x20)
		for (int i = 0; i < 16; i++)
			uart_write(&u, UART_THR, (uint8_t)sent++);
	assert_int_equal(sent, UART_TX_FIFO);
	assert_int_equal(uart_read(&u, UART_LSR), 0);
	assert_false(uart_intr(&u));
	uart_write(&u, UART_THR, 'x'); /* lost, and nothing else with it */
	assert_int_equal(uart_take(&u, buf, 15), 15);
	assert_false(uart_intr(&u));
	assert_int_equal(uart_take(&u, buf + 15, 1), 1);
	assert_true(uart_intr(&u)); /* THR is empty again */
	assert_int_equal(uart_take(&u, buf + 16, sizeof(buf)), UART_TX_FIFO - 16);
	for (uint32_t i = 0; i < UART_TX_FIFO; i++)
		assert_int_equal((uint8_t)buf[i], (uint8_t)i);
}

/* "In the loopback mode, data that is transmitted is immediately received." */
static void loopback_returns_every_byte_and_sends_none(void **state)
{
	struct uart u = looped(0);
	char c;

	(void)state;
	for (int b = 0; b < 256; b++) {
		uart_write(&u, UART_THR, b);
		assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE | LSR_DR);
		assert_int_equal(uart_read(&u, UART_THR), b);
		assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE);
	}
	assert_int_equal(uart_take(&u, &c, 1), 0);
	uart_write(&u, UART_MCR, 0);
	uart_write(&u, UART_THR, 'a');
	assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE);
	assert_int_equal(uart_take(&u, &c, 1), 1);
}

/* "These two bits specify the number of bits in each transmitted and received serial character." */
static void loopback_keeps_the_bits_of_a_word(void **state)
{
	struct uart u = looped(0);

	(void)state;
	for (int wls = 0; wls < 4; wls++) {
		uart_write(&u, UART_LCR, wls);
		uart_write(&u, UART_THR, 0xff);
		assert_int_equal(uart_read(&u, UART_THR), 0xff >> (3 - wls));
	}
}

/* "the four MODEM Control outputs (DTR, RTS, OUT 1, and OUT 2) are internally connected to the four MODEM Control
 * inputs": DSR, CTS, RI, DCD. */
static void loopback_connects_mcr_to_msr(void **state)
{
	(void)state;
	for (uint32_t mcr = 0; mcr < 16; mcr++) {
		struct uart u = fresh();
		uint8_t want = (mcr & 2 ? 0x10 : 0) | (mcr & 1 ? 0x20 : 0) | (mcr & 4 ? 0x40 : 0) | (mcr & 8 ? 0x80 : 0);

		uart_write(&u, UART_MCR, LOOP | mcr);
		assert_int_equal(uart_read(&u, UART_MSR) & 0xf0, want);
		assert_int_equal(uart_read(&u, UART_MSR), want);
		uart_write(&u, UART_MCR, mcr);
		assert_int_equal(uart_read(&u, UART_MSR) & 0xf0, 0xb0);
	}
}

/* "These bits are set to a logic 1 whenever a control input from the MODEM changes state. They are reset to logic 0
 * whenever the CPU reads the MODEM Status Register." TERI: "has changed from a low to a high state" at the pin: RI
 * off. */
static void modem_deltas_are_latched_until_read(void **state)
{
	for (uint32_t from = 0; from < 16; from++)
		for (uint32_t to = 0; to < 16; to++) {
			struct uart u = looped(0);
			uint32_t changed = from ^ to;
			uint8_t want = (changed & 2 ? 1 : 0) | (changed & 1 ? 2 : 0) | (changed & from & 4 ? 4 : 0) |
				       (changed & 8 ? 8 : 0);

			uart_write(&u, UART_MCR, LOOP | from);
			uart_read(&u, UART_MSR);
			uart_write(&u, UART_IER, 0x08);
			uart_write(&u, UART_MCR, LOOP | to);
			assert_int_equal(uart_read(&u, UART_IIR), want ? MODEM : NO_INTR);
			assert_int_equal(uart_read(&u, UART_MSR) & 0x0f, want);
			assert_int_equal(uart_read(&u, UART_MSR) & 0x0f, 0);
			assert_int_equal(uart_read(&u, UART_IIR), NO_INTR);
		}
	(void)state;
}

/* "thereby destroying the previous character"; "The OE indicator is ... reset whenever the CPU reads the contents of
 * the Line Status Register." */
static void overrun_without_fifos_destroys_the_old_byte(void **state)
{
	struct uart u = looped(0);

	(void)state;
	send(&u, "ab");
	assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE | LSR_DR | LSR_OE);
	assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE | LSR_DR);
	assert_int_equal(uart_read(&u, UART_THR), 'b');
	assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE);
}

/* "an overrun error will occur only after the FIFO is full ... the character in the shift register will be overwritten,
 * but it is not transferred to the FIFO." */
static void overrun_with_fifos_loses_the_new_byte(void **state)
{
	struct uart u = looped(0x01);

	(void)state;
	for (int round = 0; round < 3; round++) {
		send(&u, "0123456789abcdef");
		assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE | LSR_DR);
		send(&u, "X");
		assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE | LSR_DR | LSR_OE);
		for (int i = 0; i < 16; i++)
			assert_int_equal(uart_read(&u, UART_THR), "0123456789abcdef"[i]);
		assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE);
		send(&u, "abc");
		for (int i = 0; i < 3; i++)
			assert_int_equal(uart_read(&u, UART_THR), "abc"[i]);
	}
}

/* IIR bits 7:6 "are set when FCR0 = 1"; FCR0 "must be a 1 when other FCR bits are written to or they will not be
 * programmed". */
static void fifo_bits_show_in_iir(void **state)
{
	struct uart u = looped(0);

	(void)state;
	uart_write(&u, UART_FCR, 0xc6);
	assert_int_equal(uart_read(&u, UART_IIR), NO_INTR);
	uart_write(&u, UART_FCR, 0x01);
	assert_int_equal(uart_read(&u, UART_IIR), FIFOS | NO_INTR);
	uart_write(&u, UART_FCR, 0x00);
	assert_int_equal(uart_read(&u, UART_IIR), NO_INTR);
}

static void the_receive_fifo_is_cleared_by_its_bit_and_by_a_mode_change(void **state)
{
	struct uart u = looped(0x01);

	(void)state;
	send(&u, "abc");
	uart_write(&u, UART_FCR, 0x05);
	assert_int_equal(uart_read(&u, UART_THR), 'a'); /* that cleared the transmitter's */
	send(&u, "abc");
	uart_write(&u, UART_FCR, 0x03);
	assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE);
	send(&u, "abc");
	uart_write(&u, UART_FCR, 0x01);
	assert_int_equal(uart_read(&u, UART_THR), 'a');
	uart_write(&u, UART_FCR, 0x02);
	assert_int_equal(uart_read(&u, UART_LSR), LSR_IDLE);
	send(&u, "d");
	uart_write(&u, UART_FCR, 0x02); /* without bit 0 no other bit counts */
	assert_int_equal(uart_read(&u, UART_THR), 'd');
}

/* "Received Data Available or trigger level reached"; below the level the time-out comes at once. */
static void trigger_levels_tell_data_from_timeout(void **state)
{
	static const int levels[] = { 1, 4, 8, 14 };

	(void)state;
	for (int t = 0; t < 4; t++) {
		struct uart u = looped((uint8_t)(t << 6 | 1));

		uart_write(&u, UART_IER, 0x01);
		for (int n = 1; n <= 16; n++) {
			send(&u, "x");
			assert_int_equal(uart_read(&u, UART_IIR), FIFOS | (n >= levels[t] ? RDA : TIMEOUT));
		}
		for (int n = 15; n > 0; n--) {
			uart_read(&u, UART_THR);
			assert_int_equal(uart_read(&u, UART_IIR), FIFOS | (n >= levels[t] ? RDA : TIMEOUT));
		}
		uart_read(&u, UART_THR);
		assert_int_equal(uart_read(&u, UART_IIR), FIFOS | NO_INTR);
	}
}

/* "Interrupt Control Functions": receiver line status, received data, THR empty, MODEM status. */
static void interrupts_are_identified_by_priority(void **state)
{
	struct uart u = looped(0);

	(void)state;
	uart_write(&u, UART_IER, 0x0f);
	uart_write(&u, UART_MCR, LOOP | 0x01);
	send(&u, "ab");
	for (int i = 0; i < 2; i++) /* reading IIR resets none of these */
		assert_int_equal(uart_read(&u, UART_IIR), RLS);
	uart_read(&u, UART_LSR);
	for (int i = 0; i < 2; i++)
		assert_int_equal(uart_read(&u, UART_IIR), RDA);
	uart_read(&u, UART_THR);
	assert_int_equal(uart_read(&u, UART_IIR), THRE);
	for (int i = 0; i < 2; i++)
		assert_int_equal(uart_read(&u, UART_IIR), MODEM);
	uart_read(&u, UART_MSR);
	assert_int_equal(uart_read(&u, UART_IIR), NO_INTR);
}

static void each_source_needs_its_enable_bit(void **state)
{
	(void)state;
	for (uint32_t ier = 0; ier < 16; ier++) {
		struct uart u = looped(0);
		uint8_t want = ier & 4 ? RLS : ier & 1 ? RDA : ier & 2 ? THRE : ier & 8 ? MODEM : NO_INTR;

		uart_write(&u, UART_IER, ier);
		uart_write(&u, UART_MCR, LOOP | 0x02);
		send(&u, "ab");
		assert_int_equal(uart_read(&u, UART_IIR), want);
	}
}

/* THRE is reset by "Reading the IIR Register (if source of interrupt) or Writing into the Transmitter Holding
 * Register". */
static void thre_comes_at_enable_and_after_each_byte_and_goes_by_iir(void **state)
{
	struct uart u = fresh();

	(void)state;
	uart_write(&u, UART_MCR, OUT2);
	uart_write(&u, UART_IER, 0x02);
	assert_true(uart_intr(&u));
	assert_int_equal(uart_read(&u, UART_IIR), THRE);
	assert_false(uart_intr(&u));
	assert_int_equal(uart_read(&u, UART_IIR), NO_INTR);
	uart_write(&u, UART_IER, 0x02); /* enabled already */
	assert_false(uart_intr(&u));
	send(&u, "a");
	assert_true(uart_intr(&u));
	assert_int_equal(uart_read(&u, UART_IIR), THRE);
	uart_write(&u, UART_IER, 0x00);
	uart_write(&u, UART_IER, 0x02);
	assert_true(uart_intr(&u));
	uart_write(&u, UART_IER, 0x00);
	assert_false(uart_intr(&u));
	assert_int_equal(uart_read(&u, UART_IIR), NO_INTR);
}

/* A THRE that is not the source of the interrupt is not reset by reading IIR. */
static void iir_resets_thre_only_when_it_shows_it(void **state)
{
	struct uart u = looped(0);

	(void)state;
	uart_write(&u, UART_IER, 0x03);
	send(&u, "a");
	assert_int_equal(uart_read(&u, UART_IIR), RDA);
	uart_read(&u, UART_THR);
	assert_int_equal(uart_read(&u, UART_IIR), THRE);
	assert_int_equal(uart_read(&u, UART_IIR), NO_INTR);
}

/* "the MODEM Control output pins are forced to their inactive state": OUT2 gates the interrupt on a PC. */
static void out2_gates_the_interrupt(void **state)
{
	(void)state;
	for (uint32_t mcr = 0; mcr < 32; mcr++) {
		struct uart u = fresh();

		uart_write(&u, UART_IER, 0x02);
		uart_write(&u, UART_MCR, mcr);
		assert_int_equal(uart_intr(&u), (mcr & OUT2) && !(mcr & LOOP));
		assert_int_equal(uart_read(&u, UART_IIR), THRE);
	}
}

static void a_received_byte_interrupts_after_loopback(void **state)
{
	struct uart u = looped(0);

	(void)state;
	uart_write(&u, UART_IER, 0x01);
	send(&u, "a");
	assert_false(uart_intr(&u));
	uart_write(&u, UART_MCR, OUT2);
	assert_true(uart_intr(&u));
	assert_int_equal(uart_read(&u, UART_THR), 'a');
	assert_false(uart_intr(&u));
}

static void read_only_registers_ignore_writes(void **state)
{
	struct uart u = fresh(), before = u;

	(void)state;
	uart_write(&u, UART_LSR, 0xff);
	uart_write(&u, UART_MSR, 0xff);
	uart_write(&u, UART_PORTS, 0xff);
	assert_memory_equal(&u, &before, sizeof(u));
	assert_int_equal(uart_read(&u, UART_PORTS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_state),
		cmocka_unit_test(scratch_holds_any_byte),
		cmocka_unit_test(dlab_selects_the_divisor_latches),
		cmocka_unit_test(unused_bits_read_zero),
		cmocka_unit_test(bytes_are_taken_in_order),
		cmocka_unit_test(a_full_buffer_says_busy_before_it_loses_bytes),
		cmocka_unit_test(loopback_returns_every_byte_and_sends_none),
		cmocka_unit_test(loopback_keeps_the_bits_of_a_word),
		cmocka_unit_test(loopback_connects_mcr_to_msr),
		cmocka_unit_test(modem_deltas_are_latched_until_read),
		cmocka_unit_test(overrun_without_fifos_destroys_the_old_byte),
		cmocka_unit_test(overrun_with_fifos_loses_the_new_byte),
		cmocka_unit_test(fifo_bits_show_in_iir),
		cmocka_unit_test(the_receive_fifo_is_cleared_by_its_bit_and_by_a_mode_change),
		cmocka_unit_test(trigger_levels_tell_data_from_timeout),
		cmocka_unit_test(interrupts_are_identified_by_priority),
		cmocka_unit_test(each_source_needs_its_enable_bit),
		cmocka_unit_test(thre_comes_at_enable_and_after_each_byte_and_goes_by_iir),
		cmocka_unit_test(iir_resets_thre_only_when_it_shows_it),
		cmocka_unit_test(out2_gates_the_interrupt),
		cmocka_unit_test(a_received_byte_interrupts_after_loopback),
		cmocka_unit_test(read_only_registers_ignore_writes),
	};

	return cmocka_run_group_tests_name("uart", tests, NULL, NULL);
}
