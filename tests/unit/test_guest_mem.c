/* SPDX-License-Identifier: BSD-2-Clause
 * The guest's memory as its instructions see it, against a slow model: each rule of the manual's chapters on paging and on segment
 * protection by itself, over random tables, modes and accesses.
 * Knows nothing of how the walk is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/guest_mem.h"
#include "core/vcpu.h"
#include "x86.h"

#define ROUNDS 200000u
#define SEED 0x9e3779b97f4a7c15ull
#define RAM_PAGES 12u /* the next page is not RAM */

enum paging { NO_PAGING, PAGING_32, PAGING_PAE, PAGING_4_LEVEL, PAGINGS };
static struct {
	struct vcpu v;
	enum paging paging;
	uint64_t cr0, cr3, cr4, efer, rflags, cpl;
	enum cs_mode cs_mode;
	struct hvm_segment seg[SREGS];
	uint8_t ram[RAM_PAGES * PAGE_SIZE], before[RAM_PAGES * PAGE_SIZE];
} rig;

static uint64_t get(const struct vcpu *v, enum hvm_reg reg)
{
	(void)v;
	switch (reg) {
	case HVM_CR0: return rig.cr0;
	case HVM_CR3: return rig.cr3;
	case HVM_CR4: return rig.cr4;
	case HVM_EFER: return rig.efer;
	case HVM_RFLAGS: return rig.rflags;
	case HVM_CPL: return rig.cpl;
	case HVM_CS_MODE: return rig.cs_mode;
	case HVM_ES_BASE:
	case HVM_CS_BASE:
	case HVM_SS_BASE:
	case HVM_DS_BASE:
	case HVM_FS_BASE:
	case HVM_GS_BASE: return rig.seg[reg - HVM_ES_BASE].base;
	default: fail(); return 0;
	}
}

static void get_segment(const struct vcpu *v, enum sreg which, struct hvm_segment *out)
{
	(void)v;
	*out = rig.seg[which];
}

static void set_pdptes(struct vcpu *v, const uint64_t pdpt[4])
{
	(void)v, (void)pdpt;
}

/* The second has registers for PDPTEs; the first may have set A in one that lies in memory. */
static const struct hvm_ops ops = { .name = "model", .get = get, .segment = get_segment };
static const struct hvm_ops ops_pdptes = { .name = "model", .get = get, .segment = get_segment, .set_pdptes = set_pdptes };

/* ---- chance ---- */

static uint64_t state = SEED;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static unsigned below(unsigned n) { return (unsigned)((rnd() >> 32) % n); }
static bool one_in(unsigned n) { return below(n) == 0; }
static uint64_t sometimes(uint64_t bit) { return one_in(2) ? bit : 0; }

/* ---- the model ---- */

/* An entry, and what the manual says of the place where it is. */
struct entry {
	uint64_t at, val;
	unsigned shift; /* it covers 2^shift bytes */
	bool pdpte;     /* of PAE paging: no rights, no A */
	bool leaf;
};

struct model {
	struct entry entry[4];
	unsigned entries;
	uint64_t gpa;
	int err;
	uint32_t error;
	uint64_t cr2;
};

static uint64_t read_entry(uint64_t at, unsigned size)
{
	uint64_t val = 0;

	memcpy(&val, rig.ram + at, size);
	return val;
}

static bool in_ram(uint64_t at, unsigned size) { return at + size <= sizeof(rig.ram); }

/* SDM v3, "Page-Fault Exceptions", the error code: W/R, U/S and I/D say what the access was; "The I/D flag ... is set ... if (1) the access
 * was an instruction fetch; and (2) either CR4.SMEP = 1 or both CR4.PAE = 1 and IA32_EFER.NXE = 1". */
static uint32_t access_error(enum access how, bool user)
{
	uint32_t error = 0;

	if (how == ACCESS_WRITE)
		error |= BIT(1);
	if (user)
		error |= BIT(2);
	if (how == ACCESS_FETCH && ((rig.cr4 & CR4_SMEP) || ((rig.cr4 & CR4_PAE) && (rig.efer & EFER_NXE))))
		error |= BIT(4);
	return error;
}

static bool bits_set(uint64_t val, unsigned hi, unsigned lo)
{
	return hi >= lo && (val & MASK(hi, lo));
}

