/* SPDX-License-Identifier: BSD-2-Clause
 * The CPU that runs the guest: VMX or SVM, chosen once, by a switch.
 * Knows nothing of guests. */
#pragma once

#include "x86/entry_check.h"
#include "x86/svm.h"
#include "x86/vmx.h"
#include "x86/xstate.h"

enum cpu_vendor { CPU_SVM, CPU_VMX };

/* What the CPU says of itself. */
struct cpu_caps {
	enum cpu_vendor vendor;
	bool amd; /* by its name: without SVM, SVM is what it lacks */
	struct svm_caps svm;
	struct vmx_caps vmx; /* either is all 0 where the other vendor's is used */
};

struct cpu {
	enum cpu_vendor vendor;
	struct xstate xstate; /* the firmware's */
	union {
		struct svm svm;
		struct vmx vmx;
	};
};

/* VMX if the CPU has it, else SVM, there or not. */
void cpu_probe(struct cpu_caps *out);
/* For one error line: what is missing, to run a guest at all or with virtual-interrupt delivery. NULL: nothing. Pure. */
const char *cpu_missing(const struct cpu_caps *caps, bool vid);
/* Pure. */
bool cpu_has_vid(const struct cpu_caps *caps);
/* Pure. */
bool cpu_has_posting(const struct cpu_caps *caps);
/* "vmx", "svm", or "none". Pure. */
const char *cpu_name(const struct cpu_caps *caps);

/* Between host_takeover() and host_giveback(). apic_page, posted and vid as vmx_init(). E_NOMEM, E_NODEV, E_EXIST: as the
 * backends'. After an error there is nothing to end. */
int cpu_init(struct cpu *c, const struct cpu_caps *caps, struct host *host, struct page_pool *pool, void *apic_page,
	     void *posted, bool vid);
void cpu_fini(struct cpu *c);
/* What vcpu_init() takes. */
const struct hvm_ops *cpu_ops(const struct cpu *c);
void *cpu_hw(struct cpu *c);
/* After an entry that was refused, before cpu_fini(): why. */
void cpu_explain(struct cpu *c, struct entry_check *out);
