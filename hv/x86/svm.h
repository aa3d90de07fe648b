/* SPDX-License-Identifier: BSD-2-Clause
 * The SVM backend.
 * Knows nothing of interrupt controllers: it arms a window or injects because it is told to. */
#pragma once

#include "core/hvm.h"
#include "x86/host.h"
#include "x86/paging.h"
#include "x86/vmcb.h"

/* What the CPU says of itself, as far as it decides whether SVM can be used. */
struct svm_caps {
	bool svm;       /* CPUID Fn8000_0001 ECX.SVM */
	bool disabled;  /* VM_CR.SVMDIS */
	bool locked;    /* VM_CR.LOCK, or no SVM-lock feature: firmware alone can enable it */
	bool npt;       /* CPUID Fn8000_000A EDX.NP */
	bool nrips;     /* CPUID Fn8000_000A EDX.NRIPS */
	uint32_t asids; /* CPUID Fn8000_000A EBX */
	bool tcg;       /* QEMU TCG: its deviations apply (docs/findings.md) */
};

struct svm {
	struct vmcb *vmcb;
	struct vmcb *host_vmcb; /* VMSAVE area of the host */
	void *hsave;
	struct host *host;
	struct nested nested;
	struct svm_caps caps;
	bool window;
	uint32_t exceptions; /* that exit in any case */
	struct {
		bool misses_open_window;  /* VINTR is looked at only when IF becomes 1 */
		bool deaf_while_if_clear; /* a guest entered with IF=0 is not interrupted until IF becomes 1 */
		bool dies_of_shutdown;    /* a triple fault ends the emulator, intercepted or not */
		bool leaves_dr6;          /* a #DB that exits has not written DR6 and DR7 */
	} quirks;
	/* NMI blocking in software: from the injection until the IRET has retired. */
	struct {
		bool masked;
		bool iret_seen;   /* the IRET is about to run, at iret_rip */
		uint64_t iret_rip;
		bool wanted;      /* the window */
		bool step;        /* the IRET is single-stepped; TF and DR6 as the guest has them: */
		bool guest_tf;
		uint64_t guest_dr6;
		bool leaving;     /* the entry is to end behind the shadow that stands at leaving_rip */
		uint64_t leaving_rip;
		unsigned in_vain; /* so many have not */
	} nmi;
};

void svm_probe(struct svm_caps *out);
/* NULL if SVM can be used; else what is missing, for one error line. Pure. */
const char *svm_missing(const struct svm_caps *caps);
/* Between host_takeover() and host_giveback(). E_NOMEM; E_NODEV as svm_missing(). */
int svm_init(struct svm *s, struct host *host, struct page_pool *pool);
void svm_fini(struct svm *s);

extern const struct hvm_ops svm_ops;

/* svm_exit.c: the vendor's exit in the common form. */
void svm_translate_exit(struct svm *s, struct hvm_exit *out);
/* svm.c */
void svm_vmrun(struct hvm_regs *regs, uint64_t vmcb_pa, uint64_t shadow);
void svm_open_window(struct svm *s, bool open);
/* svm_quirks.c: before the first entry. E_NOMEM. */
int svm_find_quirks(struct svm *s, struct page_pool *pool);
/* svm_debug.c: what is special about exits of the guest's debugging. */
void svm_debug_exit(struct vcpu *v, struct hvm_exit *out);
/* Around the entry: the breakpoints of the guest's DR7, where the CPU does not switch them. */
void svm_set_breakpoints(const struct svm *s, bool set);
/* svm_nmi.c */
bool svm_nmi_allowed(const struct vcpu *v);
void svm_nmi_window(struct vcpu *v, bool open);
void svm_nmi_injected(struct svm *s);
void svm_nmi_before_entry(struct svm *s, bool *immediate, uint64_t *deadline);
/* Ends the single step of an IRET; its own #DB becomes HVM_EXIT_NMI_WINDOW. */
void svm_nmi_after_exit(struct svm *s, struct hvm_exit *out);
/* svm_segment.c */
void svm_segment(const struct vcpu *v, enum sreg which, struct hvm_segment *out);
void svm_set_segment(struct vcpu *v, enum sreg which, const struct hvm_segment *val);
