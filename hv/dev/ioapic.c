/* SPDX-License-Identifier: BSD-2-Clause
 * The I/O APIC: redirection table, Remote IRR, and the order in which pins become messages.
 * Knows nothing of local APICs but the messages it sends. */
#include "dev/ioapic.h"

#include <string.h>

#include "x86.h"

#define RTE_WRITABLE \
	(MASK(63, 56) | RTE_MASKED | RTE_LEVEL | RTE_POLARITY_LOW | RTE_LOGICAL | MASK(10, 8) | MASK(7, 0))
#define RTE_READ_ONLY (RTE_REMOTE_IRR | RTE_PENDING)
#define RTE_LOW_HALF MASK(31, 0)
#define RTE_HIGH_HALF MASK(63, 32)
#define RTE_FROM_HIGH(v) FIELD(63, 32, v)
#define RTE_TO_LOW(r) ((uint32_t)GET_FIELD(31, 0, r))
#define RTE_TO_HIGH(r) ((uint32_t)GET_FIELD(63, 32, r))
#define ID_TO_REG(id) ((uint32_t)FIELD(27, 24, id))
#define ID_FROM_REG(v) ((uint8_t)GET_FIELD(27, 24, v))
#define VER_MAX_ENTRY ((uint32_t)FIELD(23, 16, IOAPIC_PINS - 1))
#define REG_INDEX(v) ((uint8_t)GET_FIELD(7, 0, v))
#define EOI_VECTOR(v) ((uint8_t)GET_FIELD(7, 0, v))
#define BITMAP_BITS 64
#define BITMAP_WORDS 4

static bool is_fixed(uint64_t rte)
{
	return RTE_DM(rte) == APIC_DM_FIXED || RTE_DM(rte) == APIC_DM_LOWEST;
}

/* 82093AA data sheet, "Delivery Mode": NMI and INIT are "treated as an edge triggered interrupt, even if ... programmed
 * as a level triggered interrupt"; SMI and ExtINT require edge. */
static bool is_level(uint64_t rte)
{
	return (rte & RTE_LEVEL) && is_fixed(rte);
}

/* ExtINT asks for an INTA cycle, which only the 8259 can answer: KVM drops such messages, so none is made. Modes 3
 * and 6 are reserved. */
static bool sends(uint64_t rte)
{
	switch (RTE_DM(rte)) {
	case APIC_DM_FIXED:
	case APIC_DM_LOWEST:
	case APIC_DM_SMI:
	case APIC_DM_NMI:
	case APIC_DM_INIT:
		return true;
	default:
		return false;
	}
}

void ioapic_reset(struct ioapic *io)
{
	memset(io, 0, sizeof(*io));
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		io->rte[pin] = RTE_MASKED;
	io->routes_changed = true;
}

/* 82093AA data sheet, "Interrupt Mask": "Edge-sensitive interrupts signaled on a masked interrupt pin are ignored
 * (i.e., not delivered or held pending)." An edge on a pin that cannot send is lost the same way, or it would be
 * delivered by a later change of the mode. */
static void latch_edge(struct ioapic *io, unsigned pin)
{
	if (!(io->rte[pin] & RTE_MASKED) && sends(io->rte[pin]))
		io->irr |= BIT(pin);
}

static void follow_line(struct ioapic *io, unsigned pin)
{
	io->irr = (io->irr & ~BIT(pin)) | (io->lines & BIT(pin));
}

void ioapic_set_pin(struct ioapic *io, unsigned pin, bool high)
{
	bool was_high;

	if (pin >= IOAPIC_PINS)
		return;
	was_high = io->lines & BIT(pin);
	io->lines = high ? io->lines | BIT(pin) : io->lines & ~BIT(pin);
	if (is_level(io->rte[pin]))
		follow_line(io, pin);
	else if (high && !was_high)
		latch_edge(io, pin);
}

static bool wants_to_send(const struct ioapic *io, unsigned pin)
{
	uint64_t rte = io->rte[pin];

	if (!(io->irr & BIT(pin)) || (rte & RTE_MASKED) || !sends(rte))
		return false;
	return !is_level(rte) || !(rte & RTE_REMOTE_IRR);
}

static void send(struct ioapic *io, unsigned pin, struct apic_msg *out)
{
	uint64_t rte = io->rte[pin];

	*out = (struct apic_msg){
		.dest = RTE_DEST(rte),
		.vector = RTE_VECTOR(rte),
		.delivery_mode = RTE_DM(rte),
		.dest_logical = rte & RTE_LOGICAL,
		.level = is_level(rte),
	};
	if (is_level(rte))
		io->rte[pin] |= RTE_REMOTE_IRR;
	else
		io->irr &= ~BIT(pin);
}

