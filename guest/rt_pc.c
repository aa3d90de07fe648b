/* SPDX-License-Identifier: BSD-2-Clause
 * Drivers of the rest of the PC: 8259 pair, 8254, I/O APIC, and of the lab device.
 * Knows nothing of the local APIC and of scenarios. */
#include "rt_private.h"

#define PIC1_CMD 0x20
#define PIC1_DATA 0x21
#define PIC2_CMD 0xa0
#define PIC2_DATA 0xa1
#define ELCR1 0x4d0
#define ELCR2 0x4d1
#define PIC_IRQS 16
#define SLAVE_FIRST 8
#define CASCADE 2
#define ICW1_INIT_ICW4 0x11
#define OCW2_EOI 0x20
#define OCW3_READ_IRR 0x0a
#define OCW3_READ_ISR 0x0b
#define ALL_MASKED 0xff

#define PIT_CH0_PORT 0x40
#define PIT_CMD_PORT 0x43
#define PIT_CH0_MODE0 0x30 /* low then high byte */
#define PIT_CH0_MODE2 0x34

#define RTC_INDEX 0x70
#define RTC_REG_D 0x0d

#define IOAPIC_PINS 24
#define IOAPIC_FIRST_LAB_PIN 16
#define IOAPIC_REG_RTE(pin) ((uint8_t)(0x10 + 2 * (pin)))
#define IOAPIC_REGSEL_PORT (IOAPIC_DEFAULT_PHYS + 0x00)
#define IOAPIC_WINDOW_PORT (IOAPIC_DEFAULT_PHYS + 0x10)
#define RTE_IS_MASKED BIT(16)

#define PAGE_SHIFT 12
#define ALL_LINES 0xffff

static uint8_t imr[2];
static uint32_t dirty_pins;

/* ---- lab device ---- */

uint64_t lab_counter(enum lab_counter c)
{
	uint64_t low;

	if (!env.lab)
		return 0;
	outb(LAB_COUNTER_SELECT, (uint8_t)c);
	low = inl(LAB_COUNTER);
	return low | (uint64_t)inl(LAB_COUNTER + sizeof(uint32_t)) << 32;
}

void lab_unmap(const void *p)
{
	outl(LAB_UNMAP, (uint32_t)((uint64_t)p >> PAGE_SHIFT));
}

static void lab_quiet(void)
{
	outl(LAB_DELAY, 0);
	outl(LAB_AT_INTA, 0);
	outw(LAB_DROP_BEFORE_INTA, 0);
	outw(LAB_DOWN, ALL_LINES);
	for (uint16_t pin = IOAPIC_FIRST_LAB_PIN; pin < IOAPIC_PINS; pin++)
		if (dirty_pins & BIT(pin))
			outw(LAB_IOAPIC_DOWN, pin);
}

/* ---- 8259 pair ---- */

void pic_init(uint8_t master_icw4, uint8_t slave_icw4)
{
	outb(PIC1_CMD, ICW1_INIT_ICW4);
	outb(PIC1_DATA, PIC_VECTOR(0));
	outb(PIC1_DATA, BIT(CASCADE));
	outb(PIC1_DATA, ICW4_8086 | master_icw4);
	outb(PIC2_CMD, ICW1_INIT_ICW4);
	outb(PIC2_DATA, PIC_VECTOR(SLAVE_FIRST));
	outb(PIC2_DATA, CASCADE);
	outb(PIC2_DATA, ICW4_8086 | slave_icw4);
	imr[0] = imr[1] = ALL_MASKED;
	outb(PIC1_DATA, imr[0]);
	outb(PIC2_DATA, imr[1]);
}

void pic_unmask(unsigned irq)
{
	if (irq >= SLAVE_FIRST) {
		imr[1] &= (uint8_t)~BIT(irq - SLAVE_FIRST);
		outb(PIC2_DATA, imr[1]);
		irq = CASCADE;
	}
	imr[0] &= (uint8_t)~BIT(irq);
	outb(PIC1_DATA, imr[0]);
}

void pic_mask(unsigned irq)
{
	if (irq >= SLAVE_FIRST) {
		imr[1] |= (uint8_t)BIT(irq - SLAVE_FIRST);
		outb(PIC2_DATA, imr[1]);
		return;
	}
	imr[0] |= (uint8_t)BIT(irq);
	outb(PIC1_DATA, imr[0]);
}

void pic_eoi(unsigned irq)
{
	if (irq >= SLAVE_FIRST)
		outb(PIC2_CMD, OCW2_EOI);
	outb(PIC1_CMD, OCW2_EOI);
}