/* SDM v3, "Reserved bits" of each format of an entry. */
static bool reserved_in_32_bit(const struct entry *e)
{
	unsigned m = rig.v.features.phys_bits < 40 ? rig.v.features.phys_bits : 40;

	/* "Format of a 32-Bit Page-Directory Entry that Maps a 4-MByte Page": bits (M-20):13 are address bits (M-1):32, the rest up to 21 is
	 * reserved. */
	return e->leaf && e->shift == 22 && bits_set(e->val, 21, m - 19);
}

static bool reserved_in_8_bytes(const struct entry *e)
{
	unsigned m = rig.v.features.phys_bits;

	if (e->pdpte)
		return bits_set(e->val, 2, 1) || bits_set(e->val, 8, rig.v.ops->set_pdptes ? 5 : 6) || bits_set(e->val, 63, m);
	if (bits_set(e->val, rig.paging == PAGING_PAE ? 62 : 51, m))
		return true;
	if ((e->val & BIT64(63)) && !(rig.efer & EFER_NXE))
		return true;
	if ((e->val & BIT64(7)) && (e->shift == 39 || (e->shift == 30 && !features_show(&rig.v.features, FEATURE_1G_PAGES))))
		return true;
	if (e->leaf && e->shift == 30)
		return bits_set(e->val, 29, 13);
	return e->leaf && e->shift == 21 && bits_set(e->val, 20, 13);
}

static bool is_reserved(const struct entry *e)
{
	return rig.paging == PAGING_32 ? reserved_in_32_bit(e) : reserved_in_8_bytes(e);
}

static bool maps_page(const struct entry *e)
{
	bool ps = e->val & BIT64(7);

	if (e->shift == 12)
		return true;
	if (rig.paging == PAGING_32)
		return ps && (rig.cr4 & CR4_PSE);
	return ps && !e->pdpte && (e->shift == 21 || e->shift == 30);
}

static uint64_t page_address(const struct entry *e, uint64_t linear)
{
	uint64_t offset = linear & (BIT64(e->shift) - 1);

	if (rig.paging == PAGING_32 && e->shift == 22)
		return (e->val & MASK(31, 22)) | (e->val >> 13 & MASK(7, 0)) << 32 | offset;
	if (rig.paging == PAGING_32)
		return (e->val & MASK(31, 12)) | offset;
	return (e->val & MASK(51, e->shift)) | offset;
}

/* Where the walk begins and how it goes on: entries' size, the shift of the first and from one to the next. */
static void first_table(uint64_t *table, unsigned *shift, unsigned *step, unsigned *size)
{
	*size = rig.paging == PAGING_32 ? 4 : 8;
	*step = rig.paging == PAGING_32 ? 10 : 9;
	*shift = rig.paging == PAGING_32 ? 22 : rig.paging == PAGING_PAE ? 30 : 39;
	*table = rig.cr3 & (rig.paging == PAGING_32 ? MASK(31, 12) : rig.paging == PAGING_PAE ? MASK(31, 5) : MASK(51, 12));
}

static void page_fault(struct model *m, uint32_t error, uint64_t linear)
{
	m->err = E_FAULT;
	m->error = error;
	m->cr2 = linear;
}

/* Down to the entry that maps the page; faults for what is not present or reserved on the way. */
static void find_page(struct model *m, uint64_t linear, uint32_t error)
{
	unsigned shift, step, size;
	uint64_t table;

	first_table(&table, &shift, &step, &size);
	for (;; shift -= step) {
		unsigned index_bits = rig.paging == PAGING_PAE && shift == 30 ? 2 : step;
		struct entry *e = &m->entry[m->entries];

		*e = (struct entry){ .at = table + (linear >> shift & (BIT64(index_bits) - 1)) * size, .shift = shift };
		if (!in_ram(e->at, size)) {
			m->err = E_NXIO;
			m->cr2 = e->at;
			return;
		}
		e->val = read_entry(e->at, size);
		e->pdpte = rig.paging == PAGING_PAE && shift == 30;
		e->leaf = maps_page(e);
		m->entries++;
		if (!(e->val & BIT64(0))) {
			page_fault(m, error, linear);
			return;
		}
		if (is_reserved(e)) {
			page_fault(m, error | BIT(0) | BIT(3), linear);
			return;
		}
		if (e->leaf)
			break;
		table = e->val & (rig.paging == PAGING_32 ? MASK(31, 12) : MASK(51, 12));
	}
	m->gpa = page_address(&m->entry[m->entries - 1], linear);
}

