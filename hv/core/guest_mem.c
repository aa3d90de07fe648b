/* SPDX-License-Identifier: BSD-2-Clause
 * The guest's memory as its own instructions see it: segments, page tables, protection.
 * Knows nothing of nested tables: guest-physical memory is one piece. */
#include "core/guest_mem.h"

#include <string.h>

#include "core/vcpu.h"
#include "x86.h"

#define LINEAR_BITS 48
#define LOW32(x) ((uint32_t)(x))

static int fail(struct fault *f, uint8_t vector, uint32_t error, uint64_t cr2)
{
	*f = (struct fault){ .vector = vector, .has_error = true, .error = error, .cr2 = cr2 };
	return E_FAULT;
}

/* ---- segments ---- */

static bool is_canonical(uint64_t linear)
{
	return (uint64_t)((int64_t)(linear << (64 - LINEAR_BITS)) >> (64 - LINEAR_BITS)) == linear;
}

/* SDM v3, "Segment Descriptors", type field of code and data segments. */
static bool type_allows(uint32_t ar, enum access how)
{
	if (how == ACCESS_WRITE)
		return !(ar & AR_TYPE_CODE) && (ar & AR_TYPE_WRITABLE);
	return !(ar & AR_TYPE_CODE) || (ar & AR_TYPE_READABLE) || how == ACCESS_FETCH;
}

/* SDM v3, "Limit Checking": an expand-down segment has its valid offsets above the limit, up to FFFFH or FFFFFFFFH by the B flag. */
static bool within_limit(const struct hvm_segment *s, uint64_t offset, uint8_t len)
{
	uint64_t last = offset + len - 1;

	if (!(s->ar & AR_TYPE_CODE) && (s->ar & AR_TYPE_EXPAND_DOWN))
		return offset > s->limit && last <= (s->ar & AR_DB ? UINT32_MAX : UINT16_MAX);
	return last <= s->limit;
}

static bool is_protected(const struct vcpu *v)
{
	return (v->ops->get(v, HVM_CR0) & CR0_PE) && !(v->ops->get(v, HVM_RFLAGS) & RFLAGS_VM);
}

uint64_t guest_linear_unchecked(const struct vcpu *v, enum sreg s, uint64_t offset)
{
	if (v->ops->get(v, HVM_CS_MODE) != CS_64)
		return LOW32(v->ops->get(v, HVM_ES_BASE + s) + offset);
	return s >= SREG_FS ? v->ops->get(v, HVM_ES_BASE + s) + offset : offset;
}

int guest_linear(const struct vcpu *v, enum sreg s, uint64_t offset, uint8_t len, enum access how, uint64_t *linear,
		 struct fault *f)
{
	const uint8_t vector = s == SREG_SS ? VEC_SS : VEC_GP;
	struct hvm_segment seg;

	*linear = guest_linear_unchecked(v, s, offset);
	if (v->ops->get(v, HVM_CS_MODE) == CS_64)
		return is_canonical(*linear) && is_canonical(*linear + len - 1) ? 0 : fail(f, vector, 0, 0);
	v->ops->segment(v, s, &seg);
	if (is_protected(v) && ((seg.ar & AR_UNUSABLE) || !type_allows(seg.ar, how)))
		return fail(f, vector, 0, 0);
	return within_limit(&seg, offset, len) ? 0 : fail(f, vector, 0, 0);
}

/* ---- page tables ---- */

#define LEVELS_MAX 4
#define PDPT_ADDR MASK(31, 5)
#define PDE32_PSE36(e) FIELD(39, 32, GET_FIELD(20, 13, e))
/* SDM v3, "Format of a 32-Bit Page-Directory Entry that Maps a 4-MByte Page": address bits from 32 up to M - 1 are in bits from 13, what
 * is left up to 21 is reserved; M is "the minimum of 40 and MAXPHYADDR". */
#define PDE32_PS_RESERVED(phys_bits) MASK(21, min_u64(phys_bits, 40) - 19)

