/* SPDX-License-Identifier: BSD-2-Clause
 * The features of the CPU that the guest sees. One table says for each where CPUID shows it, which bits of CR4, EFER and XCR0
 * exist with it and which MSRs; everything else follows from which of them are shown.
 * Knows nothing of the instructions by which a guest asks. */
#pragma once

#include "types.h"

struct vcpu;

/* Several bits of CPUID without state of their own are one row: PLAIN. */
enum feature {
	FEATURE_BASE, /* what every CPU has */
	FEATURE_INTEL,
	FEATURE_AMD,
	FEATURE_PLAIN_1C,
	FEATURE_PCID,
	FEATURE_X2APIC,
	FEATURE_TSC_DEADLINE,
	FEATURE_XSAVE,
	FEATURE_AVX,
	FEATURE_AVX_1C,
	FEATURE_HYPERVISOR,
	FEATURE_PLAIN_1D,
	FEATURE_VME,
	FEATURE_DE,
	FEATURE_PSE,
	FEATURE_TSC,
	FEATURE_PAE,
	FEATURE_MCE,
	FEATURE_APIC,
	FEATURE_SEP,
	FEATURE_MTRR,
	FEATURE_PGE,
	FEATURE_MCA,
	FEATURE_PAT,
	FEATURE_FXSR,
	FEATURE_SSE,
	FEATURE_ARAT,
	FEATURE_PLAIN_7B,
	FEATURE_FSGSBASE,
	FEATURE_TSC_ADJUST,
	FEATURE_SMEP,
	FEATURE_INVPCID,
	FEATURE_SMAP,
	FEATURE_AVX_7B,
	FEATURE_PLAIN_7C,
	FEATURE_UMIP,
	FEATURE_AVX_7C,
	FEATURE_PLAIN_7D,
	FEATURE_PLAIN_71A,
	FEATURE_AVX_71A,
	FEATURE_PLAIN_D1A,
	FEATURE_PLAIN_AMD1C,
	FEATURE_PLAIN_AMD1D,
	FEATURE_SYSCALL,
	FEATURE_NX,
	FEATURE_MMXEXT,
	FEATURE_1G_PAGES,
	FEATURE_RDTSCP,
	FEATURE_RDPID,
	FEATURE_LM,
	FEATURE_INVARIANT_TSC,
	FEATURE_PLAIN_AMD8B,
	FEATURES
};

enum feature_source { FROM_HOST, FROM_US };

struct feature_row {
	uint32_t leaf, sub;
	uint8_t reg;          /* enum cpuid_reg */
	uint32_t mask;        /* 0: no bit of CPUID */
	enum feature_source from;
	enum feature needs;   /* a row before this one */
	uint64_t cr4, efer, xcr0;
};
enum cpuid_reg { EAX, EBX, ECX, EDX, CPUID_REGS };

/* How an MSR answers. */
enum msr_kind {
	MSR_PLAIN,      /* keeps what is written, as far as it is writable */
	MSR_READ_ONLY,
	MSR_WRITE_ONLY, /* and nothing happens */
	MSR_CANONICAL,  /* the CPU's own: an address */
	MSR_OWN,        /* the CPU's own: whatever is written */
	MSR_SPECIAL,    /* msr.c has rules for it */
};

struct msr_row {
	uint32_t first, count;
	enum feature feature;
	enum msr_kind kind;
	uint64_t reset, writable, dropped; /* a 1 in any other bit is #GP */
};
#define MSR_ROWS 48

#define FEATURE_LEAVES 32
struct features {
	uint64_t shown;           /* bits, by enum feature */
	uint64_t cr4, efer, xcr0; /* bits that may be 1 */
	uint8_t phys_bits;
	uint32_t xsave_avx;       /* bytes of an XSAVE area with AVX */
	unsigned leaves;
	struct feature_leaf {
		uint32_t leaf, sub;
		uint32_t reg[CPUID_REGS];
	} leaf[FEATURE_LEAVES];
};
_Static_assert(FEATURES <= 64, "features.shown");

extern const struct feature_row feature_table[FEATURES];
extern const struct msr_row msr_table[MSR_ROWS]; /* ends with rows of count 0 */

/* Out of what the backend can give: hvm_ops.cpuid. Once; not for each exit. */
void features_init(struct features *f, const struct vcpu *v);
static inline bool features_show(const struct features *f, enum feature which)
{
	return f->shown >> which & 1;
}
/* The leaf as it is at reset; zeros where there is none. */
void features_cpuid(const struct features *f, uint32_t leaf, uint32_t sub, uint32_t out[CPUID_REGS]);
/* NULL: no such MSR here. */
const struct msr_row *features_msr(const struct features *f, uint32_t msr);