/* SDM v3, "Determination of Access Rights". */
static bool has_right(const struct model *m, enum access how, bool user, bool implicit)
{
	bool user_address = true, writable = true, executable = true;

	for (unsigned i = 0; i < m->entries; i++) {
		const struct entry *e = &m->entry[i];

		if (e->pdpte)
			continue;
		user_address &= !!(e->val & BIT64(2));
		writable &= !!(e->val & BIT64(1));
		executable &= !(rig.paging != PAGING_32 && (rig.efer & EFER_NXE) && (e->val & BIT64(63)));
	}
	if (user && !user_address)
		return false;
	if (how == ACCESS_FETCH) /* SMEP: no supervisor-mode fetch from a user-mode address */
		return executable && (user || !user_address || !(rig.cr4 & CR4_SMEP));
	/* SMAP: supervisor-mode data accesses to user-mode addresses only with AC, and never implicit ones */
	if (!user && user_address && (rig.cr4 & CR4_SMAP) && (implicit || !(rig.rflags & RFLAGS_AC)))
		return false;
	if (how == ACCESS_READ || writable)
		return true;
	return !user && !(rig.cr0 & CR0_WP);
}

static struct model translate(uint64_t linear, enum access how, enum privilege who)
{
	bool implicit = who == AS_SYSTEM, user = !implicit && rig.cpl == 3;
	uint32_t error = access_error(how, user);
	struct model m = { .gpa = linear };

	if (rig.paging == NO_PAGING)
		return m;
	find_page(&m, linear, error);
	if (!m.err && !has_right(&m, how, user, implicit))
		page_fault(&m, error | BIT(0), linear);
	return m;
}

/* SDM v3, "Accessed and Dirty Flags". */
static void mark(const struct model *m, enum access how)
{
	for (unsigned i = 0; i < m->entries; i++)
		if (!m->entry[i].pdpte)
			rig.before[m->entry[i].at] |= (uint8_t)(BIT(5) | (m->entry[i].leaf && how == ACCESS_WRITE ? BIT(6) : 0));
}

/* ---- random modes and tables ---- */

static void rnd_mode(void)
{
	static const uint8_t phys_bits[] = { 32, 36, 39, 40, 45, 52 };

	rig.paging = one_in(32) ? NO_PAGING : (enum paging)(1 + below(PAGINGS - 1));
	rig.cr0 = CR0_PE | CR0_ET | sometimes(CR0_WP) | (rig.paging == NO_PAGING ? 0 : CR0_PG);
	rig.cr4 = sometimes(CR4_SMEP) | sometimes(CR4_SMAP);
	rig.cr4 |= rig.paging == PAGING_32 ? sometimes(CR4_PSE) : CR4_PAE;
	rig.efer = sometimes(EFER_NXE) | (rig.paging == PAGING_4_LEVEL ? EFER_LME | EFER_LMA : 0);
	rig.rflags = RFLAGS_RESERVED1 | sometimes(RFLAGS_AC);
	rig.cpl = one_in(2) ? 3 : below(3);
	rig.cs_mode = rig.paging == PAGING_4_LEVEL && !one_in(4) ? CS_64 : CS_32;
	rig.v.features.phys_bits = phys_bits[below(ARRAY_SIZE(phys_bits))];
	rig.v.features.shown = sometimes(BIT64(FEATURE_1G_PAGES));
	rig.cr3 = below(RAM_PAGES) * PAGE_SIZE | (rnd() & MASK(11, 0));
	rig.v.ops = one_in(2) ? &ops : &ops_pdptes;
	if (rig.paging == PAGING_PAE)
		rig.cr3 &= ~MASK(4, 0);
	if (one_in(64))
		rig.cr3 += RAM_PAGES * PAGE_SIZE;
}

