/* SPDX-License-Identifier: BSD-2-Clause
 * Which rules of a VM entry a VMCS breaks.
 * Knows nothing of how the VMCS came to be so, nor of how it is read. */
#pragma once

#include "x86/entry_check.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

/* The fields that the rules need, under the names of vmcs.h. Those of the segment registers stand in the order of their
 * encodings. */
#define VMX_CHECK_FIELDS(X) \
	X(PIN_CTLS) X(PROC_CTLS) X(PROC_CTLS2) X(EXIT_CTLS) X(ENTRY_CTLS) X(CR3_TARGET_COUNT) X(IO_BITMAP_A) X(IO_BITMAP_B) \
	X(MSR_BITMAP) X(VIRTUAL_APIC_ADDR) X(APIC_ACCESS_ADDR) X(TPR_THRESHOLD) X(POSTED_INTR_VECTOR) \
	X(POSTED_INTR_DESC_ADDR) X(VPID) X(EPT_POINTER) X(EXIT_MSR_STORE_COUNT) X(EXIT_MSR_STORE_ADDR) \
	X(EXIT_MSR_LOAD_COUNT) X(EXIT_MSR_LOAD_ADDR) X(ENTRY_MSR_LOAD_COUNT) X(ENTRY_MSR_LOAD_ADDR) X(ENTRY_INTR_INFO) \
	X(ENTRY_EXCEPTION_ERROR) X(ENTRY_INSN_LEN) \
	X(HOST_CR0) X(HOST_CR3) X(HOST_CR4) X(HOST_SYSENTER_ESP) X(HOST_SYSENTER_EIP) X(HOST_PAT) X(HOST_EFER) X(HOST_ES) \
	X(HOST_CS) X(HOST_SS) X(HOST_DS) X(HOST_FS) X(HOST_GS) X(HOST_TR) X(HOST_FS_BASE) X(HOST_GS_BASE) X(HOST_TR_BASE) \
	X(HOST_GDTR_BASE) X(HOST_IDTR_BASE) X(HOST_RIP) \
	X(GUEST_CR0) X(GUEST_CR3) X(GUEST_CR4) X(GUEST_DEBUGCTL) X(GUEST_DR7) X(GUEST_SYSENTER_ESP) X(GUEST_SYSENTER_EIP) \
	X(GUEST_PAT) X(GUEST_EFER) \
	X(GUEST_ES) X(GUEST_CS) X(GUEST_SS) X(GUEST_DS) X(GUEST_FS) X(GUEST_GS) X(GUEST_LDTR) X(GUEST_TR) \
	X(GUEST_ES_BASE) X(GUEST_CS_BASE) X(GUEST_SS_BASE) X(GUEST_DS_BASE) X(GUEST_FS_BASE) X(GUEST_GS_BASE) \
	X(GUEST_LDTR_BASE) X(GUEST_TR_BASE) X(GUEST_GDTR_BASE) X(GUEST_IDTR_BASE) \
	X(GUEST_ES_LIMIT) X(GUEST_CS_LIMIT) X(GUEST_SS_LIMIT) X(GUEST_DS_LIMIT) X(GUEST_FS_LIMIT) X(GUEST_GS_LIMIT) \
	X(GUEST_LDTR_LIMIT) X(GUEST_TR_LIMIT) X(GUEST_GDTR_LIMIT) X(GUEST_IDTR_LIMIT) \
	X(GUEST_ES_AR) X(GUEST_CS_AR) X(GUEST_SS_AR) X(GUEST_DS_AR) X(GUEST_FS_AR) X(GUEST_GS_AR) X(GUEST_LDTR_AR) \
	X(GUEST_TR_AR) \
	X(GUEST_RIP) X(GUEST_RFLAGS) X(GUEST_ACTIVITY) X(GUEST_INTERRUPTIBILITY) X(GUEST_PENDING_DEBUG) X(LINK_POINTER) \
	X(GUEST_PDPTE0) X(GUEST_PDPTE1) X(GUEST_PDPTE2) X(GUEST_PDPTE3)
#define VMX_CHECK_ENUM(name) VF_##name,
enum vmx_check_field { VF_END, VMX_CHECK_FIELDS(VMX_CHECK_ENUM) VMX_CHECK_COUNT };
#undef VMX_CHECK_ENUM
_Static_assert(VMX_CHECK_COUNT <= UINT8_MAX, "a list of fields is a list of bytes");

/* How the CPU answered VMLAUNCH or VMRESUME. SDM v3, "Conventions". */
enum vmx_refusal {
	VMX_FAIL_INVALID, /* VMfailInvalid: there is no current VMCS */
	VMX_FAIL_VALID,   /* VMfailValid: `insn_error` */
	VMX_FAIL_LOADING, /* an exit with the failure bit: `exit_reason`, `qualification` */
};

struct vmx_snapshot {
	struct vmx_caps caps;
	uint8_t phys_bits, linear_bits; /* CPUID.80000008H:EAX */
	uint8_t vtpr;                   /* byte 80H of the virtual-APIC page */
	enum vmx_refusal refusal;
	uint32_t insn_error, exit_reason;
	uint64_t qualification;
	uint64_t field[VMX_CHECK_COUNT]; /* 0 where this CPU has no such field: then no rule that holds here asks for it */
};

/* The encoding of each field but VF_END. */
extern const uint16_t vmx_check_encoding[VMX_CHECK_COUNT];

/* Pure. */
void vmx_check(const struct vmx_snapshot *s, struct entry_check *out);
/* SDM v3, "VM-Instruction Error Numbers" */
const char *vmx_insn_error_name(uint32_t error);

/* --- between the files of the check --- */

struct vmx_checker {
	const struct vmx_snapshot *s;
	struct entry_check *out;
	const char *where;
};

/* One rule, and the fields that it is about. */
void vmx_need(const struct vmx_checker *k, bool holds, const char *rule, const uint8_t *fields);
#define VMX_NEED(k, holds, rule, ...) vmx_need(k, holds, rule, (const uint8_t[]){ __VA_ARGS__, VF_END })

static inline uint64_t vmx_field(const struct vmx_checker *k, unsigned f)
{
	return k->s->field[f];
}

bool vmx_check_canonical(const struct vmx_checker *k, unsigned f);
/* No bit beyond the physical-address width. */
bool vmx_check_physical(const struct vmx_checker *k, uint64_t address);
/* "must not set any bit to a value not supported in VMX operation" */
bool vmx_check_fixed(uint64_t value, uint64_t fixed0, uint64_t fixed1);
bool vmx_check_pin(const struct vmx_checker *k, uint32_t control);
bool vmx_check_proc2(const struct vmx_checker *k, uint32_t control);
/* Whether the entry injects an event of this type. */
bool vmx_check_injects(const struct vmx_checker *k, enum vmx_intr_type type);

/* vmx_ctls_check.c: "Checks on VMX Controls" */
void vmx_check_controls(const struct vmx_checker *k);
/* vmx_guest_check.c: "Checks on the Guest State Area" */
void vmx_check_guest(const struct vmx_checker *k);
/* vmx_segment_check.c */
void vmx_check_guest_segments(const struct vmx_checker *k);
