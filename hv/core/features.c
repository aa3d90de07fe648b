/* SPDX-License-Identifier: BSD-2-Clause
 * The table of features, and CPUID's leaves out of it.
 * Knows nothing of what changes while the guest runs: APICBASE.EN, CR4.OSXSAVE, XCR0. */
#include "core/features.h"

#include <string.h>

#include "core/cpuid.h"
#include "core/vcpu.h"
#include "x86.h"

#define ROW(l, s, r, m, ...) { .leaf = (l), .sub = (s), .reg = (r), .mask = (m), __VA_ARGS__ }
#define BITS2(a, b) (BIT(a) | BIT(b))
#define BITS4(a, b, c, d) (BITS2(a, b) | BITS2(c, d))

/* SDM v2, "CPUID"; APM v3, "Obtaining Processor Information Via the CPUID Instruction". A bit that is not here is 0:
 * docs/models.md says why. */
const struct feature_row feature_table[FEATURES] = {
	[FEATURE_BASE] = { .cr4 = CR4_PCE },
	[FEATURE_INTEL] = { 0 },
	[FEATURE_AMD] = { 0 },
	/* SSE3 PCLMULQDQ SSSE3 CMPXCHG16B SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND */
	[FEATURE_PLAIN_1C] = ROW(CPUID_FEATURES, 0, ECX, BITS4(0, 1, 9, 13) | BITS4(19, 20, 22, 23) | BITS2(25, 30)),
	[FEATURE_PCID] = ROW(CPUID_FEATURES, 0, ECX, BIT(17), .cr4 = CR4_PCIDE),
	[FEATURE_X2APIC] = ROW(CPUID_FEATURES, 0, ECX, BIT(21), .from = FROM_US),
	[FEATURE_TSC_DEADLINE] = ROW(CPUID_FEATURES, 0, ECX, BIT(24), .from = FROM_US),
	[FEATURE_XSAVE] = ROW(CPUID_FEATURES, 0, ECX, BIT(26), .cr4 = CR4_OSXSAVE, .xcr0 = XCR0_X87 | XCR0_SSE),
	[FEATURE_AVX] = ROW(CPUID_FEATURES, 0, ECX, BIT(28), .needs = FEATURE_XSAVE, .xcr0 = XCR0_AVX),
	/* FMA F16C */
	[FEATURE_AVX_1C] = ROW(CPUID_FEATURES, 0, ECX, BITS2(12, 29), .needs = FEATURE_AVX),
	[FEATURE_HYPERVISOR] = ROW(CPUID_FEATURES, 0, ECX, BIT(31), .from = FROM_US),
	/* FPU MSR CX8 CMOV PSE-36 CLFSH MMX SSE2 SS */
	[FEATURE_PLAIN_1D] = ROW(CPUID_FEATURES, 0, EDX, BITS4(0, 5, 8, 15) | BITS4(17, 19, 23, 26) | BIT(27)),
	[FEATURE_VME] = ROW(CPUID_FEATURES, 0, EDX, BIT(1), .cr4 = CR4_VME | CR4_PVI),
	[FEATURE_DE] = ROW(CPUID_FEATURES, 0, EDX, BIT(2), .cr4 = CR4_DE),
	[FEATURE_PSE] = ROW(CPUID_FEATURES, 0, EDX, BIT(3), .cr4 = CR4_PSE),
	[FEATURE_TSC] = ROW(CPUID_FEATURES, 0, EDX, BIT(4), .cr4 = CR4_TSD),
	[FEATURE_PAE] = ROW(CPUID_FEATURES, 0, EDX, BIT(6), .cr4 = CR4_PAE),
	[FEATURE_MCE] = ROW(CPUID_FEATURES, 0, EDX, BIT(7), .cr4 = CR4_MCE),
	[FEATURE_APIC] = ROW(CPUID_FEATURES, 0, EDX, BIT(9), .from = FROM_US),
	[FEATURE_SEP] = ROW(CPUID_FEATURES, 0, EDX, BIT(11)),
	[FEATURE_MTRR] = ROW(CPUID_FEATURES, 0, EDX, BIT(12), .from = FROM_US),
	[FEATURE_PGE] = ROW(CPUID_FEATURES, 0, EDX, BIT(13), .cr4 = CR4_PGE),
	[FEATURE_MCA] = ROW(CPUID_FEATURES, 0, EDX, BIT(14), .from = FROM_US, .needs = FEATURE_MCE),
	[FEATURE_PAT] = ROW(CPUID_FEATURES, 0, EDX, BIT(16)),
	[FEATURE_FXSR] = ROW(CPUID_FEATURES, 0, EDX, BIT(24), .cr4 = CR4_OSFXSR),
	[FEATURE_SSE] = ROW(CPUID_FEATURES, 0, EDX, BIT(25), .needs = FEATURE_FXSR, .cr4 = CR4_OSXMMEXCPT),
	[FEATURE_ARAT] = ROW(CPUID_POWER, 0, EAX, BIT(2), .from = FROM_US),
	/* BMI1 FDP_EXCPTN_ONLY BMI2 ERMS ZERO_FCS_FDS RDSEED ADX CLFLUSHOPT CLWB SHA */
	[FEATURE_PLAIN_7B] = ROW(CPUID_EXT_FEATURES, 0, EBX, BITS4(3, 6, 8, 9) | BITS4(13, 18, 19, 23) | BITS2(24, 29)),
	[FEATURE_FSGSBASE] = ROW(CPUID_EXT_FEATURES, 0, EBX, BIT(0), .cr4 = CR4_FSGSBASE),
	[FEATURE_TSC_ADJUST] = ROW(CPUID_EXT_FEATURES, 0, EBX, BIT(1), .from = FROM_US, .needs = FEATURE_TSC),
	[FEATURE_SMEP] = ROW(CPUID_EXT_FEATURES, 0, EBX, BIT(7), .cr4 = CR4_SMEP),
	[FEATURE_INVPCID] = ROW(CPUID_EXT_FEATURES, 0, EBX, BIT(10)),
	[FEATURE_SMAP] = ROW(CPUID_EXT_FEATURES, 0, EBX, BIT(20), .cr4 = CR4_SMAP),
	/* AVX2 */
	[FEATURE_AVX_7B] = ROW(CPUID_EXT_FEATURES, 0, EBX, BIT(5), .needs = FEATURE_AVX),
	/* GFNI MOVDIRI MOVDIR64B */
	[FEATURE_PLAIN_7C] = ROW(CPUID_EXT_FEATURES, 0, ECX, BITS2(8, 27) | BIT(28)),
	[FEATURE_UMIP] = ROW(CPUID_EXT_FEATURES, 0, ECX, BIT(2), .cr4 = CR4_UMIP),
	/* VAES VPCLMULQDQ */
	[FEATURE_AVX_7C] = ROW(CPUID_EXT_FEATURES, 0, ECX, BITS2(9, 10), .needs = FEATURE_AVX),
	/* FSRM MD_CLEAR SERIALIZE */
	[FEATURE_PLAIN_7D] = ROW(CPUID_EXT_FEATURES, 0, EDX, BITS2(4, 10) | BIT(14)),
	/* FZRM FSRS FSRC */
	[FEATURE_PLAIN_71A] = ROW(CPUID_EXT_FEATURES, 1, EAX, BITS2(10, 11) | BIT(12)),
	/* AVX-VNNI */
	[FEATURE_AVX_71A] = ROW(CPUID_EXT_FEATURES, 1, EAX, BIT(4), .needs = FEATURE_AVX),
	/* XSAVEOPT XSAVEC XGETBV with ECX=1 */
	[FEATURE_PLAIN_D1A] = ROW(CPUID_XSAVE, 1, EAX, BITS2(0, 1) | BIT(2), .needs = FEATURE_XSAVE),
	/* LAHF AltMovCr8 ABM SSE4A MisAlignSse PREFETCHW */
	[FEATURE_PLAIN_AMD1C] = ROW(CPUID_AMD_FEATURES, 0, ECX, BITS4(0, 4, 5, 6) | BITS2(7, 8)),
	/* 3DNow! and its extension */
	[FEATURE_PLAIN_AMD1D] = ROW(CPUID_AMD_FEATURES, 0, EDX, BITS2(30, 31), .needs = FEATURE_AMD),
	[FEATURE_SYSCALL] = ROW(CPUID_AMD_FEATURES, 0, EDX, BIT(11), .efer = EFER_SCE),
	[FEATURE_NX] = ROW(CPUID_AMD_FEATURES, 0, EDX, BIT(20), .efer = EFER_NXE),
	[FEATURE_MMXEXT] = ROW(CPUID_AMD_FEATURES, 0, EDX, BIT(22), .needs = FEATURE_AMD),
	[FEATURE_1G_PAGES] = ROW(CPUID_AMD_FEATURES, 0, EDX, BIT(26)),
	[FEATURE_RDTSCP] = ROW(CPUID_AMD_FEATURES, 0, EDX, BIT(27), .needs = FEATURE_TSC),
	[FEATURE_RDPID] = ROW(CPUID_EXT_FEATURES, 0, ECX, BIT(22), .needs = FEATURE_RDTSCP), /* its MSR */
	[FEATURE_LM] = ROW(CPUID_AMD_FEATURES, 0, EDX, BIT(29), .efer = EFER_LME | EFER_LMA),
	[FEATURE_INVARIANT_TSC] = ROW(CPUID_AMD_POWER, 0, EDX, BIT(8)),
	/* CLZERO RstrFpErrPtrs */
	[FEATURE_PLAIN_AMD8B] = ROW(CPUID_AMD_SIZES, 0, EBX, BITS2(0, 2), .needs = FEATURE_AMD),
};