/* Mostly one that lets the walk go on: right is what most of its bits are, and each is wrong now and then. */
static uint64_t rnd_entry(bool pdpte)
{
	uint64_t e = below(RAM_PAGES + (one_in(16) ? 4 : 0)) * PAGE_SIZE | PTE_P;

	if (pdpte)
		return one_in(8) ? e ^ BIT64(below(64)) : e;
	e |= sometimes(PTE_A) | sometimes(PTE_D) | sometimes(BIT64(8));
	if (!one_in(4))
		e |= PTE_W;
	if (!one_in(4))
		e |= PTE_U;
	if (one_in(6)) /* a large page needs an aligned address */
		e = (e & PAGE_MASK) | PTE_PS | (rnd() & MASK(31, 30));
	if (one_in(6))
		e |= BIT64(63);
	if (one_in(8))
		e ^= BIT64(below(64));
	return e;
}

/* The entries that the walk of this address meets, each made as it gets there. */
static void build(uint64_t linear)
{
	unsigned shift, step, size;
	uint64_t table;

	first_table(&table, &shift, &step, &size);
	for (; shift >= PAGE_SHIFT && shift < 64; shift -= step) {
		bool pdpte = rig.paging == PAGING_PAE && shift == 30;
		uint64_t at = table + (linear >> shift & (BIT64(pdpte ? 2 : step) - 1)) * size, entry = rnd_entry(pdpte);

		if (!in_ram(at, size))
			return;
		memcpy(rig.ram + at, &entry, size);
		table = entry & MASK(31, 12);
	}
}

static uint64_t rnd_linear(uint8_t len)
{
	uint64_t linear = rnd();

	if (one_in(2))
		linear = (linear | PAGE_MASK) - below(2u * len);
	if (rig.cs_mode != CS_64)
		return (uint32_t)(one_in(64) ? linear | MASK(31, 12) : linear);
	return (uint64_t)((int64_t)(linear << 16) >> 16);
}

/* ---- the tests ---- */

struct seen {
	unsigned ok[PAGINGS], crossed, not_present, reserved, rights, no_ram;
};

static void count(struct seen *s, const struct model *m, bool crosses)
{
	if (m->err == E_NXIO)
		s->no_ram++;
	else if (!m->err && crosses)
		s->crossed++;
	else if (!m->err)
		s->ok[rig.paging]++;
	else if (m->error & PF_ERR_RSVD)
		s->reserved++;
	else if (m->error & PF_ERR_P)
		s->rights++;
	else
		s->not_present++;
}

static void print_walk(const struct model *m, enum access how, enum privilege who)
{
	print_error("paging %u cr0 %#lx cr4 %#lx efer %#lx cpl %lu ac %u phys %u 1g %u how %u who %u: model %d error %#x\n", rig.paging,
		    (unsigned long)rig.cr0, (unsigned long)rig.cr4, (unsigned long)rig.efer, (unsigned long)rig.cpl,
		    !!(rig.rflags & RFLAGS_AC), rig.v.features.phys_bits, features_show(&rig.v.features, FEATURE_1G_PAGES), how, who, m->err, m->error);
	for (unsigned i = 0; i < m->entries; i++)
		print_error("  shift %u: %#lx\n", m->entry[i].shift, (unsigned long)m->entry[i].val);
}

static void try_access(struct seen *seen)
{
	uint8_t len = (uint8_t)(1 + below(ACCESS_MAX));
	uint64_t linear = rnd_linear(len), mask = rig.cs_mode == CS_64 ? UINT64_MAX : UINT32_MAX;
	uint64_t left = PAGE_SIZE - (linear & PAGE_MASK), next = (linear + left) & mask;
	enum access how = (enum access)below(ACCESS_FETCH + 1);
	enum privilege who = one_in(4) ? AS_SYSTEM : AS_CPL;
	bool crosses = len > left;
	struct model first, second = { .gpa = 0 };
	struct guest_ref ref;
	struct fault f = { 0 };
	int err;

	build(next);
	build(linear);
	memcpy(rig.before, rig.ram, sizeof(rig.ram));
	first = translate(linear, how, who);
	if (crosses && !first.err)
		second = translate(next, how, who);
	count(seen, first.err ? &first : &second, crosses);
	err = guest_access(&rig.v, linear, len, how, who, &ref, &f);
	if (err != (first.err ? first.err : second.err))
		print_walk(first.err || !crosses ? &first : &second, how, who);
	assert_int_equal(err, first.err ? first.err : second.err);
	if (err) {
		const struct model *m = first.err ? &first : &second;

		assert_int_equal(f.cr2, m->cr2);
		assert_true(err == E_NXIO || (f.vector == VEC_PF && f.has_error && f.error == m->error));
	} else {
		mark(&first, how);
		mark(&second, how);
		assert_int_equal(ref.linear, linear);
		assert_int_equal(ref.len, len);
		assert_int_equal(ref.first, crosses ? left : len);
		assert_int_equal(ref.gpa[0].v, first.gpa);
		assert_true(!crosses || ref.gpa[1].v == (rig.paging == NO_PAGING ? next : second.gpa));
	}
	assert_int_equal(memcmp(rig.ram, rig.before, sizeof(rig.ram)), 0);
}

