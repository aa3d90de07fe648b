/* SPDX-License-Identifier: BSD-2-Clause
 * Interrupt messages to KVM's local APIC, and the routes by which KVM knows whose EOIs are wanted. Split irqchip only.
 * Knows nothing of I/O APICs. */
#pragma once

#include "vcpu_run.h"

/* KVM_SIGNAL_MSI */
void routes_signal_msi(int vm, const struct apic_msg *msg);
/* KVM_SET_GSI_ROUTING */
void routes_set_eoi_exits(int vm, const uint64_t bitmap[4]);