/* --- what the host says --- */

struct host_cpuid {
	const struct vcpu *v;
	uint32_t basic, extended; /* the last leaves */
};

/* Beyond the last leaf some CPUs answer with another's. */
static void ask(const struct host_cpuid *h, uint32_t leaf, uint32_t sub, uint32_t out[CPUID_REGS])
{
	memset(out, 0, CPUID_REGS * sizeof(*out));
	if (leaf <= h->basic || (leaf >= CPUID_AMD_MAX && leaf <= h->extended))
		h->v->ops->cpuid(h->v, leaf, sub, out);
}

static struct host_cpuid host_cpuid(const struct vcpu *v)
{
	struct host_cpuid h = { .v = v };
	uint32_t out[CPUID_REGS];

	v->ops->cpuid(v, CPUID_VENDOR, 0, out);
	h.basic = out[EAX];
	v->ops->cpuid(v, CPUID_AMD_MAX, 0, out);
	h.extended = out[EAX];
	return h;
}

static bool is_named(const uint32_t vendor[CPUID_REGS], const char *name)
{
	const uint32_t found[] = { vendor[EBX], vendor[EDX], vendor[ECX] };

	return !memcmp(found, name, sizeof(found));
}

/* --- the leaves --- */

static struct feature_leaf *add_leaf(struct features *f, uint32_t leaf, uint32_t sub)
{
	struct feature_leaf *l = &f->leaf[f->leaves++];

