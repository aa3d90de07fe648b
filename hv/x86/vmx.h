/* SPDX-License-Identifier: BSD-2-Clause
 * The VMX backend.
 * Knows nothing of interrupt controllers: it arms a window, injects, or lets the CPU deliver out of a page because it is
 * told to. */
#pragma once

#include "check.h"
#include "core/hvm.h"
#include "x86/host.h"
#include "x86/paging.h"
#include "x86/vmcs.h"

/* What the CPU says of itself, as far as it decides whether VMX can be used: CPUID, IA32_FEATURE_CONTROL, and the
 * capability MSRs as they are (0 where there is none). The TRUE ones where the CPU has them. */
struct vmx_caps {
	bool vmx;                 /* CPUID.1:ECX.VMX */
	bool on;                  /* CR4.VMXE is set already: somebody else's */
	uint64_t feature_control; /* IA32_FEATURE_CONTROL */
	uint64_t basic, misc;     /* IA32_VMX_BASIC, IA32_VMX_MISC */
	uint64_t pin, proc, proc2, exit, entry; /* IA32_VMX_*_CTLS: allowed-0 in 31:0, allowed-1 in 63:32 */
	uint64_t ept_vpid;        /* IA32_VMX_EPT_VPID_CAP */
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};

void vmx_probe(struct vmx_caps *out);
/* NULL if VMX can be used; else what is missing, for one error line that names the MSR and the bit. vid: with
 * APIC-register virtualization and virtual-interrupt delivery too. Pure. */
const char *vmx_missing(const struct vmx_caps *caps, bool vid);
/* Whether this CPU can deliver virtual interrupts: vmx_missing(caps, true) is NULL. Pure. */
bool vmx_has_vid(const struct vmx_caps *caps);
/* Whether it processes posted interrupts besides. Pure. */
bool vmx_has_posting(const struct vmx_caps *caps);

/* What vmx_vmenter() answers. */
enum vmx_entry { VMX_ENTERED, VMX_VMFAIL_INVALID, VMX_VMFAIL_VALID };

/* hvm_exit.vendor_code is the exit reason, or this: there was no exit. */
#define VMX_VENDOR_VMFAIL BIT64(32)

/* VMREADs and VMWRITEs between two exits of the guest, by the kind of the first: all of them, and the fewest. */
struct vmcs_count {
	uint64_t exits, reads, writes, least_reads, least_writes;
};

/* Guest state that is read no more than once between an exit and the next entry. */
enum vmx_state {
	STATE_RIP,
	STATE_RSP,
	STATE_RFLAGS,
	STATE_INTERRUPTIBILITY,
	STATE_CS_AR,
	STATE_EFER,
	STATE_CR0,
	STATE_CR3,
	STATE_PENDING_DEBUG,
	STATES
};

struct vmx {
	void *vmxon, *vmcs;
	uint8_t *msrpm, *iopm;
	void *apic_page;
	void *posted;           /* the posted-interrupt descriptor; NULL: the CPU processes none */
	hpa_t apic_access;      /* the APIC-access page */
	struct host *host;
	struct nested nested;
	struct vmx_caps caps;
	bool vid;               /* there are the fields and controls of virtual-interrupt delivery */
	bool on, launched;
	bool invept;            /* before the next entry */
	bool bochs;             /* its deviations apply (docs/findings.md) */
	uint64_t pages_missing; /* RAM that was mapped and is not any more */
	uint64_t host_cr0, host_cr4; /* as they were */
	uint64_t host_rsp;      /* what the field holds; vmx_enter.S keeps it */
	struct {
		uint32_t known; /* bits, by enum vmx_state */
		uint64_t val[STATES];
		bool open;      /* the exit itself has said that IF is 1 and that there is no shadow */
		bool trap;      /* it came behind an instruction that has completed */
	} state;
	/* What we want a field to hold, and what it holds: a field that changes twice between two entries is written once,
	 * one that changes back not at all. */
	struct vmx_control {
		uint32_t want, is;
	} pin, proc, proc2, tpr_threshold;
	/* Fields that only we write, so that nobody needs to read them. */
	bool has_breakpoints;   /* the guest has used its debug registers: DR7 may be another than after reset */
	uint64_t cr0_mask, cr0_shadow, cr4_shadow, tsc_offset, eptp;
	uint64_t eoi_exits[4];
	struct {
		uint64_t mult;    /* 32.32 fixed point ticks per ns */
		uint64_t due;     /* when it expires if the guest runs on; TIME_NEVER: the field holds nothing of use */
		uint64_t stopped; /* by the last exit */
	} timer;
	enum vmx_entry entry;   /* how the last one went */
	struct check check;
#ifdef VMCS_COUNT
	struct vmcs_count count[HVM_EXITS], now;
	enum hvm_exit_kind kind;
#endif
};

