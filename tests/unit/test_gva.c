/* SPDX-License-Identifier: BSD-2-Clause
 * Walks of the guest's page tables, in each paging mode.
 * Knows nothing of who asks for the address. */
#include "unit/vcpu_fixture.h"

#define TABLE(n) (FAKE_TABLES + (n) * PAGE_SIZE)
#define TARGET FAKE_DATA
#define TARGET_2 (FAKE_DATA + PAGE_SIZE)
#define NX BIT64(63)
#define PCID_BITS MASK(11, 0)
#define RW (PTE_P | PTE_W)
#define LINEAR 0x7f8040201000ull /* a different index at each level */
#define LINEAR32 0xc0812000ull
#define OFFSET 0x123u

static void set_entry(struct rig *r, uint64_t table, unsigned index, uint64_t entry, unsigned size)
{
	memcpy(r->f.ram + table + index * size, &entry, size);
}

static void set_pte(struct rig *r, uint64_t table, unsigned index, uint64_t entry)
{
	set_entry(r, table, index, entry, sizeof(uint64_t));
}

static void set_pte32(struct rig *r, uint64_t table, unsigned index, uint64_t entry)
{
	set_entry(r, table, index, entry, sizeof(uint32_t));
}

static void expect_gpa(struct rig *r, uint64_t linear, uint64_t gpa)
{
	gpa_t out = GPA(UINT64_MAX);

	assert_int_equal(vcpu_translate(&r->v, linear, &out), 0);
	assert_int_equal(out.v, gpa);
}

static void expect_fault(struct rig *r, uint64_t linear)
{
	gpa_t out;

	assert_int_equal(vcpu_translate(&r->v, linear, &out), E_FAULT);
}

static unsigned index_at(uint64_t linear, unsigned shift) { return linear >> shift & 0x1ff; }

static struct rig *rig_long(void)
{
	struct rig *r = rig_split(0);

	r->f.cr0 |= CR0_PG;
	r->f.cr4 = CR4_PAE;
	r->f.efer = EFER_LME | EFER_LMA;
	r->f.cs_mode = CS_64;
	r->f.cr3 = TABLE(0) | PCID_BITS;
	set_pte(r, TABLE(0), index_at(LINEAR, 39), TABLE(1) | RW | NX);
	set_pte(r, TABLE(1), index_at(LINEAR, 30), TABLE(2) | RW);
	set_pte(r, TABLE(2), index_at(LINEAR, 21), TABLE(3) | RW);
	set_pte(r, TABLE(3), index_at(LINEAR, 12), TARGET | RW | NX);
	return r;
}

static struct rig *rig_pae(void)
{
	struct rig *r = rig_split(0);
	const unsigned half = 0x20; /* the table of four need not be page-aligned */

	r->f.cr0 |= CR0_PG;
	r->f.cr4 = CR4_PAE;
	r->f.cr3 = TABLE(0) + half;
	set_pte(r, TABLE(0) + half, index_at(LINEAR32, 30), TABLE(2) | PTE_P);
	set_pte(r, TABLE(2), index_at(LINEAR32, 21), TABLE(3) | RW);
	set_pte(r, TABLE(3), index_at(LINEAR32, 12), TARGET | RW);
	return r;
}

static struct rig *rig_32(void)
{
	struct rig *r = rig_split(0);

	r->f.cr0 |= CR0_PG;
	r->f.cr4 = CR4_PSE;
	r->f.cr3 = TABLE(0) | PTE_PCD;
	set_pte32(r, TABLE(0), LINEAR32 >> 22, TABLE(1) | RW);
	set_pte32(r, TABLE(1), LINEAR32 >> 12 & 0x3ff, TARGET | RW);
	return r;
}

static void without_paging_linear_is_physical(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	expect_gpa(r, LINEAR32 + OFFSET, LINEAR32 + OFFSET);
	expect_gpa(r, BIT64(32) + OFFSET, OFFSET); /* 32 bits of it */
	rig_end(r);
}

static void long_mode_walks_four_levels(void **state)
{
	struct rig *r = rig_long();

	(void)state;
	expect_gpa(r, LINEAR + OFFSET, TARGET + OFFSET);
	expect_fault(r, LINEAR + PAGE_SIZE);
	expect_fault(r, LINEAR + BIT64(21));
	expect_fault(r, LINEAR + BIT64(30));
	expect_fault(r, LINEAR - BIT64(39));
	rig_end(r);
}

/* SDM v3, "Format of a Page-Directory-Pointer-Table Entry (PDPTE) that Maps a 1-GByte Page", and of a PDE that maps 2 MBytes:
 * bit 12 is PAT, no address. */
static void long_mode_has_large_pages(void **state)
{
	struct rig *r = rig_long();
	const uint64_t big = 3 * BIT64(30), pat = BIT64(12);

	(void)state;
	set_pte(r, TABLE(2), index_at(LINEAR, 21), big | BIT64(21) | PTE_PS | RW | pat | NX);
	expect_gpa(r, LINEAR + OFFSET, big + BIT64(21) + (LINEAR & MASK(20, 0)) + OFFSET);
	expect_gpa(r, LINEAR - PAGE_SIZE, big + BIT64(21) + (LINEAR & MASK(20, 0)) - PAGE_SIZE);
	set_pte(r, TABLE(1), index_at(LINEAR, 30), big | PTE_PS | RW | pat);
	expect_gpa(r, LINEAR + OFFSET, big + (LINEAR & MASK(29, 0)) + OFFSET);
	expect_gpa(r, LINEAR - PAGE_SIZE, big + (LINEAR & MASK(29, 0)) - PAGE_SIZE);
	rig_end(r);
}