	*l = (struct feature_leaf){ .leaf = leaf, .sub = sub };
	return l;
}

static struct feature_leaf *find_leaf(struct features *f, uint32_t leaf, uint32_t sub)
{
	for (unsigned i = 0; i < f->leaves; i++)
		if (f->leaf[i].leaf == leaf && f->leaf[i].sub == sub)
			return &f->leaf[i];
	return add_leaf(f, leaf, sub);
}

/* The host's registers, less what is not in the masks. */
static void copy(struct features *f, const struct host_cpuid *h, uint32_t leaf, uint32_t sub, const uint64_t mask[CPUID_REGS])
{
	struct feature_leaf *l = find_leaf(f, leaf, sub);
	uint32_t out[CPUID_REGS];

	ask(h, leaf, sub, out);
	for (unsigned i = 0; i < CPUID_REGS; i++)
		l->reg[i] |= out[i] & (uint32_t)mask[i];
}

static bool host_has_avx_state(const struct host_cpuid *h)
{
	const uint32_t state = XCR0_SSE | XCR0_AVX;
	uint32_t out[CPUID_REGS];

	ask(h, CPUID_XSAVE, 0, out);
	return (out[EAX] & state) == state;
}

static void show(struct features *f, const struct host_cpuid *h, enum feature which)
{
	const struct feature_row *row = &feature_table[which];
	uint32_t out[CPUID_REGS], bits = row->mask;

	if (!features_show(f, row->needs))
		return;
	if (row->from == FROM_HOST) {
		ask(h, row->leaf, row->sub, out);
		bits &= out[row->reg];
	}
	if (!bits || (which == FEATURE_AVX && !host_has_avx_state(h)))
		return;
	f->shown |= BIT64(which);
	f->cr4 |= row->cr4;
	f->efer |= row->efer;
	f->xcr0 |= row->xcr0;
	find_leaf(f, row->leaf, row->sub)->reg[row->reg] |= bits;
}