bool ioapic_next_msg(struct ioapic *io, struct apic_msg *out)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		if (!wants_to_send(io, pin))
			continue;
		send(io, pin, out);
		return true;
	}
	return false;
}

/* 82093AA data sheet, "Remote IRR": "The Remote IRR bit is set to 0 when an EOI message with a matching interrupt
 * vector is received from a local APIC." The vector is the entry's present one: after a change of the vector the EOI
 * of the old one does not match, and the pin stays blocked until a directed EOI or a switch to edge frees it. */
void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		if (is_level(io->rte[pin]) && RTE_VECTOR(io->rte[pin]) == vector)
			io->rte[pin] &= ~RTE_REMOTE_IRR;
}

void ioapic_eoi_vectors(const struct ioapic *io, uint64_t bitmap[4])
{
	memset(bitmap, 0, BITMAP_WORDS * sizeof(bitmap[0]));
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint8_t vector = RTE_VECTOR(io->rte[pin]);

		if (is_level(io->rte[pin]))
			bitmap[vector / BITMAP_BITS] |= BIT64(vector % BITMAP_BITS);
	}
}

static bool same_eoi_route(uint64_t a, uint64_t b)
{
	return is_level(a) == is_level(b) && (!is_level(a) || RTE_VECTOR(a) == RTE_VECTOR(b));
}

/* Remote IRR: "Its meaning is undefined for edge triggered interrupts." KVM and QEMU clear it on such a write: Linux uses
 * the switch to edge and back as an EOI for I/O APICs without the EOI register; so do we. A request does not survive
 * a change of the trigger mode: the new mode looks at the line anew, and a high line is no edge. */
static void write_rte(struct ioapic *io, unsigned pin, uint64_t val)
{
	uint64_t old = io->rte[pin];
	uint64_t rte = (old & RTE_READ_ONLY) | (val & RTE_WRITABLE);

	if (!is_level(rte))
		rte &= ~RTE_REMOTE_IRR;
	io->rte[pin] = rte;
	if (is_level(rte))
		follow_line(io, pin);
	else if (is_level(old))
		io->irr &= ~BIT(pin);
	if (!same_eoi_route(old, rte))
		io->routes_changed = true;
}

/* Whether the selected register is half of a table entry, and of which pin. */
static bool rte_selected(const struct ioapic *io, unsigned *pin, bool *high)
{
	if (io->regsel < IOAPIC_REG_RTE || io->regsel >= IOAPIC_REG_RTE + 2 * IOAPIC_PINS)
		return false;
	*pin = (io->regsel - IOAPIC_REG_RTE) / 2;
	*high = io->regsel % 2;
	return true;
}

static uint32_t read_window(const struct ioapic *io)
{
	unsigned pin;
	bool high;

	if (rte_selected(io, &pin, &high))
		return high ? RTE_TO_HIGH(io->rte[pin]) : RTE_TO_LOW(io->rte[pin]);
	switch (io->regsel) {
	case IOAPIC_REG_ID:
	case IOAPIC_REG_ARB: /* "When the APIC ID register is loaded, its value is also loaded" here */
		return ID_TO_REG(io->id);
	case IOAPIC_REG_VER:
		return IOAPIC_VERSION | VER_MAX_ENTRY;
	default:
		return 0;
	}
}

static void write_window(struct ioapic *io, uint32_t val)
{
	unsigned pin;
	bool high;

	if (io->regsel == IOAPIC_REG_ID)
		io->id = ID_FROM_REG(val);
	if (!rte_selected(io, &pin, &high))
		return;
	if (high)
		write_rte(io, pin, (io->rte[pin] & RTE_LOW_HALF) | RTE_FROM_HIGH(val));
	else
		write_rte(io, pin, (io->rte[pin] & RTE_HIGH_HALF) | val);
}

uint32_t ioapic_read(const struct ioapic *io, uint32_t offset)
{
	switch (offset) {
	case IOAPIC_REGSEL:
		return io->regsel;
	case IOAPIC_WINDOW:
		return read_window(io);
	default:
		return 0;
	}
}

void ioapic_write(struct ioapic *io, uint32_t offset, uint32_t val)
{
	switch (offset) {
	case IOAPIC_REGSEL:
		io->regsel = REG_INDEX(val);
		break;
	case IOAPIC_WINDOW:
		write_window(io, val);
		break;
	case IOAPIC_EOIR:
		ioapic_eoi(io, EOI_VECTOR(val));
		break;
	default:
		break;
	}
}
