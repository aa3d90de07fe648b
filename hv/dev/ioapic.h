/* SPDX-License-Identifier: BSD-2-Clause
 * The I/O APIC (82093AA programming model, version 0x20 with the EOI register): 24 pins in, APIC messages out.
 * Knows nothing of local APICs but the messages it sends. */
#pragma once

#include "vcpu_run.h"

#define IOAPIC_PINS 24
#define IOAPIC_SIZE 0x1000
#define IOAPIC_REGSEL 0x00
#define IOAPIC_WINDOW 0x10
#define IOAPIC_EOIR 0x40

#define IOAPIC_REG_ID 0x00
#define IOAPIC_REG_VER 0x01
#define IOAPIC_REG_ARB 0x02
#define IOAPIC_REG_RTE 0x10
#define IOAPIC_VERSION 0x20

/* Redirection table entry */
#define RTE_VECTOR(r) ((uint8_t)GET_FIELD(7, 0, r))
#define RTE_DM(r) GET_FIELD(10, 8, r)
#define RTE_LOGICAL BIT64(11)
#define RTE_PENDING BIT64(12)
#define RTE_POLARITY_LOW BIT64(13)
#define RTE_REMOTE_IRR BIT64(14)
#define RTE_LEVEL BIT64(15)
#define RTE_MASKED BIT64(16)
#define RTE_DEST(r) GET_FIELD(63, 56, r)

struct ioapic {
	uint64_t rte[IOAPIC_PINS];
	uint32_t lines;   /* input levels */
	uint32_t irr;     /* edge: latched request not sent yet; level: follows the line */
	uint8_t regsel, id;
	bool routes_changed; /* set by a write that may change ioapic_eoi_vectors() */
};

void ioapic_reset(struct ioapic *io);
/* pin 0..23. Masked edges are lost, as the 82093AA data sheet says. `high` means asserted: whoever wires the pin has
 * applied the polarity, the entry's polarity bit is only stored. */
void ioapic_set_pin(struct ioapic *io, unsigned pin, bool high);
/* The next message to send, lowest pin first; false when there is none. Sets Remote IRR, consumes edges.
 * Pins in ExtINT mode never send here. */
bool ioapic_next_msg(struct ioapic *io, struct apic_msg *out);
/* EOI broadcast or directed EOI for a vector: clears Remote IRR of every level entry with it. */
void ioapic_eoi(struct ioapic *io, uint8_t vector);
/* Vectors that need an EOI broadcast: every level-triggered entry's. */
void ioapic_eoi_vectors(const struct ioapic *io, uint64_t bitmap[4]);
uint32_t ioapic_read(const struct ioapic *io, uint32_t offset);
void ioapic_write(struct ioapic *io, uint32_t offset, uint32_t val);
