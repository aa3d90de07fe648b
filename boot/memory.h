/* SPDX-License-Identifier: BSD-2-Clause
 * Memory from the firmware, all of it given back at once.
 * Knows nothing of what it is for. */
#pragma once

#include "boot/firmware.h"
#include "types.h"

#define MEMORY_BLOCKS 24

struct memory {
	EFI_BOOT_SERVICES *bs;
	struct {
		EFI_PHYSICAL_ADDRESS address;
		UINTN pages;
	} block[MEMORY_BLOCKS];
	uint32_t blocks;
};

/* Contiguous and zeroed, physical address = pointer; NULL if there is none. align is a power of two, at least a page. */
void *memory_alloc(struct memory *m, uint64_t size, uint64_t align);
void memory_free_all(struct memory *m);