uint8_t pic_irr(bool slave)
{
	uint16_t port = slave ? PIC2_CMD : PIC1_CMD;

	outb(port, OCW3_READ_IRR);
	return inb(port);
}

uint8_t pic_isr(bool slave)
{
	uint16_t port = slave ? PIC2_CMD : PIC1_CMD;

	outb(port, OCW3_READ_ISR);
	return inb(port);
}

/* ---- I/O APIC ---- */

static void mmio_write(uint64_t addr, uint32_t val)
{
	__asm__ volatile("movl %0, (%1)" ::"a"(val), "r"(addr) : "memory");
}

static uint32_t mmio_read(uint64_t addr)
{
	uint32_t val;

	__asm__ volatile("movl (%1), %0" : "=a"(val) : "r"(addr) : "memory");
	return val;
}

uint32_t ioapic_read_reg(uint8_t reg)
{
	mmio_write(IOAPIC_REGSEL_PORT, reg);
	return mmio_read(IOAPIC_WINDOW_PORT);
}

void ioapic_write_reg(uint8_t reg, uint32_t val)
{
	mmio_write(IOAPIC_REGSEL_PORT, reg);
	mmio_write(IOAPIC_WINDOW_PORT, val);
	if (reg >= IOAPIC_REG_RTE(0) && reg < IOAPIC_REG_RTE(IOAPIC_PINS))
		dirty_pins |= BIT((reg - IOAPIC_REG_RTE(0)) / 2u);
}

/* The high half first: the low half unmasks. */
void ioapic_route(unsigned pin, uint64_t rte)
{
	ioapic_write_reg(IOAPIC_REG_RTE(pin) + 1, (uint32_t)(rte >> 32));
	ioapic_write_reg(IOAPIC_REG_RTE(pin), (uint32_t)rte);
}

uint64_t ioapic_rte(unsigned pin)
{
	uint64_t high = ioapic_read_reg(IOAPIC_REG_RTE(pin) + 1);

	return high << 32 | ioapic_read_reg(IOAPIC_REG_RTE(pin));
}

/* Edge and masked: that clears Remote IRR as well. */
static void ioapic_mask_dirty(void)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		if (dirty_pins & BIT(pin))
			ioapic_route(pin, RTE_IS_MASKED);
	dirty_pins = 0;
}

/* ---- 8254 ---- */

static void pit_load(uint8_t control, uint16_t count)
{
	outb(PIT_CMD_PORT, control);
	outb(PIT_CH0_PORT, (uint8_t)GET_FIELD(7, 0, count));
	outb(PIT_CH0_PORT, (uint8_t)GET_FIELD(15, 8, count));
}

void pit_oneshot(uint16_t count)
{
	pit_load(PIT_CH0_MODE0, count);
}

void pit_periodic(uint16_t count)
{
	pit_load(PIT_CH0_MODE2, count);
}

/* A control word without a count: the output is low and nothing counts. */
void pit_stop(void)
{
	outb(PIT_CMD_PORT, PIT_CH0_MODE0);
}

/* ---- together ---- */

#define SETTLE_EXITS 3
#define SETTLE_MS 1

void settle(void)
{
	for (unsigned i = 0; i < SETTLE_EXITS; i++) {
		SPIN_UNTIL(false, SETTLE_MS);
		inb(PIC1_DATA);
	}
}

#define PEND_LINE 5 /* of the lab: no other device has it */
#define PEND_PIT_COUNT 100
#define PEND_MS 50

uint8_t irq_pend(void)
{
	unsigned irq = env.lab ? PEND_LINE : 0;

	on_vector(PIC_VECTOR(irq), pic_handler);
	pic_unmask(irq);
	if (env.lab)
		lab_up(irq);
	else
		pit_oneshot(PEND_PIT_COUNT);
	if (!SPIN_UNTIL(pic_irr(false) & BIT(irq), PEND_MS))
		error("IRQ%u does not become pending", irq);
	return PIC_VECTOR(irq);
}

void pc_quiet(void)
{
	if (env.lab)
		lab_quiet();
	outb(PIC1_DATA, ALL_MASKED);
	outb(PIC2_DATA, ALL_MASKED);
	pit_stop();
	outb(RTC_INDEX, RTC_REG_D); /* NMIs pass */
	serial_quiet();
	ioapic_mask_dirty();
}

void pc_reset(void)
{
	outb(ELCR1, 0);
	outb(ELCR2, 0);
	pic_init(0, 0);
}
