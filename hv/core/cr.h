/* SPDX-License-Identifier: BSD-2-Clause
 * Writes of CR0, CR3, CR4 and EFER: each takes effect or is #GP, and what comes out no CPU refuses to enter.
 * Knows nothing of how a guest writes them. */
#pragma once

#include "types.h"

struct vcpu;

#define PDPTES 4

enum cr { CR_0, CR_3, CR_4, CR_EFER };

/* The state that the rules are about. */
struct cr_state {
	uint64_t cr0, cr3, cr4, efer;
	bool cs_l;   /* CS.L, whatever the mode */
	bool tss_16; /* TR holds a 16-bit TSS */
};

/* The CPU that the guest sees. */
struct cr_cpu {
	uint64_t cr4, efer; /* bits that may be 1 */
	uint8_t phys_bits;
};

/* What an instruction makes of s. false: #GP(0), and s is as it was. Pure. */
bool cr_write(struct cr_state *s, const struct cr_cpu *cpu, enum cr which, uint64_t val);
/* Whether the step from one state to the next, by a write of `which`, loads the PDPTEs. Pure. */
bool cr_loads_pdptes(const struct cr_state *from, const struct cr_state *to, enum cr which);
/* Pure. */
bool cr_pdptes_valid(const uint64_t pdpt[PDPTES], uint8_t phys_bits);

/* The vCPU's own: false is #GP(0), nothing has changed. */
bool vcpu_write_cr(struct vcpu *v, enum cr which, uint64_t val);
bool vcpu_lmsw(struct vcpu *v, uint64_t val);
bool vcpu_write_xcr0(struct vcpu *v, uint64_t val);
