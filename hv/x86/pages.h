/* SPDX-License-Identifier: BSD-2-Clause
 * A bump allocator of zeroed pages. Nothing is given back one by one: the owner frees the whole.
 * Knows nothing of where the memory came from. */
#pragma once

#include "types.h"

struct page_pool {
	uint8_t *next, *end; /* both page aligned */
};

/* One zeroed page, NULL when the pool is empty. */
void *page_alloc(struct page_pool *p);
/* n contiguous zeroed pages. */
void *pages_alloc(struct page_pool *p, size_t n);