struct walk {
	struct vcpu *v;
	uint64_t linear, cr0, cr4, efer;
	enum access how;
	bool user, smap;  /* smap: it forbids this access to user pages */
	bool wide;        /* entries of 8 bytes */
	uint64_t writable, user_page, no_exec; /* the bits of all levels */
	void *entry[LEVELS_MAX];
	unsigned levels;
};

static uint32_t error_code(const struct walk *w, uint32_t more)
{
	bool tells_fetches = (w->cr4 & CR4_SMEP) || ((w->cr4 & CR4_PAE) && (w->efer & EFER_NXE));

	return more | (w->how == ACCESS_WRITE ? PF_ERR_W : 0) | (w->user ? PF_ERR_U : 0) |
	       (w->how == ACCESS_FETCH && tells_fetches ? PF_ERR_I : 0);
}

/* SDM v3, "Reserved bits": physical-address bits beyond MAXPHYADDR, XD where EFER.NXE is 0, address bits of a large page below its
 * size, PS where there is no page of that size. */
static uint64_t reserved_bits(const struct walk *w, unsigned shift, uint64_t entry)
{
	uint64_t reserved = w->v->features.phys_bits < 52 ? MASK(51, w->v->features.phys_bits) : 0;
	bool page = entry & PTE_PS;

	if (!w->wide)
		return page && shift == PDE32_SHIFT && (w->cr4 & CR4_PSE) ? PDE32_PS_RESERVED(w->v->features.phys_bits) : 0;
	if (!(w->efer & EFER_NXE))
		reserved |= PTE_NX;
	if (!(w->efer & EFER_LMA))
		reserved |= MASK(62, 52);
	if (shift == PML4E_SHIFT || (shift == PDPTE_SHIFT && !features_show(&w->v->features, FEATURE_1G_PAGES)))
		reserved |= PTE_PS;
	if (page && (shift == PDPTE_SHIFT || shift == PDE_SHIFT))
		reserved |= MASK(shift - 1, PAGE_SHIFT + 1);
	return reserved;
}

static bool is_leaf(const struct walk *w, unsigned shift, uint64_t entry)
{
	if (shift == PAGE_SHIFT)
		return true;
	return (entry & PTE_PS) && (w->wide || (w->cr4 & CR4_PSE));
}

static uint64_t leaf_address(const struct walk *w, unsigned shift, uint64_t entry)
{
	uint64_t offset = MASK(shift - 1, 0), frame = entry & PTE_ADDR & ~offset;

	if (!w->wide && shift == PDE32_SHIFT)
		frame = (LOW32(entry) & ~LOW32(offset)) | PDE32_PSE36(entry);
	return frame | (w->linear & offset);
}

/* Reads one entry and remembers where it is. 0; E_FAULT: not present or reserved bits; E_NXIO. */
static int take_entry(struct walk *w, uint64_t table, unsigned shift, uint64_t *entry, struct fault *f)
{
	unsigned size = w->wide ? sizeof(uint64_t) : sizeof(uint32_t);
	uint64_t index = GET_FIELD(63, shift, w->linear) & (PAGE_SIZE / size - 1);
	void *p = ram_at(&w->v->ram, GPA(table + index * size), size);

	*entry = 0;
	f->cr2 = table + index * size;
	if (!p)
		return E_NXIO;
	memcpy(entry, p, size);
	if (!(*entry & PTE_P))
		return fail(f, VEC_PF, error_code(w, 0), w->linear);
	if (*entry & reserved_bits(w, shift, *entry))
		return fail(f, VEC_PF, error_code(w, PF_ERR_P | PF_ERR_RSVD), w->linear);
	w->entry[w->levels++] = p;
	w->writable &= *entry;
	w->user_page &= *entry;
	w->no_exec |= *entry;
	return 0;
}

