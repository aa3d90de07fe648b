/* SPDX-License-Identifier: BSD-2-Clause
 * The VMCB and the SVM feature bits, under the APM's names.
 * Knows nothing of who fills them. */
#pragma once

#include "bits.h"

/* APM v2, "Layout of VMCB", intercept vectors */
#define INTERCEPT_CR_WRITE(n) BIT(16 + (n))
#define INTERCEPT_DR_WRITE(n) BIT(16 + (n))
#define INTERCEPT_INTR BIT(0)
#define INTERCEPT_NMI BIT(1)
#define INTERCEPT_SMI BIT(2)
#define INTERCEPT_INIT BIT(3)
#define INTERCEPT_VINTR BIT(4)
#define INTERCEPT_CR0_SEL_WRITE BIT(5)
#define INTERCEPT_RDPMC BIT(15)
#define INTERCEPT_CPUID BIT(18)
#define INTERCEPT_RSM BIT(19)
#define INTERCEPT_IRET BIT(20)
#define INTERCEPT_INVD BIT(22)
#define INTERCEPT_HLT BIT(24)
#define INTERCEPT_INVLPGA BIT(26)
#define INTERCEPT_IOIO_PROT BIT(27)
#define INTERCEPT_MSR_PROT BIT(28)
#define INTERCEPT_TASK_SWITCH BIT(29)
#define INTERCEPT_FERR_FREEZE BIT(30)
#define INTERCEPT_SHUTDOWN BIT(31)
/* second vector */
#define INTERCEPT_VMRUN BIT(0)
#define INTERCEPT_VMMCALL BIT(1)
#define INTERCEPT_VMLOAD BIT(2)
#define INTERCEPT_VMSAVE BIT(3)
#define INTERCEPT_STGI BIT(4)
#define INTERCEPT_CLGI BIT(5)
#define INTERCEPT_SKINIT BIT(6)
#define INTERCEPT_RDTSCP BIT(7)
#define INTERCEPT_ICEBP BIT(8)
#define INTERCEPT_WBINVD BIT(9)
#define INTERCEPT_MONITOR BIT(10)
#define INTERCEPT_MWAIT BIT(11)
#define INTERCEPT_MWAIT_ARMED BIT(12)
#define INTERCEPT_XSETBV BIT(13)

#define TLB_CONTROL_NOTHING 0
#define TLB_CONTROL_FLUSH_ALL 1

#define INT_CTL_V_TPR(v) ((uint32_t)GET_FIELD(7, 0, v))
#define INT_CTL_V_TPR_MASK ((uint32_t)MASK(7, 0))
#define INT_CTL_V_IRQ BIT(8)
#define INT_CTL_V_INTR_PRIO(p) ((uint32_t)FIELD(19, 16, p))
#define INT_CTL_V_IGN_TPR BIT(20)
#define INT_CTL_V_INTR_MASKING BIT(24)
#define INT_CTL_PRIO_MAX 15

#define INT_STATE_SHADOW BIT(0)

#define NP_ENABLE BIT(0)

/* EVENTINJ and EXITINTINFO */
#define EVENT_VECTOR(e) ((uint8_t)GET_FIELD(7, 0, e))
#define EVENT_TYPE(e) GET_FIELD(10, 8, e)
#define EVENT_TYPE_FIELD(t) FIELD(10, 8, t)
#define EVENT_ERROR_VALID BIT64(11)
#define EVENT_VALID BIT64(31)
#define EVENT_ERROR(e) ((uint32_t)GET_FIELD(63, 32, e))
#define EVENT_ERROR_FIELD(v) FIELD(63, 32, v)
enum { EVENT_TYPE_INTR = 0, EVENT_TYPE_NMI = 2, EVENT_TYPE_EXEPT = 3, EVENT_TYPE_SOFT = 4 };

#define IOIO_IN BIT64(0)
#define IOIO_STR BIT64(2)
#define IOIO_REP BIT64(3)
#define IOIO_SIZE(i) ((uint8_t)GET_FIELD(6, 4, i))       /* one bit each: 1, 2, 4 bytes */
#define IOIO_ADDR_SIZE(i) ((uint8_t)(GET_FIELD(9, 7, i) * 2)) /* one bit each: 2, 4, 8 bytes */
#define IOIO_PORT(i) ((uint16_t)GET_FIELD(31, 16, i))

#define NPF_WRITE BIT64(1)
#define NPF_FETCH BIT64(4)
#define NPF_WALK BIT64(33)

#define MSR_EXIT_WRITE BIT64(0)

