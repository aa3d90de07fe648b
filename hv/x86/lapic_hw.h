/* SPDX-License-Identifier: BSD-2-Clause
 * The machine's own local APIC, in whichever mode the firmware left it.
 * Knows nothing of the guest's. */
#pragma once

#include "types.h"

struct lapic_hw {
	bool x2apic;
	volatile uint32_t *mmio; /* xAPIC mode */
};

/* E_NODEV if the CPU has none or the firmware has switched it off. */
int lapic_hw_probe(struct lapic_hw *l);
/* Registers by their offset in the xAPIC page (APIC_*). */
uint32_t lapic_hw_read(const struct lapic_hw *l, uint32_t reg);
void lapic_hw_write(const struct lapic_hw *l, uint32_t reg, uint32_t v);
/* A fixed interrupt to this CPU. */
void lapic_hw_self_ipi(const struct lapic_hw *l, uint8_t vector);
/* An NMI to this CPU. */
void lapic_hw_self_nmi(const struct lapic_hw *l);
/* Is the vector requested and not yet taken? */
bool lapic_hw_pending(const struct lapic_hw *l, uint8_t vector);
/* Waits until it is. false: it does not come, in any time that a message takes. */
bool lapic_hw_wait_pending(const struct lapic_hw *l, uint8_t vector);
