/* SPDX-License-Identifier: BSD-2-Clause
 * The seam between the kernel half and a CPU: VMX, SVM or the scripted CPU of the tests. A backend translates,
 * it never decides.
 * Knows nothing of interrupt controllers. */
#pragma once

#include "types.h"

struct vcpu;

/* GPRs in encoding order; the entry code of the backends relies on the order. RSP is the backend's (HVM_RSP). */
enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPRS };
struct hvm_regs {
	uint64_t gpr[GPRS];
};

/* Guest state that lives in the VMCB or VMCS. */
enum hvm_reg {
	HVM_RIP,
	HVM_RSP,
	HVM_RFLAGS,
	HVM_CR0,
	HVM_CR2,
	HVM_CR3,
	HVM_CR4,
	HVM_EFER,
	HVM_DR0, /* to HVM_DR3, in a row */
	HVM_DR1,
	HVM_DR2,
	HVM_DR3,
	HVM_DR6,
	HVM_DR7,
	HVM_CPL,        /* read only: SS.DPL */
	HVM_ES_BASE,    /* to HVM_GS_BASE in the order of enum sreg, read only */
	HVM_CS_BASE,
	HVM_SS_BASE,
	HVM_DS_BASE,
	HVM_FS_BASE,
	HVM_GS_BASE,
	HVM_CS,
	HVM_SS,
	HVM_CS_MODE,    /* enum cs_mode, read only */
	HVM_PAT,
	HVM_TSC_OFFSET,
	HVM_XCR0,       /* write only */
	HVM_VID_STATUS, /* RVI in 7:0, SVI in 15:8, read only and only with VID */
};
enum cs_mode { CS_16, CS_32, CS_64 };

/* Segment and table registers; the first six in the order of their encodings. */
enum sreg { SREG_ES, SREG_CS, SREG_SS, SREG_DS, SREG_FS, SREG_GS, SREG_LDTR, SREG_TR, SREG_GDTR, SREG_IDTR, SREGS };
struct hvm_segment {
	uint64_t base;
	uint32_t limit; /* in bytes, whatever G says */
	uint32_t ar;    /* AR_* of x86.h; 0 of GDTR and IDTR */
	uint16_t selector;
};

enum event_type { EVENT_NONE, EVENT_INTR, EVENT_NMI, EVENT_EXCEPTION, EVENT_SOFT };
struct event {
	enum event_type type;
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

/* What starts a task switch; the order is that of VMX. */
enum task_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE };
struct hvm_task {
	uint16_t selector; /* of the new TSS */
	enum task_source source;
	uint8_t insn_len;  /* of the instruction that started it, INT n included */
	struct event event; /* TASK_GATE: what is being delivered; SOFT by an instruction */
};

enum hvm_exit_kind {
	HVM_EXIT_NONE,       /* the backend's own business; evaluate and enter again */
	HVM_EXIT_INTR,       /* host interrupt (timer, kick), already taken by the host */
	HVM_EXIT_WINDOW,     /* the interrupt window opened; the backend has closed it */
	HVM_EXIT_NMI_WINDOW, /* NMIs can be taken again */
	HVM_EXIT_HLT,
	HVM_EXIT_IO,
	HVM_EXIT_CPUID,
	HVM_EXIT_RDMSR,
	HVM_EXIT_WRMSR,
	HVM_EXIT_CR_WRITE,   /* MOV to CR0, CR3, CR4 or CR8; LMSW */
	HVM_EXIT_TPR,        /* CR8 fell below the threshold of set_tpr; the write is done */
	HVM_EXIT_EOI,        /* VID: EOI of a vector of set_eoi_exits; ISR is done: `eoi_vector` */
	HVM_EXIT_APIC_WRITE, /* VID: a register in the LAPIC's page was written, its effect is still due: `apic_offset` */
	HVM_EXIT_NPF,        /* nested page fault, EPT violation */
	HVM_EXIT_XSETBV,
	HVM_EXIT_UD,         /* an instruction that the guest's CPU does not have */
	HVM_EXIT_GP,         /* one that is privileged beyond ring 0 here: RDPMC */
	HVM_EXIT_NOP,        /* INVD, WBINVD: done by skipping it */
	HVM_EXIT_EXCEPTION,  /* intercepted only to be given to the guest after a clean-up: `event` */
	HVM_EXIT_TASK,       /* a task switch; the event that it delivers is no `vectoring`: it is delivered with it */
	HVM_EXIT_SHUTDOWN,
	HVM_EXIT_FAIL_ENTRY,
	HVM_EXIT_UNKNOWN,
	HVM_EXITS
};

