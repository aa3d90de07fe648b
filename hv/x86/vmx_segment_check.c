/* SPDX-License-Identifier: BSD-2-Clause
 * The rules of a VM entry on the guest's segment registers, in the order in which the manual has them: SDM v3, "Checks on Guest
 * Segment Registers".
 * Knows nothing of how the VMCS came to be so. */
#include "vmm/fmt.h"
#include "x86.h"
#include "x86/vmx_check.h"

#define RULE_SIZE 128
#define SELECTOR_RPL(s) GET_FIELD(1, 0, s)
#define SELECTOR_TI BIT64(2)
#define V8086_LIMIT 0xffff
#define V8086_AR 0xf3
#define V8086_BASE(selector) ((uint64_t)(selector) << 4)
#define HIGH_HALF MASK(63, 32)
#define LIMIT_LOW MASK(11, 0)
#define LIMIT_HIGH MASK(31, 20)
/* Types: "Code- and Data-Segment Types", "System-Segment and Gate-Descriptor Types" */
#define TYPE_ACCESSED BIT64(0)
#define TYPE_READABLE BIT64(1)
#define TYPE_CONFORMING BIT64(2)
#define TYPE_CODE BIT64(3)
#define TYPE_DATA_RW_ACCESSED 3
#define TYPE_DATA_RW_DOWN_ACCESSED 7
#define TYPE_LDT 2
#define TYPE_TSS_16_BUSY 3
#define TYPE_TSS_BUSY 11

enum segment { ES, CS, SS, DS, FS, GS, LDTR, TR };
static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR" };

struct seg {
	enum segment reg;
	uint8_t f_selector, f_base, f_limit, f_ar;
	uint64_t selector, base, limit, ar, type;
	bool usable;
};

static struct seg segment(const struct vmx_checker *k, enum segment reg)
{
	struct seg s = { .reg = reg,
			 .f_selector = (uint8_t)(VF_GUEST_ES + reg),
			 .f_base = (uint8_t)(VF_GUEST_ES_BASE + reg),
			 .f_limit = (uint8_t)(VF_GUEST_ES_LIMIT + reg),
			 .f_ar = (uint8_t)(VF_GUEST_ES_AR + reg) };

	s.selector = vmx_field(k, s.f_selector);
	s.base = vmx_field(k, s.f_base);
	s.limit = vmx_field(k, s.f_limit);
	s.ar = vmx_field(k, s.f_ar);
	s.type = AR_TYPE(s.ar);
	s.usable = !(s.ar & AR_UNUSABLE);
	return s;
}

static void need_list(const struct vmx_checker *k, const struct seg *s, bool holds, const char *rule, const uint8_t *fields)
{
	char named[RULE_SIZE];

	if (holds)
		return;
	fmt(named, sizeof(named), "%s: %s", names[s->reg], rule);
	vmx_need(k, false, named, fields);
}
#define NEED(k, s, holds, rule, ...) need_list(k, s, holds, rule, (const uint8_t[]){ __VA_ARGS__, VF_END })

static bool unrestricted(const struct vmx_checker *k)
{
	return vmx_check_proc2(k, PROC2_UNRESTRICTED_GUEST);
}

static bool ia32e(const struct vmx_checker *k)
{
	return vmx_field(k, VF_ENTRY_CTLS) & VM_ENTRY_IA32E_MODE_GUEST;
}

/* "If any bit in the limit field in the range 11:0 is 0, G must be 0. If any bit in the limit field in the range 31:20 is 1, G
 * must be 1." */
static void check_granularity(const struct vmx_checker *k, const struct seg *s)
{
	NEED(k, s, !(s->ar & AR_G) || (s->limit & LIMIT_LOW) == LIMIT_LOW, "G must be 0 when a bit of the limit's 11:0 is 0",
	     s->f_ar, s->f_limit);
	NEED(k, s, (s->ar & AR_G) || !(s->limit & LIMIT_HIGH), "G must be 1 when a bit of the limit's 31:20 is 1", s->f_ar,
	     s->f_limit);
}

static void check_present(const struct vmx_checker *k, const struct seg *s)
{
	NEED(k, s, s->ar & AR_P, "P must be 1", s->f_ar);
	NEED(k, s, !(s->ar & AR_RESERVED), "reserved bits of the access rights must be 0", s->f_ar);
	check_granularity(k, s);
}

static bool code_type_is_valid(const struct vmx_checker *k, const struct seg *cs)
{
	const uint64_t accessed_code = TYPE_CODE | TYPE_ACCESSED;

	if ((cs->type & accessed_code) == accessed_code)
		return true;
	return unrestricted(k) && cs->type == TYPE_DATA_RW_ACCESSED;
}

static bool code_dpl_is_valid(const struct seg *cs, const struct seg *ss)
{
	if (!(cs->type & TYPE_CODE))
		return AR_DPL(cs->ar) == 0;
	if (cs->type & TYPE_CONFORMING)
		return AR_DPL(cs->ar) <= AR_DPL(ss->ar);
	return AR_DPL(cs->ar) == AR_DPL(ss->ar);
}

