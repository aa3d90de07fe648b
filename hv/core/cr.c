/* SPDX-License-Identifier: BSD-2-Clause
 * The rules of control registers: SDM v2, "MOV-Move to/from Control Registers"; SDM v3, "Paging"; APM v2, "System-Control
 * Registers" and "Long Mode Activation". Where the vendors differ, the stricter.
 * Knows nothing of how a guest writes them. */
#include "core/cr.h"

#include <string.h>

#include "core/vcpu.h"
#include "x86.h"

#define CR0_WRITABLE (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define CR3_PCID MASK(11, 0)
#define CR3_NO_FLUSH BIT64(63)
#define CR3_PDPT MASK(31, 5)
#define LOW_HALF MASK(31, 0)
/* "If PAE paging would be in use following an execution of MOV to CR0 or MOV to CR4 ... and the instruction is modifying any of" */
#define CR0_LOADS_PDPTES (CR0_CD | CR0_NW | CR0_PG)
#define CR4_LOADS_PDPTES (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)

static bool is_long(const struct cr_state *s)
{
	return s->efer & EFER_LMA;
}

static bool is_64bit(const struct cr_state *s)
{
	return is_long(s) && s->cs_l;
}

static bool uses_pae_paging(const struct cr_state *s)
{
	return (s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE) && !is_long(s);
}

/* PG becomes 1. With LME that is long mode: it needs PAE, not CS.L, and a TSS that it knows. */
static bool can_start_paging(const struct cr_state *s)
{
	return !(s->efer & EFER_LME) || ((s->cr4 & CR4_PAE) && !s->cs_l && !s->tss_16);
}

/* PG becomes 0: not in 64-bit mode, and not "while CR4.PCIDE=1". */
static bool can_stop_paging(const struct cr_state *s)
{
	return !is_64bit(s) && !(s->cr4 & CR4_PCIDE);
}

static bool write_cr0(struct cr_state *s, uint64_t val)
{
	uint64_t changed = s->cr0 ^ val;

	if ((val & CR0_RESERVED) || ((val & CR0_PG) && !(val & CR0_PE)) || ((val & CR0_NW) && !(val & CR0_CD)))
		return false;
	if ((changed & CR0_PG) && !(val & CR0_PG ? can_start_paging(s) : can_stop_paging(s)))
		return false;
	s->cr0 = (val & CR0_WRITABLE) | CR0_ET;
	s->efer &= ~EFER_LMA;
	if ((s->cr0 & CR0_PG) && (s->efer & EFER_LME))
		s->efer |= EFER_LMA;
	return true;
}

/* Outside of long mode CR3 has 32 bits. In it "bits beyond MAXPHYADDR" are reserved; with PCIDE bit 63 is a wish and not kept. */
static bool write_cr3(struct cr_state *s, const struct cr_cpu *cpu, uint64_t val)
{
	if (!is_long(s))
		val &= LOW_HALF;
	if (s->cr4 & CR4_PCIDE)
		val &= ~CR3_NO_FLUSH;
	if (val >> cpu->phys_bits)
		return false;
	s->cr3 = val;
	return true;
}

/* "If an attempt is made to leave IA-32e mode by clearing CR4.PAE"; "to change CR4.PCIDE from 0 to 1 while CR3[11:0] != 000H", or
 * outside of it; LA57 cannot change in it. */
static bool write_cr4(struct cr_state *s, const struct cr_cpu *cpu, uint64_t val)
{
	uint64_t changed = s->cr4 ^ val;

	if (val & ~cpu->cr4)
		return false;
	if (is_long(s) && (!(val & CR4_PAE) || (changed & CR4_LA57)))
		return false;
	if ((changed & val & CR4_PCIDE) && (!is_long(s) || (s->cr3 & CR3_PCID)))
		return false;
	s->cr4 = val;
	return true;
}

/* LME cannot change while paging; LMA follows paging, not WRMSR. */
static bool write_efer(struct cr_state *s, const struct cr_cpu *cpu, uint64_t val)
{
	uint64_t changed = s->efer ^ val;

	if ((val & ~cpu->efer) || ((changed & EFER_LME) && (s->cr0 & CR0_PG)))
		return false;
	s->efer = (val & ~EFER_LMA) | (s->efer & EFER_LMA);
	return true;
}

bool cr_write(struct cr_state *s, const struct cr_cpu *cpu, enum cr which, uint64_t val)
{
	switch (which) {
	case CR_0: return write_cr0(s, val);
	case CR_3: return write_cr3(s, cpu, val);
	case CR_4: return write_cr4(s, cpu, val);
	case CR_EFER: break;
	}
	return write_efer(s, cpu, val);
}

