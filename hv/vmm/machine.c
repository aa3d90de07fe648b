/* SPDX-License-Identifier: BSD-2-Clause
 * The PC around the vCPU: which device answers which port and address, and which wire goes where.
 * Knows nothing of vCPUs; what it cannot do itself it leaves in `events`. */
#include "vmm/machine.h"

#include <string.h>

#include "vmm/bios.h"
#include "x86.h"

#define ALL_ONES 0xffu
#define BYTE_OF(word, i) ((uint8_t)((word) >> ((i) * 8)))
#define BYTE_AT(byte, i) ((uint32_t)(byte) << ((i) * 8))
#define MMIO_WIDTH sizeof(uint32_t)
#define ISA_LINES 16
#define PCI_ADDRESS 0xcf8

static const char bochs_word[] = "Shutdown";

void machine_init(struct machine *m, uint64_t now, uint64_t unix_seconds, struct trace *trace)
{
	memset(m, 0, sizeof(*m));
	m->trace = trace;
	m->pit_edge = TIME_NEVER;
	rst_init(&m->rst);
	pic_reset(&m->pic);
	pit_reset(&m->pit, now);
	ioapic_reset(&m->ioapic);
	uart_reset(&m->uart);
	rtc_reset(&m->rtc, now, unix_seconds);
	lab_reset(&m->lab);
	bios_devices(&m->pic, &m->pit);
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
	uint32_t want = m->device_lines | m->testdev.lines | lab_lines;
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

/* PIIX3 data sheet, "Real-Time Clock Address Register": bit 7 disables NMI "generation by the various NMI sources". The sources
 * of a PC are latches, and the bit gates what they drive together: one NMI is kept, however many came. */
static void machine_nmi(struct machine *m)
{
	if (m->rtc.nmi_off)
		m->nmi_held = true;
	else
		m->events.nmis++;
}

static void machine_rtc_write(struct machine *m, uint16_t port, uint8_t val)
{
	rtc_write(&m->rtc, port, val);
	if (m->nmi_held && !m->rtc.nmi_off) {
		m->nmi_held = false;
		machine_nmi(m);
	}
}

static void machine_unmap(struct machine *m, uint64_t gpa)
{
	m->events.unmap = true;
	m->events.unmap_gpa = gpa & ~PAGE_MASK;
}

static void machine_lab(struct machine *m, const struct lab_effect *e)
{
	machine_drive(m, m->lab.lines & ~e->fall);
	machine_drive(m, m->lab.lines);
	switch (e->request) {
	case LAB_REQ_NONE:
		break;
	case LAB_REQ_NMI:
		machine_nmi(m);
		break;
	case LAB_REQ_UNMAP:
		machine_unmap(m, e->arg * PAGE_SIZE);
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

/* Does a controller listen to the line? A masked edge is latched all the same, or lost, whenever somebody looks next. */
static bool is_heard(const struct machine *m, unsigned line)
{
	unsigned pin = line == IRQ_PIT ? IOAPIC_PIN_PIT : line;
	unsigned masks = m->pic.master.imr | (unsigned)m->pic.slave.imr << 8;

	return !(masks & BIT(line)) || !(m->ioapic.rte[pin] & RTE_MASKED);
}

uint64_t machine_deadline(const struct machine *m)
{
	uint64_t pit = is_heard(m, IRQ_PIT) ? pit_deadline(&m->pit) : TIME_NEVER;
	uint64_t rtc = is_heard(m, RTC_IRQ) ? rtc_deadline(&m->rtc) : TIME_NEVER;

	return min_u64(pit, min_u64(rtc, lab_deadline(&m->lab)));
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
	if (m->events.nmis || (lab_nmi_waits(&m->lab) && !m->rtc.nmi_off))
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
	case KBC_COMMAND:
	case PORT92:
	case RESET_CONTROL:
		return rst_read(&m->rst, port);
	default:
		return testdev_has_port(&m->testdev, port) ? testdev_read(&m->testdev, port) : ALL_ONES;
	}
}

static void machine_exit(struct machine *m, uint8_t status)
{
	m->events.exited = true;
	m->events.exit_status = status;
}

static void machine_rst_write(struct machine *m, uint16_t port, uint8_t val)
{
	if (!rst_write(&m->rst, port, val))
		return;
	m->events.reset = true;
	m->events.reset_port = port;
}

static void machine_testdev_write(struct machine *m, uint16_t port, uint8_t val)
{
	testdev_write(&m->testdev, port, val);
	machine_drive(m, m->lab.lines);
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
		machine_rtc_write(m, port, val);
		break;
	case UART_COM1 ... UART_COM1 + UART_PORTS - 1:
		uart_write(&m->uart, port - UART_COM1, val);
		break;
	case KBC_COMMAND:
	case KBC_DATA:
	case PORT92:
	case RESET_CONTROL:
		machine_rst_write(m, port, val);
		break;
	case EXIT_PORT:
		machine_exit(m, val);
		break;
	case BOCHS_EXIT_PORT:
		machine_bochs_exit(m, val);
		break;
	default:
		if (testdev_has_port(&m->testdev, port))
			machine_testdev_write(m, port, val);
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

/* PCI's address register is a register of 32 bits: what is written to it as one is nothing to the port within it. */
static bool is_pci_address(uint16_t port, unsigned size)
{
	return port == PCI_ADDRESS && size == sizeof(uint32_t);
}

static bool is_testdev_flush(const struct machine *m, uint16_t port, unsigned size, bool out)
{
	return m->testdev.on && out && port == TESTDEV_FLUSH && size == sizeof(uint32_t);
}

void machine_pio(struct machine *m, uint16_t port, unsigned size, bool out, uint32_t *data, uint64_t now)
{
	machine_advance(m, now);
	if (port >= LAB_BASE && port < LAB_BASE + LAB_PORTS)
		machine_lab_pio(m, port, size, out, data, now);
	else if (is_testdev_flush(m, port, size, out))
		machine_unmap(m, *data);
	else if (!is_pci_address(port, size))
		machine_byte_pio(m, port, size, out, data, now);
	else if (!out)
		*data = UINT32_MAX;
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
	uint8_t *mem;

	machine_advance(m, now);
	if (!write)
		memset(data, ALL_ONES, len);
	mem = testdev_mem(&m->testdev, gpa, len);
	if (mem)
		memcpy(write ? mem : data, write ? data : mem, len);
	else if (gpa >= IOAPIC_DEFAULT_PHYS && gpa - IOAPIC_DEFAULT_PHYS < IOAPIC_SIZE)
		machine_ioapic(m, (uint32_t)(gpa - IOAPIC_DEFAULT_PHYS), data, len, write);
	machine_advance(m, now);
}
