/* SPDX-License-Identifier: BSD-2-Clause
 * The PC around the vCPU: which device answers which port and address, and which wire goes where.
 * Knows nothing of vCPUs; what it cannot do itself it leaves in `events`. */
#include "vmm/machine.h"

#include <string.h>

#include "x86.h"

#define ALL_ONES 0xffu
#define BYTE_OF(word, i) ((uint8_t)((word) >> ((i) * 8)))
#define BYTE_AT(byte, i) ((uint32_t)(byte) << ((i) * 8))
#define MMIO_WIDTH sizeof(uint32_t)
#define ISA_LINES 16

static const char bochs_word[] = "Shutdown";

void machine_init(struct machine *m, uint64_t now, uint64_t unix_seconds, struct trace *trace)
{
	memset(m, 0, sizeof(*m));
	m->trace = trace;
	m->pit_edge = TIME_NEVER;
	m->port92 = PORT92_A20;
	pic_reset(&m->pic);
	pit_reset(&m->pit, now);
	ioapic_reset(&m->ioapic);
	uart_reset(&m->uart);
	rtc_reset(&m->rtc, now, unix_seconds);
	lab_reset(&m->lab);
	machine_advance(m, now);
}

/* ---- wires ---- */

/* One wire to both controllers. The cascade is no ISA line, and its I/O APIC pin belongs to the PIT. */
static void machine_wire(struct machine *m, unsigned line, bool high)
{
	unsigned pin = line == IRQ_PIT ? IOAPIC_PIN_PIT : line;

	if (line == PIC_CASCADE)
		return;
	if (line < ISA_LINES) {
		trace_add(m->trace, TRACE_kvm_pic_set_irq, line, high);
		pic_set_line(&m->pic, line, high);
	}
	trace_add(m->trace, TRACE_kvm_ioapic_set_irq, pin, high);
	ioapic_set_pin(&m->ioapic, pin, high);
}

/* A line is high while anything drives it. Lines that change do so in ascending order. */
static void machine_drive(struct machine *m, uint32_t lab_lines)
{
	uint32_t want = m->device_lines | lab_lines;
	uint32_t changed = want ^ m->lines;

	m->lines = want;
	for (; changed; changed &= changed - 1) {
		unsigned line = (unsigned)ffs64(changed);

		machine_wire(m, line, want & BIT(line));
	}
}

static void machine_device_line(struct machine *m, unsigned line, bool high)
{
	if (high)
		m->device_lines |= BIT(line);
	else
		m->device_lines &= ~BIT(line);
	machine_drive(m, m->lab.lines);
}

static void machine_lab(struct machine *m, const struct lab_effect *e)
{
	machine_drive(m, m->lab.lines & ~e->fall);
	machine_drive(m, m->lab.lines);
	switch (e->request) {
	case LAB_REQ_NONE:
		break;
	case LAB_REQ_NMI:
		m->events.nmis++;
		break;
	case LAB_REQ_UNMAP:
		m->events.unmap = true;
		m->events.unmap_gpa = e->arg * PAGE_SIZE;
		break;
	case LAB_REQ_COUNTER:
		m->events.counter = true;
		m->events.counter_index = (uint8_t)e->arg;
		break;
	case LAB_REQ_SCENARIO:
		m->events.scenario = true;
		m->events.scenario_gpa = e->arg;
		break;
	}
}

static void machine_pit(struct machine *m, uint64_t now)
{
	if (pit_advance(&m->pit, now)) {
		/* The line may have been high all along: without the fall there would be no edge. */
		machine_device_line(m, IRQ_PIT, false);
		machine_device_line(m, IRQ_PIT, true);
		m->pit_edge = now;
	}
	machine_device_line(m, IRQ_PIT, pit_out0(&m->pit) || m->pit_edge == now);
}

/* The wires follow the outputs, after each register that was touched: an output that falls and rises is an edge, be it by
 * two bytes of one access or by one byte. */
static void machine_outputs(struct machine *m, uint64_t now)
{
	machine_pit(m, now);
	rtc_advance(&m->rtc, now);
	machine_device_line(m, RTC_IRQ, rtc_intr(&m->rtc));
	if (uart_take_fall(&m->uart))
		machine_device_line(m, UART_IRQ, false);
	machine_device_line(m, UART_IRQ, uart_intr(&m->uart));
}

void machine_advance(struct machine *m, uint64_t now)
{
	struct lab_effect e;

	machine_outputs(m, now);
	while (lab_due(&m->lab, now, &e))
		machine_lab(m, &e);
}

uint64_t machine_deadline(const struct machine *m)
{
	return min_u64(pit_deadline(&m->pit), min_u64(rtc_deadline(&m->rtc), lab_deadline(&m->lab)));
}

struct pic_ack machine_inta(struct machine *m, uint64_t now)
{
	struct lab_effect drop = lab_before_inta(&m->lab);
	uint32_t falling = m->lines & drop.fall & ~m->device_lines;
	struct pic_ack ack = pic_inta_falling(&m->pic, (uint16_t)falling);

	/* A line that rises during the cycle comes too late to take part in it. */
	lab_after_inta(&m->lab);
	machine_advance(m, now); /* and the other wires of what fell follow */
	trace_add(m->trace, TRACE_kvm_ack_irq, ack.vector, pic_intr(&m->pic));
	return ack;
}