struct hvm_exit {
	enum hvm_exit_kind kind;
	uint8_t insn_len;  /* 0: not known, decode it */
	uint64_t now;      /* ns, read once per exit */
	uint64_t vendor_code, vendor_info[2];
	struct event vectoring; /* delivery that this exit cut short; SOFT is re-executed, so never reported */
	union {
		struct {
			uint16_t port;
			uint8_t size;
			bool in, string;
		} io;
		struct {
			gpa_t gpa;
			bool write, fetch, walk; /* walk: while reading guest page tables */
		} npf;
		struct event event;
		struct hvm_task task;
		uint8_t eoi_vector;
		uint16_t apic_offset;
	};
};

/* Virtual-interrupt delivery: who delivers the vectors of the local APIC. */
enum hvm_vid {
	HVM_VID_OFF,   /* software injects them */
	HVM_VID_XAPIC, /* the CPU, out of the LAPIC's page; the guest reaches it at APIC_DEFAULT_PHYS */
	HVM_VID_X2APIC /* the same by MSR */
};

/* The first of the two function tables. */
struct hvm_ops {
	const char *name;
	/* Runs the guest until an exit. Returns no later than `deadline` (ns). immediate: exit before the first
	 * instruction, but after the delivery of what was injected. Fills out completely. */
	void (*enter)(struct vcpu *v, uint64_t deadline, bool immediate, struct hvm_exit *out);
	/* A of the rule: IF=1 and no shadow. */
	bool (*intr_allowed)(const struct vcpu *v);
	bool (*nmi_allowed)(const struct vcpu *v);
	bool (*shadow)(const struct vcpu *v);
	bool (*if_flag)(const struct vcpu *v);
	/* For the next entry. SOFT is never injected: the instruction runs again. */
	void (*inject)(struct vcpu *v, const struct event *e);
	/* Arm or disarm; takes effect at the next entry. */
	void (*intr_window)(struct vcpu *v, bool open);
	void (*nmi_window)(struct vcpu *v, bool open);
	/* Past an emulated instruction: RIP moves, the shadow ends. */
	void (*skip)(struct vcpu *v, uint8_t len);
	uint64_t (*get)(const struct vcpu *v, enum hvm_reg reg);
	void (*set)(struct vcpu *v, enum hvm_reg reg, uint64_t val);
	/* The PDPTEs of PAE paging, checked. NULL: there are no registers for them, and
	 * the CPU reads and checks them in memory at each walk. */
	void (*set_pdptes)(struct vcpu *v, const uint64_t pdpt[4]);
	void (*segment)(const struct vcpu *v, enum sreg which, struct hvm_segment *out);
	void (*set_segment)(struct vcpu *v, enum sreg which, const struct hvm_segment *val);
	/* TPR as the guest reads it by CR8, or in the LAPIC's page. A write of CR8 that leaves TPR[7:4] below the threshold
	 * exits: after it by HVM_EXIT_TPR, or before it by HVM_EXIT_CR_WRITE. A backend that keeps no more than TPR[7:4]
	 * lets every write exit while TPR[3:0] is not 0. */
	void (*set_tpr)(struct vcpu *v, uint8_t tpr, uint8_t threshold);
	uint8_t (*get_cr8)(const struct vcpu *v);
	/* The next three only where VID was asked for and is there. */
	void (*set_vid)(struct vcpu *v, enum hvm_vid vid);
	/* Software has changed IRR or ISR: the highest bit of each, 0 if none (RVI and SVI). */
	void (*set_vid_status)(struct vcpu *v, uint8_t rvi, uint8_t svi);
	/* Vectors whose EOI exits. */
	void (*set_eoi_exits)(struct vcpu *v, const uint64_t bitmap[4]);
	/* Only where posting was asked for and is there: the notification of the LAPIC's posted-interrupt descriptor, which the
	 * CPU is to process at the start of the entry that follows. false: it would do so too late, software is to. */
	bool (*notify)(struct vcpu *v);
	/* Nested translation of one page of RAM. E_NOMEM when the page pool is empty. */
	int (*map)(struct vcpu *v, gpa_t gpa, hpa_t hpa);
	void (*unmap)(struct vcpu *v, gpa_t gpa);
	/* Sleeps until deadline or a host event; returns the time. */
	uint64_t (*halt)(struct vcpu *v, uint64_t deadline);
	uint64_t (*now)(const struct vcpu *v);
	/* What RDTSC would give the guest. */
	uint64_t (*guest_tsc)(const struct vcpu *v);
	/* The host's CPUID, less what this backend cannot give a guest. */
	void (*cpuid)(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4]);
	/* An MSR that the guest owns, where its writes exit; and TSC_AUX. */
	void (*write_msr)(struct vcpu *v, uint32_t msr, uint64_t val);
};