static void pae_walks_three_levels_from_32_aligned_bytes(void **state)
{
	struct rig *r = rig_pae();

	(void)state;
	expect_gpa(r, LINEAR32 + OFFSET, TARGET + OFFSET);
	expect_gpa(r, BIT64(32) + LINEAR32 + OFFSET, TARGET + OFFSET);
	expect_fault(r, LINEAR32 + PAGE_SIZE);
	expect_fault(r, LINEAR32 - BIT64(30));
	set_pte(r, TABLE(2), index_at(LINEAR32, 21), BIT64(33) | BIT64(21) | PTE_PS | RW);
	expect_gpa(r, LINEAR32 + OFFSET, BIT64(33) + BIT64(21) + (LINEAR32 & MASK(20, 0)) + OFFSET);
	rig_end(r);
}

static void bit_32_paging_walks_two_levels_of_4_byte_entries(void **state)
{
	struct rig *r = rig_32();

	(void)state;
	expect_gpa(r, LINEAR32 + OFFSET, TARGET + OFFSET);
	expect_fault(r, LINEAR32 + PAGE_SIZE);
	expect_fault(r, LINEAR32 + BIT64(22));
	rig_end(r);
}

/* SDM v3, "32-Bit Paging": "If CR4.PSE = 1 and the PDE's PS flag is 1, the PDE maps a 4-MByte page"; else the bit is ignored. */
static void page_size_of_32_bit_paging_needs_pse(void **state)
{
	struct rig *r = rig_32();
	const uint64_t big = 5 * BIT64(22);

	(void)state;
	set_pte32(r, TABLE(0), LINEAR32 >> 22, big | PTE_PS | RW);
	expect_gpa(r, LINEAR32 + OFFSET, big + (LINEAR32 & MASK(21, 0)) + OFFSET);
	set_pte32(r, TABLE(0), LINEAR32 >> 22, TABLE(1) | PTE_PS | RW);
	r->f.cr4 = 0;
	expect_gpa(r, LINEAR32 + OFFSET, TARGET + OFFSET);
	rig_end(r);
}

/* Every level: not present, or in no RAM, is a fault. */
static void a_walk_that_leaves_ram_faults(void **state)
{
	const uint64_t nowhere = FAKE_RAM_SIZE;
	struct rig *r;

	(void)state;
	for (unsigned level = 0; level < 4; level++) {
		r = rig_long();
		if (level)
			set_pte(r, TABLE(level - 1), index_at(LINEAR, 39 - 9 * (level - 1)), nowhere | RW);
		else
			r->f.cr3 = nowhere;
		expect_fault(r, LINEAR);
		rig_end(r);
	}
	r = rig_pae();
	r->f.cr3 = nowhere;
	expect_fault(r, LINEAR32);
	rig_end(r);
	r = rig_32();
	set_pte32(r, TABLE(0), LINEAR32 >> 22, nowhere | RW);
	expect_fault(r, LINEAR32);
	r->f.cr3 = nowhere;
	expect_fault(r, LINEAR32);
	rig_end(r);
}

static void fetch_crosses_pages_that_are_not_neighbours(void **state)
{
	const unsigned before = 5, len = INSN_MAX;
	uint8_t buf[INSN_MAX];
	struct rig *r = rig_long();

	(void)state;
	set_pte(r, TABLE(3), index_at(LINEAR, 12) + 1, (TARGET_2 + PAGE_SIZE) | RW);
	for (unsigned i = 0; i < len; i++)
		r->f.ram[i < before ? TARGET + PAGE_SIZE - before + i : TARGET_2 + PAGE_SIZE + i - before] = (uint8_t)(i + 1);
	assert_int_equal(vcpu_fetch(&r->v, LINEAR + PAGE_SIZE - before, buf, len), len);
	for (unsigned i = 0; i < len; i++)
		assert_int_equal(buf[i], i + 1);
	rig_end(r);
}

/* "Bytes copied, which is short where a page is not mapped or not RAM." */
static void fetch_is_short_at_the_end_of_what_is_there(void **state)
{
	const unsigned before = 7;
	uint8_t buf[INSN_MAX];
	struct rig *r = rig_long();

	(void)state;
	assert_int_equal(vcpu_fetch(&r->v, LINEAR + PAGE_SIZE - before, buf, INSN_MAX), before);
	set_pte(r, TABLE(3), index_at(LINEAR, 12) + 1, FAKE_RAM_SIZE | RW);
	assert_int_equal(vcpu_fetch(&r->v, LINEAR + PAGE_SIZE - before, buf, INSN_MAX), before);
	assert_int_equal(vcpu_fetch(&r->v, LINEAR + PAGE_SIZE, buf, INSN_MAX), 0);
	assert_int_equal(vcpu_fetch(&r->v, LINEAR, buf, INSN_MAX), INSN_MAX);
	rig_end(r);
	r = rig_split(0);
	assert_int_equal(vcpu_fetch(&r->v, FAKE_RAM_SIZE - before, buf, INSN_MAX), before);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_paging_linear_is_physical),
		cmocka_unit_test(long_mode_walks_four_levels),
		cmocka_unit_test(long_mode_has_large_pages),
		cmocka_unit_test(pae_walks_three_levels_from_32_aligned_bytes),
		cmocka_unit_test(bit_32_paging_walks_two_levels_of_4_byte_entries),
		cmocka_unit_test(page_size_of_32_bit_paging_needs_pse),
		cmocka_unit_test(a_walk_that_leaves_ram_faults),
		cmocka_unit_test(fetch_crosses_pages_that_are_not_neighbours),
		cmocka_unit_test(fetch_is_short_at_the_end_of_what_is_there),
	};

	return cmocka_run_group_tests_name("gva", tests, NULL, NULL);
}