static void show_vendor(struct features *f, const struct host_cpuid *h)
{
	struct feature_leaf *l = find_leaf(f, CPUID_VENDOR, 0);
	uint32_t out[CPUID_REGS];

	ask(h, CPUID_VENDOR, 0, out);
	memcpy(l->reg, out, sizeof(out));
	f->shown = BIT64(FEATURE_BASE);
	f->cr4 = feature_table[FEATURE_BASE].cr4;
	if (is_named(out, "AuthenticAMD") || is_named(out, "HygonGenuine"))
		f->shown |= BIT64(FEATURE_AMD);
	else
		f->shown |= BIT64(FEATURE_INTEL);
}

/* "Deterministic Cache Parameters Leaf": one CPU, so nobody shares a cache, and there is one core. */
static void compose_caches(struct features *f, const struct host_cpuid *h)
{
	static const uint64_t cache[] = { MASK(9, 0), MASK(31, 0), MASK(31, 0), MASK(2, 0) };
	static const uint64_t l1_and_tlb[] = { MASK(31, 0), MASK(31, 0), MASK(31, 0), MASK(31, 0) };
	static const uint64_t l2_of_intel[] = { 0, 0, MASK(31, 0), 0 };

	if (features_show(f, FEATURE_INTEL)) {
		/* "CPUID leaf 2 does not report cache descriptor information, use CPUID leaf 4" */
		find_leaf(f, CPUID_CACHES, 0)->reg[EAX] = CACHES_IN_LEAF_4;
		for (uint32_t sub = 0; sub < CACHE_LEVELS; sub++)
			copy(f, h, CPUID_CACHE_PARAMETERS, sub, cache);
		copy(f, h, CPUID_AMD_L2, 0, l2_of_intel);
	} else {
		copy(f, h, CPUID_AMD_L1, 0, l1_and_tlb);
		copy(f, h, CPUID_AMD_L2, 0, l1_and_tlb);
	}
}

/* "Extended Topology Enumeration Leaf": one thread, one core, x2APIC ID 0. */
static void compose_topology(struct features *f)
{
	static const uint32_t type[] = { TOPOLOGY_SMT, TOPOLOGY_CORE };

	for (uint32_t sub = 0; sub < ARRAY_SIZE(type); sub++) {
		struct feature_leaf *l = find_leaf(f, CPUID_TOPOLOGY, sub);

		l->reg[EBX] = 1;
		l->reg[ECX] = TOPOLOGY_TYPE(type[sub]) | sub;
	}
}

/* "Processor Extended State Enumeration Main Leaf". EBX follows XCR0: cpuid.c. */
static void compose_xsave(struct features *f, const struct host_cpuid *h)
{
	static const uint64_t size_and_offset[] = { MASK(31, 0), MASK(31, 0), 0, 0 };
	struct feature_leaf *l;

	if (!features_show(f, FEATURE_XSAVE))
		return;
	f->xsave_avx = XSAVE_LEGACY_SIZE;
	if (f->xcr0 & XCR0_AVX) {
		copy(f, h, CPUID_XSAVE, XSAVE_AVX, size_and_offset);
		l = find_leaf(f, CPUID_XSAVE, XSAVE_AVX);
		f->xsave_avx = l->reg[EBX] + l->reg[EAX];
	}
	l = find_leaf(f, CPUID_XSAVE, 0);
	l->reg[EAX] = (uint32_t)f->xcr0;
	l->reg[ECX] = f->xsave_avx;
}

