/* SPDX-License-Identifier: BSD-2-Clause
 * Nested page tables, four levels of 4 KiB pages, mapped one page at a time when the guest first touches it.
 * Knows nothing of the guest's own page tables, nor of TLBs: whoever unmaps must flush. */
#pragma once

#include "types.h"
#include "x86/pages.h"

/* What differs between the vendors: the bits of an entry that leads on, and of one that maps. */
struct nested_format {
	uint64_t table, leaf;
};
/* APM v2, "Nested Paging": "all guest accesses are treated as user accesses", so U is set everywhere. */
extern const struct nested_format nested_npt;
/* Memory is write-back whatever the guest's PAT says, as it is RAM; what is not RAM is not mapped. */
extern const struct nested_format nested_ept;

struct nested {
	uint64_t *root;
	const struct nested_format *format;
	struct page_pool *pool;
};

/* E_NOMEM */
int nested_init(struct nested *n, const struct nested_format *format, struct page_pool *pool);
/* One 4 KiB page. E_NOMEM when the pool has no page for a table. */
int nested_map(struct nested *n, gpa_t gpa, hpa_t hpa);
/* False where nothing was mapped. */
bool nested_unmap(struct nested *n, gpa_t gpa);
hpa_t nested_root(const struct nested *n);
