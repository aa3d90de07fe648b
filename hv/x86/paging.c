/* SPDX-License-Identifier: BSD-2-Clause
 * Nested page tables.
 * Knows nothing of the guest's own page tables, nor of TLBs. */
#include "x86/paging.h"

#include "status.h"
#include "x86.h"
#include "x86/vmcs.h"

#define TOP_SHIFT 39
#define LEVEL_BITS 9
#define INDEX(gpa, shift) (((gpa).v >> (shift)) & (BIT(LEVEL_BITS) - 1))

const struct nested_format nested_npt = { .table = PTE_P | PTE_W | PTE_U, .leaf = PTE_P | PTE_W | PTE_U };
const struct nested_format nested_ept = { .table = EPT_R | EPT_W | EPT_X,
					  .leaf = EPT_R | EPT_W | EPT_X | EPT_WB | EPT_IGNORE_PAT };

int nested_init(struct nested *n, const struct nested_format *format, struct page_pool *pool)
{
	n->format = format;
	n->pool = pool;
	n->root = page_alloc(pool);
	return n->root ? 0 : E_NOMEM;
}

/* The entry that maps gpa, NULL when a table is missing (and alloc is false or the pool empty). */
static uint64_t *leaf_entry(struct nested *n, gpa_t gpa, bool alloc)
{
	uint64_t *table = n->root;

	for (int shift = TOP_SHIFT; shift > PAGE_SHIFT; shift -= LEVEL_BITS) {
		uint64_t *e = &table[INDEX(gpa, shift)];

		if (!*e) {
			void *page = alloc ? page_alloc(n->pool) : NULL;

			if (!page)
				return NULL;
			*e = (uintptr_t)page | n->format->table;
		}
		table = (uint64_t *)(uintptr_t)(*e & PTE_ADDR);
	}
	return &table[INDEX(gpa, PAGE_SHIFT)];
}

int nested_map(struct nested *n, gpa_t gpa, hpa_t hpa)
{
	uint64_t *e = leaf_entry(n, gpa, true);

	if (!e)
		return E_NOMEM;
	*e = (hpa.v & PTE_ADDR) | n->format->leaf;
	return 0;
}

bool nested_unmap(struct nested *n, gpa_t gpa)
{
	uint64_t *e = leaf_entry(n, gpa, false);

	if (!e || !*e)
		return false;
	*e = 0;
	return true;
}

hpa_t nested_root(const struct nested *n)
{
	return HPA((uintptr_t)n->root);
}