static int take_entries(struct walk *w, uint64_t table, unsigned shift, gpa_t *out, struct fault *f)
{
	const unsigned step = w->wide ? PDE_SHIFT - PAGE_SHIFT : PDE32_SHIFT - PAGE_SHIFT;
	uint64_t entry;
	int err;

	for (;; shift -= step) {
		err = take_entry(w, table, shift, &entry, f);
		if (err)
			return err;
		if (is_leaf(w, shift, entry))
			break;
		table = w->wide ? entry & PTE_ADDR : LOW32(entry) & ~PAGE_MASK;
	}
	*out = GPA(leaf_address(w, shift, entry));
	return 0;
}

/* A PDPTE of PAE paging has neither rights nor A. An emulated CPU without registers for PDPTEs sets that one all the same, and goes
 * on: what it has written itself is no fault of the guest's. */
static int take_pdpte(struct walk *w, uint64_t cr3, uint64_t *table, struct fault *f)
{
	uint64_t at = (cr3 & PDPT_ADDR) + GET_FIELD(31, PDPTE_SHIFT, w->linear) * sizeof(uint64_t), entry;
	const void *p = ram_at(&w->v->ram, GPA(at), sizeof(entry));

	f->cr2 = at;
	if (!p)
		return E_NXIO;
	memcpy(&entry, p, sizeof(entry));
	if (!(entry & PTE_P))
		return fail(f, VEC_PF, error_code(w, 0), w->linear);
	if (!w->v->ops->set_pdptes)
		entry &= ~(uint64_t)PTE_A;
	if (entry & (PDPTE_RESERVED | MASK(63, w->v->features.phys_bits)))
		return fail(f, VEC_PF, error_code(w, PF_ERR_P | PF_ERR_RSVD), w->linear);
	*table = entry & PTE_ADDR;
	return 0;
}

/* SDM v3, "Determination of Access Rights". */
static bool is_allowed(const struct walk *w)
{
	bool writable = w->writable & PTE_W, user_page = w->user_page & PTE_U;

	if (w->how == ACCESS_FETCH && (w->no_exec & PTE_NX))
		return false;
	if (w->user)
		return user_page && (w->how != ACCESS_WRITE || writable);
	if (w->how == ACCESS_FETCH)
		return !user_page || !(w->cr4 & CR4_SMEP);
	if (user_page && w->smap)
		return false;
	return w->how != ACCESS_WRITE || writable || !(w->cr0 & CR0_WP);
}

/* SDM v3, "Accessed and Dirty Flags": A in every entry of the walk, D where there is a write in the one that maps the page. */
static void set_accessed(const struct walk *w)
{
	for (unsigned i = 0; i < w->levels; i++) {
		bool dirty = w->how == ACCESS_WRITE && i + 1 == w->levels;

		*(uint8_t *)w->entry[i] |= (uint8_t)(PTE_A | (dirty ? PTE_D : 0));
	}
}

/* One page. Nothing is marked before all of an access is allowed: `w` keeps what is to be. */
static int walk(struct walk *w, uint64_t linear, gpa_t *out, struct fault *f)
{
	uint64_t cr3 = w->v->ops->get(w->v, HVM_CR3), table = cr3 & PTE_ADDR;
	unsigned shift = PML4E_SHIFT;
	int err = 0;

	w->linear = linear;
	w->levels = 0;
	w->writable = w->user_page = UINT64_MAX;
	w->no_exec = 0;
	w->wide = w->cr4 & CR4_PAE;
	if (!w->wide) {
		shift = PDE32_SHIFT;
		table = LOW32(table);
	} else if (!(w->efer & EFER_LMA)) {
		shift = PDE_SHIFT;
		err = take_pdpte(w, cr3, &table, f);
	}
	if (!err)
		err = take_entries(w, table, shift, out, f);
	if (!err && !is_allowed(w))
		err = fail(f, VEC_PF, error_code(w, PF_ERR_P), linear);
	return err;
}

static struct walk begin_walk(struct vcpu *v, uint64_t cr0, enum access how, enum privilege who)
{
	struct walk w = { .v = v, .cr0 = cr0, .how = how };