static void check_cs(const struct vmx_checker *k)
{
	const struct seg cs = segment(k, CS), ss = segment(k, SS);

	NEED(k, &cs, !(cs.base & HIGH_HALF), "bits 63:32 of the base must be 0", cs.f_base);
	NEED(k, &cs, code_type_is_valid(k, &cs), "Type must be accessed code, or with unrestricted guest 3", cs.f_ar);
	NEED(k, &cs, cs.ar & AR_S, "S must be 1", cs.f_ar);
	NEED(k, &cs, code_dpl_is_valid(&cs, &ss), "DPL does not fit the Type and the DPL of SS", cs.f_ar, ss.f_ar);
	NEED(k, &cs, !ia32e(k) || !(cs.ar & AR_L) || !(cs.ar & AR_DB), "D/B must be 0 in IA-32e mode when L is 1", cs.f_ar,
	     VF_ENTRY_CTLS);
	check_present(k, &cs);
}

static void check_ss(const struct vmx_checker *k)
{
	const struct seg cs = segment(k, CS), ss = segment(k, SS);
	bool real = !(vmx_field(k, VF_GUEST_CR0) & CR0_PE);

	NEED(k, &ss, unrestricted(k) || SELECTOR_RPL(ss.selector) == SELECTOR_RPL(cs.selector), "RPL must be that of CS",
	     ss.f_selector, cs.f_selector);
	NEED(k, &ss, unrestricted(k) || AR_DPL(ss.ar) == SELECTOR_RPL(ss.selector), "DPL must be the RPL of its selector",
		 ss.f_ar,
	     ss.f_selector);
	NEED(k, &ss, !AR_DPL(ss.ar) || (!real && cs.type != TYPE_DATA_RW_ACCESSED),
	     "DPL must be 0 in real-address mode and with a data segment in CS", ss.f_ar, VF_GUEST_CR0, cs.f_ar);
	if (!ss.usable)
		return;
	NEED(k, &ss, !(ss.base & HIGH_HALF), "bits 63:32 of the base must be 0", ss.f_base);
	NEED(k, &ss, ss.type == TYPE_DATA_RW_ACCESSED || ss.type == TYPE_DATA_RW_DOWN_ACCESSED, "Type must be 3 or 7", ss.f_ar);
	NEED(k, &ss, ss.ar & AR_S, "S must be 1", ss.f_ar);
	check_present(k, &ss);
}

/* DS, ES, FS, GS */
static void check_data(const struct vmx_checker *k, enum segment reg)
{
	const struct seg s = segment(k, reg);
	bool conforming = (s.type & TYPE_CODE) && (s.type & TYPE_CONFORMING);

	if (reg == FS || reg == GS)
		NEED(k, &s, vmx_check_canonical(k, s.f_base), "the base is not canonical", s.f_base);
	if (!s.usable)
		return;
	if (reg == DS || reg == ES)
		NEED(k, &s, !(s.base & HIGH_HALF), "bits 63:32 of the base must be 0", s.f_base);
	NEED(k, &s, s.type & TYPE_ACCESSED, "Type must be accessed", s.f_ar);
	NEED(k, &s, !(s.type & TYPE_CODE) || (s.type & TYPE_READABLE), "Type must be readable", s.f_ar);
	NEED(k, &s, s.ar & AR_S, "S must be 1", s.f_ar);
	NEED(k, &s, unrestricted(k) || conforming || AR_DPL(s.ar) >= SELECTOR_RPL(s.selector),
	     "DPL cannot be less than the RPL of its selector", s.f_ar, s.f_selector);
	check_present(k, &s);
}

static void check_v8086(const struct vmx_checker *k, enum segment reg)
{
	const struct seg s = segment(k, reg);

	NEED(k, &s, s.base == V8086_BASE(s.selector), "the base must be the selector shifted left 4 bits in virtual-8086 mode",
	     s.f_base, s.f_selector);
	NEED(k, &s, s.limit == V8086_LIMIT, "the limit must be 0xffff in virtual-8086 mode", s.f_limit);
	NEED(k, &s, s.ar == V8086_AR, "the access rights must be 0xf3 in virtual-8086 mode", s.f_ar);
}

static void check_tr(const struct vmx_checker *k)
{
	const struct seg s = segment(k, TR);

	NEED(k, &s, !(s.selector & SELECTOR_TI), "TI must be 0", s.f_selector);
	NEED(k, &s, vmx_check_canonical(k, s.f_base), "the base is not canonical", s.f_base);
	NEED(k, &s, s.type == TYPE_TSS_BUSY || (!ia32e(k) && s.type == TYPE_TSS_16_BUSY), "Type must be a busy TSS", s.f_ar,
	     VF_ENTRY_CTLS);
	NEED(k, &s, !(s.ar & AR_S), "S must be 0", s.f_ar);
	NEED(k, &s, s.usable, "the unusable bit must be 0", s.f_ar);
	check_present(k, &s);
}

static void check_ldtr(const struct vmx_checker *k)
{
	const struct seg s = segment(k, LDTR);

	if (!s.usable)
		return;
	NEED(k, &s, !(s.selector & SELECTOR_TI), "TI must be 0", s.f_selector);
	NEED(k, &s, vmx_check_canonical(k, s.f_base), "the base is not canonical", s.f_base);
	NEED(k, &s, s.type == TYPE_LDT, "Type must be LDT", s.f_ar);
	NEED(k, &s, !(s.ar & AR_S), "S must be 0", s.f_ar);
	check_present(k, &s);
}

void vmx_check_guest_segments(const struct vmx_checker *k)
{
	if (vmx_field(k, VF_GUEST_RFLAGS) & RFLAGS_VM) {
		for (unsigned i = ES; i <= GS; i++)
			check_v8086(k, (enum segment)i);
	} else {
		check_cs(k);
		check_ss(k);
		check_data(k, DS);
		check_data(k, ES);
		check_data(k, FS);
		check_data(k, GS);
	}
	check_tr(k);
	check_ldtr(k);
}