bool cr_loads_pdptes(const struct cr_state *from, const struct cr_state *to, enum cr which)
{
	if (!uses_pae_paging(to))
		return false;
	switch (which) {
	case CR_0: return (from->cr0 ^ to->cr0) & CR0_LOADS_PDPTES;
	case CR_3: return true;
	case CR_4: return (from->cr4 ^ to->cr4) & CR4_LOADS_PDPTES;
	case CR_EFER: break;
	}
	return false;
}

/* SDM v3, "PDPTE Registers": "If any of the PDPTEs sets both the P flag (bit 0) and any reserved bit, the MOV to CR instruction
 * causes a general-protection exception (#GP(0)) and the PDPTEs are not loaded." */
bool cr_pdptes_valid(const uint64_t pdpt[PDPTES], uint8_t phys_bits)
{
	for (unsigned i = 0; i < PDPTES; i++)
		if ((pdpt[i] & PTE_P) && ((pdpt[i] & PDPTE_RESERVED) || pdpt[i] >> phys_bits))
			return false;
	return true;
}

/* Where there is no memory the bus gives ones, which no PDPTE may be: #GP, and no more. */
static bool read_pdptes(const struct vcpu *v, uint64_t cr3, uint64_t pdpt[PDPTES])
{
	const void *p = ram_at(&v->ram, GPA(cr3 & CR3_PDPT), PDPTES * sizeof(*pdpt));

	if (p)
		memcpy(pdpt, p, PDPTES * sizeof(*pdpt));
	return p;
}

static struct cr_state state_of(const struct vcpu *v, enum cr which)
{
	struct cr_state s = { .cr0 = v->ops->get(v, HVM_CR0),
			      .cr3 = v->ops->get(v, HVM_CR3),
			      .cr4 = v->ops->get(v, HVM_CR4),
			      .efer = v->ops->get(v, HVM_EFER) };
	struct hvm_segment seg;

	if (which != CR_0)
		return s; /* nothing else asks for the segments */
	v->ops->segment(v, SREG_CS, &seg);
	s.cs_l = seg.ar & AR_L;
	v->ops->segment(v, SREG_TR, &seg);
	s.tss_16 = !(seg.ar & AR_TSS_32);
	return s;
}

static void load(struct vcpu *v, const struct cr_state *from, const struct cr_state *to)
{
	if (to->efer != from->efer)
		v->ops->set(v, HVM_EFER, to->efer);
	if (to->cr0 != from->cr0)
		v->ops->set(v, HVM_CR0, to->cr0);
	if (to->cr4 != from->cr4)
		v->ops->set(v, HVM_CR4, to->cr4);
}

bool vcpu_write_cr(struct vcpu *v, enum cr which, uint64_t val)
{
	struct cr_cpu cpu = { v->features.cr4, v->features.efer, v->features.phys_bits };
	struct cr_state from = state_of(v, which), to = from;
	uint64_t pdpt[PDPTES];

	if (v->misc_enable & MISC_ENABLE_XD_DISABLE)
		cpu.efer &= ~EFER_NXE;
	if (!cr_write(&to, &cpu, which, val))
		return false;
	if (v->ops->set_pdptes && cr_loads_pdptes(&from, &to, which)) {
		if (!read_pdptes(v, to.cr3, pdpt) || !cr_pdptes_valid(pdpt, cpu.phys_bits))
			return false;
		v->ops->set_pdptes(v, pdpt);
	}
	load(v, &from, &to);
	if (which == CR_3) /* for the TLB, though it be the same */
		v->ops->set(v, HVM_CR3, to.cr3);
	return true;
}

/* SDM v2, "LMSW": the low four bits of CR0; "cannot be used to clear the PE flag". */
bool vcpu_lmsw(struct vcpu *v, uint64_t val)
{
	const uint64_t can_set = CR0_PE | CR0_MP | CR0_EM | CR0_TS, can_clear = can_set & ~CR0_PE;
	uint64_t cr0 = v->ops->get(v, HVM_CR0);

	return vcpu_write_cr(v, CR_0, (cr0 & ~can_clear) | (val & can_set));
}

/* SDM v2, "XSETBV": #GP "If an attempt is made to set XCR0[2:1] to 10b", "to clear bit 0 of XCR0", or a reserved bit. */
bool vcpu_write_xcr0(struct vcpu *v, uint64_t val)
{
	if ((val & ~v->features.xcr0) || !(val & XCR0_X87) || ((val & XCR0_AVX) && !(val & XCR0_SSE)))
		return false;
	v->xcr0 = val;
	v->ops->set(v, HVM_XCR0, val);
	return true;
}
