/* SPDX-License-Identifier: BSD-2-Clause
 * One KVM virtual machine: memory from address 0, and the irqchip of the mode.
 * Knows nothing of its vCPU. */
#pragma once

#include "boot/report.h"
#include "vcpu_run.h"

struct vm {
	int kvm, fd;
	enum irqchip_mode mode;
	uint8_t *ram;
	uint64_t ram_size;
	bool directed_eoi; /* KVM honours the EOI-broadcast suppression that it shows to the guest */
};

/* Guest memory, zeroed; NULL if there is none. It can be used by one virtual machine after another. */
uint8_t *vm_alloc_ram(uint64_t size);
void vm_zero_ram(uint8_t *ram, uint64_t size);
/* E_NODEV or E_IO after report_error(). */
int vm_open(struct vm *vm, enum irqchip_mode mode, uint8_t *ram, uint64_t size, struct report *r);
void vm_close(struct vm *vm);
/* Drops the nested translation of the pages in [gpa, gpa + len); they keep their contents. */
void vm_unmap(const struct vm *vm, gpa_t gpa, uint64_t len);
