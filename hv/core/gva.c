/* SPDX-License-Identifier: BSD-2-Clause
 * Guest-linear addresses: the walk of the guest's own page tables, for instruction bytes and string I/O.
 * Knows nothing of nested tables: guest-physical memory is one piece. */
#include "core/vcpu.h"

#include <string.h>

#include "x86.h"

#define LEVEL_BITS 9
#define PT_INDEX(linear, shift) (((linear) >> (shift)) & (BIT(LEVEL_BITS) - 1))
#define PT32_INDEX(linear, shift) (((linear) >> (shift)) & (BIT(10) - 1))

static uint64_t read_pte(const struct vcpu *v, uint64_t gpa, unsigned size)
{
	uint64_t pte = 0;
	const void *p = ram_at(&v->ram, GPA(gpa), size);

	if (p)
		memcpy(&pte, p, size);
	return pte;
}

static int walk_long(const struct vcpu *v, uint64_t table, uint64_t linear, int shift, gpa_t *out)
{
	for (; shift >= PAGE_SHIFT; shift -= LEVEL_BITS) {
		uint64_t pte = read_pte(v, (table & PTE_ADDR) + PT_INDEX(linear, shift) * sizeof(pte), sizeof(pte));
		uint64_t page = BIT64(shift) - 1;

		if (!(pte & PTE_P))
			return E_FAULT;
		if (shift == PAGE_SHIFT || (pte & PTE_PS)) {
			*out = GPA((pte & PTE_ADDR & ~page) | (linear & page));
			return 0;
		}
		table = pte;
	}
	return E_FAULT;
}

static int walk_32(const struct vcpu *v, uint64_t cr3, uint64_t linear, gpa_t *out)
{
	const int dir_shift = 22;
	uint32_t addr = (uint32_t)cr3 & ~(uint32_t)PAGE_MASK;
	uint32_t pde = (uint32_t)read_pte(v, addr + PT32_INDEX(linear, dir_shift) * sizeof(pde), sizeof(pde));
	uint32_t pte;

	if (!(pde & PTE_P))
		return E_FAULT;
	if ((pde & PTE_PS) && (v->ops->get(v, HVM_CR4) & CR4_PSE)) {
		*out = GPA((pde & MASK(31, 22)) | (linear & MASK(21, 0)));
		return 0;
	}
	addr = pde & ~(uint32_t)PAGE_MASK;
	pte = (uint32_t)read_pte(v, addr + PT32_INDEX(linear, PAGE_SHIFT) * sizeof(pte), sizeof(pte));
	if (!(pte & PTE_P))
		return E_FAULT;
	*out = GPA((pte & ~(uint32_t)PAGE_MASK) | (linear & PAGE_MASK));
	return 0;
}

int vcpu_translate(const struct vcpu *v, uint64_t linear, gpa_t *out)
{
	const int pml4_shift = 39, pdpt_shift = 30;
	uint64_t cr3;

	if (!(v->ops->get(v, HVM_CR0) & CR0_PG)) {
		*out = GPA(linear & MASK(31, 0));
		return 0;
	}
	cr3 = v->ops->get(v, HVM_CR3);
	if (v->ops->get(v, HVM_EFER) & EFER_LMA)
		return walk_long(v, cr3, linear, pml4_shift, out);
	linear &= MASK(31, 0);
	if (v->ops->get(v, HVM_CR4) & CR4_PAE) {
		uint64_t pdpt = (cr3 & MASK(31, 5)) + PT_INDEX(linear, pdpt_shift) * sizeof(uint64_t);
		uint64_t pdpte = read_pte(v, pdpt, sizeof(pdpte));

		return pdpte & PTE_P ? walk_long(v, pdpte, linear, pdpt_shift - LEVEL_BITS, out) : E_FAULT;
	}
	return walk_32(v, cr3, linear, out);
}

size_t vcpu_fetch(struct vcpu *v, uint64_t linear, uint8_t *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		size_t piece = PAGE_SIZE - ((linear + got) & PAGE_MASK);
		const void *p;
		gpa_t gpa;

		if (piece > len - got)
			piece = len - got;
		if (vcpu_translate(v, linear + got, &gpa))
			break;
		p = ram_at(&v->ram, gpa, piece);
		if (!p)
			break;
		memcpy(buf + got, p, piece);
		got += piece;
	}
	return got;
}