static void a_walk_is_what_the_manual_says(void **unused)
{
	struct seen seen = { .crossed = 0 };
	const unsigned enough = ROUNDS / 200;

	(void)unused;
	for (unsigned i = 0; i < ROUNDS / 16; i++) {
		rnd_mode();
		for (unsigned k = 0; k < 16; k++)
			try_access(&seen);
	}
	for (unsigned p = PAGING_32; p < PAGINGS; p++)
		assert_true(seen.ok[p] > enough);
	assert_true(seen.ok[NO_PAGING] && seen.crossed > enough && seen.not_present > enough && seen.reserved > enough);
	assert_true(seen.rights > enough && seen.no_ram > enough);
}

/* SDM v3, "Limit Checking" and "Type Checking", byte by byte. */
static bool may_access(const struct hvm_segment *s, uint64_t offset, uint8_t len, enum access how)
{
	bool code = s->ar & BIT(3), down = !code && (s->ar & BIT(2));
	uint64_t top = s->ar & AR_DB ? UINT32_MAX : UINT16_MAX;

	if (rig.cr0 & CR0_PE && !(rig.rflags & RFLAGS_VM)) {
		if ((s->ar & AR_UNUSABLE) || (how == ACCESS_WRITE && (code || !(s->ar & BIT(1)))))
			return false;
		if (how == ACCESS_READ && code && !(s->ar & BIT(1)))
			return false;
	}
	for (uint64_t at = offset; at < offset + len; at++)
		if (down ? at <= s->limit || at > top : at > s->limit)
			return false;
	return true;
}

static void rnd_segment(struct hvm_segment *s)
{
	s->base = one_in(2) ? rnd() & UINT32_MAX : below(UINT16_MAX) << 4;
	s->limit = one_in(2) ? UINT16_MAX : one_in(2) ? UINT32_MAX : below(UINT16_MAX);
	s->ar = AR_S | AR_P | below(16) | (uint32_t)sometimes(AR_DB) | (one_in(16) ? AR_UNUSABLE : 0);
}

static void a_segment_is_what_the_manual_says(void **unused)
{
	unsigned ok = 0, faults = 0;

	(void)unused;
	rig.cs_mode = CS_32;
	for (unsigned i = 0; i < ROUNDS; i++) {
		enum sreg which = (enum sreg)below(SREG_GS + 1);
		struct hvm_segment *s = &rig.seg[which];
		uint8_t len = (uint8_t)(1 + below(8));
		enum access how = (enum access)below(ACCESS_FETCH + 1);
		uint64_t offset, linear = 0;
		struct fault f = { 0 };
		int err;

		rnd_segment(s);
		rig.cr0 = one_in(4) ? 0 : CR0_PE;
		rig.rflags = one_in(8) ? RFLAGS_VM : 0;
		offset = one_in(2) ? (uint32_t)(s->limit + below(32) - 16) : below(UINT16_MAX + 8);
		err = guest_linear(&rig.v, which, offset, len, how, &linear, &f);
		assert_int_equal(err, may_access(s, offset, len, how) ? 0 : E_FAULT);
		if (err)
			assert_true(f.vector == (which == SREG_SS ? VEC_SS : VEC_GP) && f.has_error && !f.error);
		else
			assert_int_equal(linear, (uint32_t)(s->base + offset));
		*(err ? &faults : &ok) += 1;
	}
	assert_true(ok > ROUNDS / 10 && faults > ROUNDS / 10);
}

static int set_up(void **unused)
{
	(void)unused;
	rig.v.ops = &ops;
	rig.v.ram = (struct ram){ rig.ram, sizeof(rig.ram) };
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_is_what_the_manual_says),
		cmocka_unit_test(a_segment_is_what_the_manual_says),
	};

	return cmocka_run_group_tests_name("guest_mem", tests, set_up, NULL);
}
