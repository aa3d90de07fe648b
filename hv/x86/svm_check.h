/* SPDX-License-Identifier: BSD-2-Clause
 * Which rules of VMRUN a VMCB breaks.
 * Knows nothing of how the VMCB came to be so. */
#pragma once

#include "x86/entry_check.h"
#include "x86/vmcb.h"

/* What the CPU has, as far as VMRUN's rules depend on it. */
struct svm_check_facts {
	uint8_t phys_bits;           /* CPUID Fn8000_0008 EAX[7:0] */
	bool long_mode;              /* CPUID Fn8000_0001 EDX.LM */
	uint64_t cr4_mbz, efer_mbz;  /* bits that this CPU does not define */
};

/* Pure. */
void svm_check(const struct vmcb *b, const struct svm_check_facts *facts, struct entry_check *out);
