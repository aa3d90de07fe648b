/* SPDX-License-Identifier: BSD-2-Clause
 * COM1, polled, and the ways out of the machine.
 * Knows nothing of what is printed. */
#include "rt_private.h"

#define COM1 0x3f8
#define COM_DATA (COM1 + 0)
#define COM_IER (COM1 + 1)
#define COM_FCR (COM1 + 2)
#define COM_IIR (COM1 + 2)
#define COM_LCR (COM1 + 3)
#define COM_MCR (COM1 + 4)
#define COM_LSR (COM1 + 5)

#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define DIVISOR_115200 1
#define FCR_ENABLE_CLEAR 0x07
#define IIR_FIFO_ENABLED 0xc0
#define MCR_DTR_RTS 0x03
#define LSR_THRE 0x20
#define LSR_TEMT 0x40
#define FIFO_SIZE 16
/* A port that never answers must not hang the guest: then the line is lost, the exit status is not. */
#define POLLS_MAX 1000000

static unsigned burst; /* bytes that may follow one look at THRE */

void serial_init(void)
{
	outb(COM_IER, 0);
	outb(COM_LCR, LCR_DLAB);
	outb(COM_DATA, DIVISOR_115200);
	outb(COM_IER, 0);
	outb(COM_LCR, LCR_8N1);
	outb(COM_FCR, FCR_ENABLE_CLEAR);
	outb(COM_MCR, MCR_DTR_RTS);
	burst = (inb(COM_IIR) & IIR_FIFO_ENABLED) == IIR_FIFO_ENABLED ? FIFO_SIZE : 1;
}

/* As serial_init() leaves the interrupts: none, and the output closed. */
void serial_quiet(void)
{
	outb(COM_IER, 0);
	outb(COM_MCR, MCR_DTR_RTS);
}

static void wait_for(uint8_t lsr_bit)
{
	for (unsigned i = 0; i < POLLS_MAX && !(inb(COM_LSR) & lsr_bit); i++)
		pause();
}

void serial_write(const char *s, size_t n)
{
	unsigned room = 0;

	for (; n; n--, s++, room--) {
		if (!room) {
			wait_for(LSR_THRE);
			room = burst;
		}
		outb(COM_DATA, (uint8_t)*s);
	}
}

void serial_printf(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = rt_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	serial_write(line, min_u64((uint64_t)n, sizeof(line) - 1));
}

/* An emulator that ends takes along what is still in the UART. */
void serial_flush(void)
{
	wait_for(LSR_TEMT);
}

_Noreturn void rt_exit(uint8_t status)
{
	irq_off();
	serial_flush();
	outb(EXIT_PORT, status);
	for (const char *s = "Shutdown"; *s; s++)
		outb(BOCHS_EXIT_PORT, (uint8_t)*s);
	for (;;)
		__asm__ volatile("cli; hlt");
}