bool machine_nmi_possible(const struct machine *m)
{
	if (m->events.nmis || lab_nmi_waits(&m->lab))
		return true;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t rte = m->ioapic.rte[pin];

		if (!(rte & RTE_MASKED) && RTE_DM(rte) == APIC_DM_NMI)
			return true;
	}
	return false;
}

/* ---- ports ---- */

static uint8_t machine_read_port(struct machine *m, uint16_t port)
{
	switch (port) {
	case PIC_MASTER_CMD:
	case PIC_MASTER_DATA:
	case PIC_SLAVE_CMD:
	case PIC_SLAVE_DATA:
	case PIC_ELCR_MASTER:
	case PIC_ELCR_SLAVE:
		return pic_read(&m->pic, port);
	case PIT_CH0:
	case PIT_CH1:
	case PIT_CH2:
	case PIT_CMD:
	case PIT_PORT61:
		return pit_read(&m->pit, port);
	case RTC_INDEX:
	case RTC_DATA:
		return rtc_read(&m->rtc, port);
	case UART_COM1 ... UART_COM1 + UART_PORTS - 1:
		return uart_read(&m->uart, port - UART_COM1);
	case PORT92:
		return m->port92;
	default:
		return ALL_ONES;
	}
}

static void machine_exit(struct machine *m, uint8_t status)
{
	m->events.exited = true;
	m->events.exit_status = status;
}

/* The whole word in a row ends the guest; its status is success. */
static void machine_bochs_exit(struct machine *m, uint8_t val)
{
	if (val != (uint8_t)bochs_word[m->bochs_matched])
		m->bochs_matched = 0;
	if (val == (uint8_t)bochs_word[m->bochs_matched])
		m->bochs_matched++;
	if (m->bochs_matched == sizeof(bochs_word) - 1) {
		m->bochs_matched = 0;
		machine_exit(m, 0);
	}
}

static void machine_write_port(struct machine *m, uint16_t port, uint8_t val)
{
	switch (port) {
	case PIC_MASTER_CMD:
	case PIC_MASTER_DATA:
	case PIC_SLAVE_CMD:
	case PIC_SLAVE_DATA:
	case PIC_ELCR_MASTER:
	case PIC_ELCR_SLAVE:
		pic_write(&m->pic, port, val);
		break;
	case PIT_CH0:
	case PIT_CH1:
	case PIT_CH2:
	case PIT_CMD:
	case PIT_PORT61:
		pit_write(&m->pit, port, val);
		break;
	case RTC_INDEX:
	case RTC_DATA:
		rtc_write(&m->rtc, port, val);
		break;
	case UART_COM1 ... UART_COM1 + UART_PORTS - 1:
		uart_write(&m->uart, port - UART_COM1, val);
		break;
	case PORT92:
		m->port92 = (uint8_t)(val & PORT92_A20);
		break;
	case EXIT_PORT:
		machine_exit(m, val);
		break;
	case BOCHS_EXIT_PORT:
		machine_bochs_exit(m, val);
		break;
	default:
		break;
	}
}

static void machine_lab_pio(struct machine *m, uint16_t port, unsigned size, bool out, uint32_t *data, uint64_t now)
{
	struct lab_effect e;

	if (!out) {
		*data = lab_read(&m->lab, port, size);
		return;
	}
	e = lab_write(&m->lab, port, size, *data, now);
	machine_lab(m, &e);
}

static void machine_byte_pio(struct machine *m, uint16_t port, unsigned size, bool out, uint32_t *data, uint64_t now)
{
	uint32_t in = 0;

	for (unsigned i = 0; i < size; i++) {
		uint16_t byte_port = (uint16_t)(port + i);

		if (out)
			machine_write_port(m, byte_port, BYTE_OF(*data, i));
		else
			in |= BYTE_AT(machine_read_port(m, byte_port), i);
		machine_outputs(m, now);
	}
	if (!out)
		*data = in;
}

void machine_pio(struct machine *m, uint16_t port, unsigned size, bool out, uint32_t *data, uint64_t now)
{
	machine_advance(m, now);
	if (port >= LAB_BASE && port < LAB_BASE + LAB_PORTS)
		machine_lab_pio(m, port, size, out, data, now);
	else
		machine_byte_pio(m, port, size, out, data, now);
	/* Again: what the lab device was asked for may be due now. */
	machine_advance(m, now);
}

/* ---- memory ---- */

static void machine_ioapic(struct machine *m, uint32_t offset, uint8_t *data, uint32_t len, bool write)
{
	uint32_t within = offset % MMIO_WIDTH;
	uint32_t val;

	if (!write && within + len <= MMIO_WIDTH) {
		val = ioapic_read(&m->ioapic, offset - within);
		memcpy(data, (uint8_t *)&val + within, len);
	} else if (write && !within && len == MMIO_WIDTH) {
		memcpy(&val, data, sizeof(val));
		ioapic_write(&m->ioapic, offset, val);
	}
}

void machine_mmio(struct machine *m, uint64_t gpa, uint8_t *data, uint32_t len, bool write, uint64_t now)
{
	machine_advance(m, now);
	if (!write)
		memset(data, ALL_ONES, len);
	if (gpa >= IOAPIC_DEFAULT_PHYS && gpa - IOAPIC_DEFAULT_PHYS < IOAPIC_SIZE)
		machine_ioapic(m, (uint32_t)(gpa - IOAPIC_DEFAULT_PHYS), data, len, write);
	machine_advance(m, now);
}