/* Between host_takeover() and host_giveback(). apic_page: the LAPIC's registers, page-aligned: the virtual-APIC page, which
 * holds TPR in any case. posted: the posted-interrupt descriptor, used where vmx_has_posting(). E_NOMEM; E_NODEV as
 * vmx_missing(); E_EXIST: VMXON was refused, VMX operation is on already. */
int vmx_init(struct vmx *x, struct host *host, struct page_pool *pool, void *apic_page, void *posted, bool vid);
void vmx_fini(struct vmx *x);

extern const struct hvm_ops vmx_ops;

/* The current VMCS. A field that this CPU does not have, or no VMCS at all, is our own fault. */
#define vmcs_read(x, field) vmcs_read_at(x, field, __FILE__, __LINE__, "vmread(" #field ")")
#define vmcs_write(x, field, val) vmcs_write_at(x, field, val, __FILE__, __LINE__, "vmwrite(" #field ")")

static inline uint64_t vmcs_read_at(struct vmx *x, enum vmcs_field field, const char *file, uint32_t line, const char *text)
{
	uint64_t val;

#ifdef VMCS_COUNT
	x->now.reads++;
#endif
	if (__builtin_expect(vmread(field, &val), 1))
		return val;
	check_failed(&x->check, file, line, text);
	return 0;
}

static inline void vmcs_write_at(struct vmx *x, enum vmcs_field field, uint64_t val, const char *file, uint32_t line,
				 const char *text)
{
#ifdef VMCS_COUNT
	x->now.writes++;
#endif
	if (__builtin_expect(!vmwrite(field, val), 0))
		check_failed(&x->check, file, line, text);
}

/* Guest state, out of the VMCS the first time; written through. */
uint64_t vmx_state(struct vmx *x, enum vmx_state s);
void vmx_set_state(struct vmx *x, enum vmx_state s, uint64_t val);
/* Drops the cached nested translations. False: VMfail. */
bool vmx_invept(const struct vmx *x);
/* vmx_timer.c */
void vmx_timer_init(struct vmx *x);
/* Exits at this time, give or take an eighth of what is left. */
void vmx_timer_arm(struct vmx *x, uint64_t deadline);
/* Exits before the first instruction. */
void vmx_timer_expire(struct vmx *x);
void vmx_timer_stopped(struct vmx *x, uint64_t now, bool expired);
/* vmx_enter.S */
enum vmx_entry vmx_vmenter(struct hvm_regs *regs, uint64_t *host_rsp, bool launched);
/* vmx_quirks.c: before the first entry. E_NOMEM. */
int vmx_unblock_nmi(struct vmx *x, struct page_pool *pool);
/* vmx_ctls.c: all fields as they are before the first entry. */
void vmx_init_vmcs(struct vmx *x);
/* vmx_cpu.c */
void vmx_set_cr0(struct vmx *x, uint64_t val);
void vmx_set_cr4(struct vmx *x, uint64_t val);
void vmx_set_efer(struct vmx *x, uint64_t val);
void vmx_set_pdptes(struct vcpu *v, const uint64_t pdpt[4]);
void vmx_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4]);
uint64_t vmx_guest_tsc(const struct vcpu *v);
void vmx_write_msr(struct vcpu *v, uint32_t msr, uint64_t val);
/* vmx_exit.c: the vendor's exit in the common form. */
void vmx_translate_exit(struct vcpu *v, struct hvm_exit *out);
/* vmx_vid.c */
void vmx_set_vid(struct vcpu *v, enum hvm_vid vid);
void vmx_set_vid_status(struct vcpu *v, uint8_t rvi, uint8_t svi);
void vmx_set_eoi_exits(struct vcpu *v, const uint64_t bitmap[4]);
bool vmx_notify(struct vcpu *v);
/* Behind an exit for an interrupt of the host's. */
void vmx_take_interrupt(struct vmx *x);
/* A page of RAM has come or gone. */
void vmx_vid_page_mapped(struct vcpu *v);
void vmx_vid_page_unmapped(struct vcpu *v);
/* The guest has this MSR without us. */
void vmx_msrpm_pass(struct vmx *x, uint32_t msr);
/* vmx_segment.c */
void vmx_segment(const struct vcpu *v, enum sreg which, struct hvm_segment *out);
void vmx_set_segment(struct vcpu *v, enum sreg which, const struct hvm_segment *val);