	w.cr4 = v->ops->get(v, HVM_CR4);
	w.efer = v->ops->get(v, HVM_EFER);
	w.user = who == AS_CPL && v->ops->get(v, HVM_CPL) == CPL_USER;
	w.smap = how != ACCESS_FETCH && (w.cr4 & CR4_SMAP) && (who == AS_SYSTEM || !(v->ops->get(v, HVM_RFLAGS) & RFLAGS_AC));
	return w;
}

int guest_access(struct vcpu *v, uint64_t linear, uint8_t len, enum access how, enum privilege who, struct guest_ref *out,
		 struct fault *f)
{
	uint64_t cr0 = v->ops->get(v, HVM_CR0), left = PAGE_SIZE - (linear & PAGE_MASK);
	uint64_t mask = v->ops->get(v, HVM_CS_MODE) == CS_64 ? UINT64_MAX : UINT32_MAX;
	uint64_t next = (linear + left) & mask;
	struct walk first, second;
	bool crosses = len > left;
	int err;

	*out = (struct guest_ref){ .linear = linear, .len = len, .first = crosses ? (uint8_t)left : len };
	if (!(cr0 & CR0_PG)) {
		out->gpa[0] = GPA(linear);
		out->gpa[1] = GPA(next);
		return 0;
	}
	first = begin_walk(v, cr0, how, who);
	second = first;
	err = walk(&first, linear, &out->gpa[0], f);
	if (!err && crosses)
		err = walk(&second, next, &out->gpa[1], f);
	if (err)
		return err;
	set_accessed(&first);
	if (crosses)
		set_accessed(&second);
	return 0;
}

/* ---- RAM of any length ---- */

/* One stretch at a time: `buf` is moved only once all of it may be. */
static int copy(struct vcpu *v, uint64_t linear, uint8_t *buf, size_t len, enum access how, enum privilege who, bool move,
		struct fault *f)
{
	for (size_t done = 0; done < len;) {
		uint8_t n = (uint8_t)min_u64(len - done, ACCESS_MAX - ((linear + done) & (ACCESS_MAX - 1)));
		struct guest_ref ref;
		int err = guest_access(v, linear + done, n, how, who, &ref, f);
		void *p = err ? NULL : ram_at(&v->ram, ref.gpa[0], n);

		if (err)
			return err;
		f->cr2 = ref.gpa[0].v;
		if (!p)
			return E_NXIO;
		if (move && how == ACCESS_WRITE)
			memcpy(p, buf + done, n);
		else if (move)
			memcpy(buf + done, p, n);
		done += n;
	}
	return 0;
}

int guest_read(struct vcpu *v, uint64_t linear, void *buf, size_t len, enum privilege who, struct fault *f)
{
	return copy(v, linear, buf, len, ACCESS_READ, who, true, f);
}

int guest_write(struct vcpu *v, uint64_t linear, const void *buf, size_t len, enum privilege who, struct fault *f)
{
	int err = copy(v, linear, (uint8_t *)(uintptr_t)buf, len, ACCESS_WRITE, who, false, f);

	return err ? err : copy(v, linear, (uint8_t *)(uintptr_t)buf, len, ACCESS_WRITE, who, true, f);
}

size_t guest_fetch(struct vcpu *v, uint8_t skip, uint8_t *buf, size_t len, struct fault *f)
{
	uint64_t linear = guest_linear_unchecked(v, SREG_CS, v->ops->get(v, HVM_RIP) + skip);
	struct guest_ref ref;
	const void *p;
	int err = guest_access(v, linear, 1, ACCESS_FETCH, AS_CPL, &ref, f);

	if (err) {
		f->vector = err == E_FAULT ? f->vector : 0;
		return 0;
	}
	len = min_u64(len, PAGE_SIZE - (linear & PAGE_MASK));
	p = ram_at(&v->ram, ref.gpa[0], len);
	if (!p) {
		*f = (struct fault){ .cr2 = ref.gpa[0].v };
		return 0;
	}
	memcpy(buf, p, len);
	return len;
}
