/* SPDX-License-Identifier: BSD-2-Clause
 * A bump allocator of zeroed pages. Nothing is given back one by one: the owner frees the whole.
 * Knows nothing of where the memory came from. */
#include "x86/pages.h"

#include <string.h>

#include "x86.h"

void *pages_alloc(struct page_pool *p, size_t n)
{
	uint8_t *pages = p->next;

	if ((size_t)(p->end - pages) / PAGE_SIZE < n)
		return NULL;
	p->next += n * PAGE_SIZE;
	return memset(pages, 0, n * PAGE_SIZE);
}

void *page_alloc(struct page_pool *p)
{
	return pages_alloc(p, 1);
}