/* APM v3, "Function 8000_0001h": EDX repeats leaf 1 where it has no meaning of its own; Intel's does not. */
static void compose_amd(struct features *f, const struct host_cpuid *h)
{
	static const uint64_t model[] = { MASK(31, 0), 0, 0, 0 }, all[] = { MASK(31, 0), MASK(31, 0), MASK(31, 0), MASK(31, 0) };
	struct feature_leaf *max = find_leaf(f, CPUID_AMD_MAX, 0);

	max->reg[EAX] = CPUID_AMD_SIZES;
	for (uint32_t leaf = CPUID_AMD_NAME; leaf < CPUID_AMD_NAME + CPUID_AMD_NAME_LEAVES; leaf++)
		copy(f, h, leaf, 0, all);
	if (!features_show(f, FEATURE_AMD))
		return;
	memcpy(&max->reg[EBX], &find_leaf(f, CPUID_VENDOR, 0)->reg[EBX], 3 * sizeof(max->reg[0]));
	copy(f, h, CPUID_AMD_FEATURES, 0, model);
	find_leaf(f, CPUID_AMD_FEATURES, 0)->reg[EDX] |= find_leaf(f, CPUID_FEATURES, 0)->reg[EDX] & AMD_MIRRORED;
}

static void compose_sizes(struct features *f, const struct host_cpuid *h)
{
	uint32_t out[CPUID_REGS], phys;

	ask(h, CPUID_AMD_SIZES, 0, out);
	phys = (uint32_t)min_u64(GET_FIELD(7, 0, out[EAX]), PHYS_BITS_MAX);
	f->phys_bits = (uint8_t)(phys ? phys : PHYS_BITS_DEFAULT);
	find_leaf(f, CPUID_AMD_SIZES, 0)->reg[EAX] = f->phys_bits | (uint32_t)FIELD(15, 8, LINEAR_BITS);
}

/* "Version Information"; one CPU, APIC ID 0. */
static void compose_version(struct features *f, const struct host_cpuid *h)
{
	static const uint64_t version[] = { MASK(31, 0), CLFLUSH_SIZE, 0, 0 };

	copy(f, h, CPUID_FEATURES, 0, version);
	find_leaf(f, CPUID_FEATURES, 0)->reg[EBX] |= ONE_CPU;
}

static void compose_name(struct features *f)
{
	static const char name[] = "IntackIntack";
	struct feature_leaf *l = find_leaf(f, CPUID_HV_VENDOR, 0);

	l->reg[EAX] = CPUID_HV_VENDOR;
	memcpy(&l->reg[EBX], name, 3 * sizeof(l->reg[0]));
}

void features_init(struct features *f, const struct vcpu *v)
{
	struct host_cpuid h = host_cpuid(v);

	memset(f, 0, sizeof(*f));
	show_vendor(f, &h);
	for (enum feature i = FEATURE_AMD + 1; i < FEATURES; i++)
		show(f, &h, i);
	find_leaf(f, CPUID_VENDOR, 0)->reg[EAX] = features_show(f, FEATURE_XSAVE) ? CPUID_XSAVE : CPUID_TOPOLOGY;
	if (find_leaf(f, CPUID_EXT_FEATURES, 1)->reg[EAX])
		find_leaf(f, CPUID_EXT_FEATURES, 0)->reg[EAX] = 1;
	compose_version(f, &h);
	compose_caches(f, &h);
	compose_topology(f);
	compose_xsave(f, &h);
	compose_amd(f, &h);
	compose_sizes(f, &h);
	compose_name(f);
}

static bool has_subleaves(uint32_t leaf)
{
	return leaf == CPUID_CACHE_PARAMETERS || leaf == CPUID_EXT_FEATURES || leaf == CPUID_TOPOLOGY || leaf == CPUID_XSAVE;
}

void features_cpuid(const struct features *f, uint32_t leaf, uint32_t sub, uint32_t out[CPUID_REGS])
{
	uint32_t wanted = has_subleaves(leaf) ? sub : 0;

	memset(out, 0, CPUID_REGS * sizeof(*out));
	for (unsigned i = 0; i < f->leaves; i++)
		if (f->leaf[i].leaf == leaf && f->leaf[i].sub == wanted) {
			memcpy(out, f->leaf[i].reg, sizeof(f->leaf[i].reg));
			return;
		}
}
