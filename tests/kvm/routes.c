/* SPDX-License-Identifier: BSD-2-Clause
 * Interrupt messages to KVM's local APIC, and the routes by which KVM knows whose EOIs are wanted. Split irqchip only.
 * Knows nothing of I/O APICs. */
#include "tests/kvm/routes.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "dev/ioapic.h"
#include "x86.h"

/* SDM v3, "Message Address Register Format" and "Message Data Register Format" */
#define MSI_ADDRESS APIC_DEFAULT_PHYS
#define MSI_ADDRESS_DEST(d) FIELD(19, 12, d)
#define MSI_ADDRESS_LOGICAL BIT(2)
#define MSI_DATA_ASSERT BIT(14)
#define MSI_DATA_LEVEL BIT(15)
#define MSI_DATA_LEVEL_ASSERT (MSI_DATA_LEVEL | MSI_DATA_ASSERT)
#define DEST_EVERY 0xffu

#define VECTORS 256
#define MAP_BITS 64

void routes_signal_msi(int vm, const struct apic_msg *msg)
{
	struct kvm_msi msi = {
		.address_lo = (uint32_t)(MSI_ADDRESS | MSI_ADDRESS_DEST(msg->dest) | (msg->dest_logical ? MSI_ADDRESS_LOGICAL : 0)),
		.data = msg->vector | APIC_DM_FIELD(msg->delivery_mode) | (msg->level ? MSI_DATA_LEVEL_ASSERT : 0),
	};

	/* The answer is the number of vCPUs that took it: nobody's business here. */
	(void)ioctl(vm, KVM_SIGNAL_MSI, &msi);
}

/* One route for each vector, to everybody: KVM looks at trigger mode, vector and destination of the first IOAPIC_PINS
 * routes, and reports the EOI of what matches. A pin has one vector, so there are never more. */
void routes_set_eoi_exits(int vm, const uint64_t bitmap[4])
{
	union {
		struct kvm_irq_routing head;
		uint8_t bytes[sizeof(struct kvm_irq_routing) + IOAPIC_PINS * sizeof(struct kvm_irq_routing_entry)];
	} table = { .head = { 0 } };

	for (uint32_t vector = 0; vector < VECTORS && table.head.nr < IOAPIC_PINS; vector++) {
		if (!(bitmap[vector / MAP_BITS] & BIT64(vector % MAP_BITS)))
			continue;
		table.head.entries[table.head.nr] = (struct kvm_irq_routing_entry){
			.gsi = table.head.nr,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = (uint32_t)(MSI_ADDRESS | MSI_ADDRESS_DEST(DEST_EVERY)),
				   .data = vector | MSI_DATA_LEVEL_ASSERT },
		};
		table.head.nr++;
	}
	(void)ioctl(vm, KVM_SET_GSI_ROUTING, &table.head);
}
