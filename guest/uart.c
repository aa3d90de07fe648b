/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of the 16550's interrupt output, as an edge at the 8259 and at the I/O APIC.
 * Knows nothing of polled output, which the whole report goes through. */
#include "known.h"
#include "rt.h"

#define COM1 0x3f8
#define COM_THR (COM1 + 0)
#define COM_IER (COM1 + 1)
#define COM_MCR (COM1 + 4)
#define COM_LSR (COM1 + 5)
#define IER_THRE BIT(1)
#define MCR_DTR_RTS 0x03
#define MCR_OUT2 BIT(3) /* a PC's gate of the output */
#define LSR_THRE BIT(5)
#define COM1_IRQ 4
#define IOAPIC_VECTOR 0x64
#define SENT_MS 500
#define QUIET_MS 5

/* What is sent is a line of the report. */
static const char text[] = "# sent by interrupts\n";
static volatile uint32_t sent;

/* As drivers may: the line status says all that is needed, so IIR is never read. */
static void send_next(void)
{
	if ((inb(COM_LSR) & LSR_THRE) && sent < sizeof(text) - 1)
		outb(COM_THR, (uint8_t)text[sent++]);
	else
		outb(COM_IER, 0);
}

static void send_pic(struct frame *f)
{
	(void)f;
	send_next();
	pic_eoi(COM1_IRQ);
}

static void send_apic(struct frame *f)
{
	(void)f;
	send_next();
	apic_eoi();
}

/* PC16550D data sheet, "Interrupt Control Functions": the THR-empty interrupt is reset by "Reading the IIR Register (if source
 * of interrupt) or Writing into the Transmitter Holding Register". So with each character the output falls, and rises when
 * it has gone: one edge a character, however quick the transmitter is, and one more when the last has gone.
 * All rules. */
static void expect_one_edge_a_character(uint8_t vector)
{
	uint32_t by_interrupts;

	sent = 0;
	outb(COM_MCR, MCR_DTR_RTS | MCR_OUT2);
	irq_on();
	outb(COM_IER, IER_THRE);
	(void)SPIN_UNTIL(arrivals_of(vector) == sizeof(text), SENT_MS);
	SPIN_UNTIL(false, QUIET_MS);
	irq_off();
	by_interrupts = sent;
	while (sent < sizeof(text) - 1) /* or the report's next line is spoilt */
		if (inb(COM_LSR) & LSR_THRE)
			outb(COM_THR, (uint8_t)text[sent++]);
	EXPECT_EQ(by_interrupts, sizeof(text) - 1);
	EXPECT_EQ(arrivals_of(vector), sizeof(text));
}

SCENARIO(uart_pic, .name = "uart.thr-write-is-an-edge", .xfails = { BOCHS_THRE })
{
	on_vector(PIC_VECTOR(COM1_IRQ), send_pic);
	pic_unmask(COM1_IRQ);
	expect_one_edge_a_character(PIC_VECTOR(COM1_IRQ));
}

SCENARIO(uart_ioapic, .name = "uart.thr-write-is-an-edge-at-the-ioapic", .xfails = { BOCHS_THRE })
{
	on_vector(IOAPIC_VECTOR, send_apic);
	ioapic_route(COM1_IRQ, IOAPIC_VECTOR);
	expect_one_edge_a_character(IOAPIC_VECTOR);
}
