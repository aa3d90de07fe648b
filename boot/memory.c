/* SPDX-License-Identifier: BSD-2-Clause
 * Memory from the firmware, all of it given back at once.
 * Knows nothing of what it is for. */
#include "boot/memory.h"

#include <string.h>

#include "x86.h"

void *memory_alloc(struct memory *m, uint64_t size, uint64_t align)
{
	UINTN pages = (UINTN)((size + align - 1) / EFI_PAGE_SIZE);
	EFI_PHYSICAL_ADDRESS address;
	uint64_t aligned;

	/* The firmware aligns to pages: ask for as much more as an alignment beyond that can cost. */
	if (m->blocks == MEMORY_BLOCKS || !pages)
		return NULL;
	if (EFI_ERROR(m->bs->AllocatePages(AllocateAnyPages, EfiLoaderData, pages, &address)))
		return NULL;
	m->block[m->blocks].address = address;
	m->block[m->blocks++].pages = pages;
	aligned = (address + align - 1) & ~(align - 1);
	return memset((void *)(uintptr_t)aligned, 0, size);
}

void memory_free_all(struct memory *m)
{
	while (m->blocks) {
		m->blocks--;
		m->bs->FreePages(m->block[m->blocks].address, m->block[m->blocks].pages);
	}
}