/* APM v2, "SVM Intercept Codes" */
enum svm_exit_code {
	VMEXIT_CR3_WRITE = 0x13,
	VMEXIT_CR4_WRITE = 0x14,
	VMEXIT_CR8_WRITE = 0x18,
	VMEXIT_DR5_WRITE = 0x35,
	VMEXIT_DR7_WRITE = 0x37,
	VMEXIT_EXCP_BASE = 0x40,
	VMEXIT_EXCP_LAST = 0x5f,
	VMEXIT_INTR = 0x60,
	VMEXIT_NMI = 0x61,
	VMEXIT_SMI = 0x62,
	VMEXIT_INIT = 0x63,
	VMEXIT_VINTR = 0x64,
	VMEXIT_CR0_SEL_WRITE = 0x65,
	VMEXIT_RDPMC = 0x6f,
	VMEXIT_CPUID = 0x72,
	VMEXIT_RSM = 0x73,
	VMEXIT_IRET = 0x74,
	VMEXIT_INVD = 0x76,
	VMEXIT_HLT = 0x78,
	VMEXIT_INVLPGA = 0x7a,
	VMEXIT_IOIO = 0x7b,
	VMEXIT_MSR = 0x7c,
	VMEXIT_TASK_SWITCH = 0x7d,
	VMEXIT_FERR_FREEZE = 0x7e,
	VMEXIT_SHUTDOWN = 0x7f,
	VMEXIT_VMRUN = 0x80,
	VMEXIT_VMMCALL = 0x81,
	VMEXIT_VMLOAD = 0x82,
	VMEXIT_VMSAVE = 0x83,
	VMEXIT_STGI = 0x84,
	VMEXIT_CLGI = 0x85,
	VMEXIT_SKINIT = 0x86,
	VMEXIT_RDTSCP = 0x87,
	VMEXIT_ICEBP = 0x88,
	VMEXIT_WBINVD = 0x89,
	VMEXIT_MONITOR = 0x8a,
	VMEXIT_MWAIT = 0x8b,
	VMEXIT_MWAIT_ARMED = 0x8c,
	VMEXIT_XSETBV = 0x8d,
	VMEXIT_NPF = 0x400,
};
#define VMEXIT_INVALID (~0ull)
#define VMEXIT_INVALID_TCG UINT32_MAX /* QEMU TCG stores 32 bits of it, and the host's state over the guest's (7.2) */

struct vmcb_control {
	uint32_t intercept_cr, intercept_dr, intercept_exceptions, intercept_1, intercept_2;
	uint8_t reserved_014[0x3c - 0x14];
	uint16_t pause_threshold, pause_count;
	uint64_t iopm_base_pa, msrpm_base_pa, tsc_offset;
	uint32_t guest_asid;
	uint8_t tlb_control, reserved_05d[3];
	uint32_t int_ctl, int_vector;
	uint64_t int_state;
	uint64_t exitcode, exitinfo1, exitinfo2, exitintinfo;
	uint64_t np_enable, avic_apic_bar, ghcb, eventinj, n_cr3, lbr_ctl;
	uint32_t clean, reserved_0c4;
	uint64_t nrip;
	uint8_t insn_len, insn[15];
	uint8_t reserved_0e0[0x400 - 0xe0];
};

struct vmcb_segment {
	uint16_t selector, attributes;
	uint32_t limit;
	uint64_t base;
};
/* Attributes, packed: bits 7:0 and 11:8 are the descriptor's bits 47:40 and 55:52. */
#define SEG_TO_AR(a) ((uint32_t)(GET_FIELD(7, 0, a) | FIELD(15, 12, GET_FIELD(11, 8, a))))
#define AR_TO_SEG(ar) ((uint16_t)(GET_FIELD(7, 0, ar) | FIELD(11, 8, GET_FIELD(15, 12, ar))))
#define SEG_CODE 0x9b
#define SEG_DATA 0x93
#define SEG_LDT 0x82
#define SEG_TSS_BUSY 0x8b
#define SEG_L BIT(9)
#define SEG_DB BIT(10)
#define SEG_G BIT(11)

struct vmcb_save {
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_0a0[0xcb - 0xa0];
	uint8_t cpl;
	uint32_t reserved_0cc;
	uint64_t efer;
	uint8_t reserved_0d8[0x148 - 0xd8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_180[0x1d8 - 0x180];
	uint64_t rsp;
	uint8_t reserved_1e0[0x1f8 - 0x1e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_248[0x268 - 0x248];
	uint64_t g_pat;
	uint8_t reserved_270[0xc00 - 0x270];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
};
#define VMCB_CONTROL "APM v2, \"VMCB Layout, Control Area\""
#define VMCB_SAVE "APM v2, \"VMCB Layout, State Save Area\""
CHECK_LAYOUT(struct vmcb_control, iopm_base_pa, 0x40, VMCB_CONTROL);
CHECK_LAYOUT(struct vmcb_control, guest_asid, 0x58, VMCB_CONTROL);
CHECK_LAYOUT(struct vmcb_control, int_ctl, 0x60, VMCB_CONTROL);
CHECK_LAYOUT(struct vmcb_control, int_state, 0x68, VMCB_CONTROL);
CHECK_LAYOUT(struct vmcb_control, exitcode, 0x70, VMCB_CONTROL);
CHECK_LAYOUT(struct vmcb_control, exitintinfo, 0x88, VMCB_CONTROL);
CHECK_LAYOUT(struct vmcb_control, eventinj, 0xa8, VMCB_CONTROL);
CHECK_LAYOUT(struct vmcb_control, n_cr3, 0xb0, VMCB_CONTROL);
CHECK_LAYOUT(struct vmcb_control, nrip, 0xc8, VMCB_CONTROL);
CHECK_LAYOUT(struct vmcb, save, 0x400, VMCB_SAVE);
CHECK_LAYOUT(struct vmcb_save, tr, 0x90, VMCB_SAVE);
CHECK_LAYOUT(struct vmcb_save, cpl, 0xcb, VMCB_SAVE);
CHECK_LAYOUT(struct vmcb_save, efer, 0xd0, VMCB_SAVE);
CHECK_LAYOUT(struct vmcb_save, cr4, 0x148, VMCB_SAVE);
CHECK_LAYOUT(struct vmcb_save, rip, 0x178, VMCB_SAVE);
CHECK_LAYOUT(struct vmcb_save, rsp, 0x1d8, VMCB_SAVE);
CHECK_LAYOUT(struct vmcb_save, rax, 0x1f8, VMCB_SAVE);
CHECK_LAYOUT(struct vmcb_save, cr2, 0x240, VMCB_SAVE);
CHECK_LAYOUT(struct vmcb_save, g_pat, 0x268, VMCB_SAVE);
_Static_assert(sizeof(struct vmcb) == 4096, VMCB_SAVE);
