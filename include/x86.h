/* SPDX-License-Identifier: BSD-2-Clause
 * Architectural bits under the names of the Intel SDM and the AMD APM.
 * Knows nothing of VMX, SVM or who uses them. */
#pragma once

#include "bits.h"

#define RFLAGS_CF BIT64(0)
#define RFLAGS_RESERVED1 BIT64(1)
#define RFLAGS_PF BIT64(2)
#define RFLAGS_AF BIT64(4)
#define RFLAGS_ZF BIT64(6)
#define RFLAGS_SF BIT64(7)
#define RFLAGS_TF BIT64(8)
#define RFLAGS_IF BIT64(9)
#define RFLAGS_DF BIT64(10)
#define RFLAGS_OF BIT64(11)
#define RFLAGS_IOPL MASK(13, 12)
#define RFLAGS_NT BIT64(14)
#define RFLAGS_RF BIT64(16)
#define RFLAGS_VM BIT64(17)
#define RFLAGS_AC BIT64(18)
#define RFLAGS_ID BIT64(21)
#define RFLAGS_VIP BIT64(20)
#define RFLAGS_VIF BIT64(19)

#define CPL_USER 3

#define CR0_PE BIT64(0)
#define CR0_MP BIT64(1)
#define CR0_EM BIT64(2)
#define CR0_TS BIT64(3)
#define CR0_ET BIT64(4)
#define CR0_NE BIT64(5)
#define CR0_WP BIT64(16)
#define CR0_AM BIT64(18)
#define CR0_NW BIT64(29)
#define CR0_CD BIT64(30)
#define CR0_PG BIT64(31)
#define CR0_RESERVED MASK(63, 32)

#define CR4_VME BIT64(0)
#define CR4_PVI BIT64(1)
#define CR4_TSD BIT64(2)
#define CR4_DE BIT64(3)
#define CR4_PSE BIT64(4)
#define CR4_PAE BIT64(5)
#define CR4_MCE BIT64(6)
#define CR4_PGE BIT64(7)
#define CR4_PCE BIT64(8)
#define CR4_OSFXSR BIT64(9)
#define CR4_OSXMMEXCPT BIT64(10)
#define CR4_UMIP BIT64(11)
#define CR4_LA57 BIT64(12)
#define CR4_VMXE BIT64(13)
#define CR4_FSGSBASE BIT64(16)
#define CR4_PCIDE BIT64(17)
#define CR4_OSXSAVE BIT64(18)
#define CR4_SMEP BIT64(20)
#define CR4_SMAP BIT64(21)
#define CR4_CET BIT64(23)

#define EFER_SCE BIT64(0)
#define EFER_LME BIT64(8)
#define EFER_LMA BIT64(10)
#define EFER_NXE BIT64(11)
#define EFER_SVME BIT64(12)

/* Access rights of a segment as LAR and the VMCS give them: bits 7:0 and 15:12 are the descriptor's bits 47:40 and 55:52. */
#define AR_TYPE(ar) GET_FIELD(3, 0, ar)
/* of code and data segments */
#define AR_TYPE_WRITABLE BIT(1)
#define AR_TYPE_READABLE BIT(1)
#define AR_TYPE_EXPAND_DOWN BIT(2)
#define AR_TYPE_CODE BIT(3)
#define AR_S BIT(4)
#define AR_DPL(ar) GET_FIELD(6, 5, ar)
#define AR_DPL_FIELD(dpl) ((uint32_t)FIELD(6, 5, dpl))
#define AR_P BIT(7)
#define AR_AVL BIT(12)
#define AR_L BIT(13)
#define AR_DB BIT(14)
#define AR_G BIT(15)
#define AR_UNUSABLE BIT(16)
#define AR_RESERVED (MASK(11, 8) | MASK(31, 17))
#define AR_TSS_32 BIT(3) /* and not 16 bits */
#define AR_CODE 0x9b
#define AR_DATA 0x93
#define AR_TSS_BUSY 0x8b

#define XCR0_X87 BIT64(0)
#define XCR0_SSE BIT64(1)
#define XCR0_AVX BIT64(2)

#define DR6_B(n) BIT64(n)
#define DR6_BD BIT64(13)
#define DR6_BS BIT64(14)
#define DR6_BREAKPOINTS MASK(3, 0)
#define DR6_BT BIT64(15)
#define DR6_INIT 0xffff0ff0ull
#define DR7_INIT 0x400ull
#define DR7_ENABLE MASK(7, 0) /* L0 to G3 */
#define DR7_GD BIT64(13)

#define VEC_DE 0
#define VEC_DB 1
#define VEC_NMI 2
#define VEC_BP 3
#define VEC_OF 4
#define VEC_BR 5
#define VEC_UD 6
#define VEC_NM 7
#define VEC_DF 8
#define VEC_TS 10
#define VEC_NP 11
#define VEC_SS 12
#define VEC_GP 13
#define VEC_PF 14
#define VEC_MF 16
#define VEC_AC 17
#define VEC_MC 18
#define VEC_XM 19
#define VEC_LAST_EXCEPTION 31

#define MSR_P5_MC_ADDR 0x0
#define MSR_P5_MC_TYPE 0x1
#define MSR_TSC 0x10
#define MSR_PLATFORM_ID 0x17
#define MSR_APIC_BASE 0x1b
#define MSR_FEATURE_CONTROL 0x3a
#define MSR_TSC_ADJUST 0x3b
#define MSR_BIOS_UPDT_TRIG 0x79
#define MSR_UCODE_REV 0x8b
#define MSR_PLATFORM_INFO 0xce
#define MSR_MTRRCAP 0xfe
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17a
#define MSR_MISC_ENABLE 0x1a0
#define MSR_DEBUGCTL 0x1d9
#define MSR_PAT 0x277
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MSR_VMX_BASIC 0x480
#define MSR_VMX_PINBASED_CTLS 0x481
#define MSR_VMX_PROCBASED_CTLS 0x482
#define MSR_VMX_EXIT_CTLS 0x483
#define MSR_VMX_ENTRY_CTLS 0x484
#define MSR_VMX_MISC 0x485
#define MSR_VMX_CR0_FIXED0 0x486
#define MSR_VMX_CR0_FIXED1 0x487
#define MSR_VMX_CR4_FIXED0 0x488
#define MSR_VMX_CR4_FIXED1 0x489
#define MSR_VMX_PROCBASED_CTLS2 0x48b
#define MSR_VMX_EPT_VPID_CAP 0x48c
#define MSR_VMX_TRUE_PINBASED_CTLS 0x48d
#define MSR_VMX_TRUE_PROCBASED_CTLS 0x48e
#define MSR_VMX_TRUE_EXIT_CTLS 0x48f
#define MSR_VMX_TRUE_ENTRY_CTLS 0x490
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC_FIRST 0x800
#define MSR_X2APIC_LAST 0x8ff
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103
#define MSR_K7_EVNTSEL0 0xc0010000
#define MSR_SYSCFG 0xc0010010
#define MSR_HWCR 0xc0010015
#define MSR_TOP_MEM 0xc001001a
#define MSR_TOP_MEM2 0xc001001d
#define MSR_NB_CFG 0xc001001f
#define MSR_INT_PENDING 0xc0010055
#define MSR_MMIO_CFG_BASE 0xc0010058
#define MSR_VM_CR 0xc0010114
#define MSR_VM_HSAVE_PA 0xc0010117
#define MSR_LS_CFG 0xc0011020
#define MSR_IC_CFG 0xc0011021
#define MSR_DC_CFG 0xc0011022
#define MSR_BU_CFG 0xc0011023
#define MSR_DE_CFG 0xc0011029
#define MSR_BU_CFG2 0xc001102a

#define MISC_ENABLE_FAST_STRING BIT64(0)
#define MISC_ENABLE_BTS_UNAVAILABLE BIT64(11)
#define MISC_ENABLE_PEBS_UNAVAILABLE BIT64(12)
#define MISC_ENABLE_LIMIT_CPUID BIT64(22)
#define MISC_ENABLE_XD_DISABLE BIT64(34)

#define PAT_RESET 0x0007040600070406ull

#define PTE_P BIT64(0)
#define PTE_W BIT64(1)
#define PTE_U BIT64(2)
#define PTE_PCD BIT64(4)
#define PTE_A BIT64(5)
#define PTE_D BIT64(6)
#define PTE_PS BIT64(7)
#define PTE_ADDR MASK(51, 12)
#define PTE_NX BIT64(63)
/* What an entry of each level maps, as a power of 2. */
#define PML4E_SHIFT 39
#define PDPTE_SHIFT 30
#define PDE_SHIFT 21
#define PDE32_SHIFT 22
#define PDPTE_RESERVED (MASK(8, 5) | MASK(2, 1)) /* of PAE paging */
#define PAGE_SHIFT 12
#define PAGE_SIZE BIT64(PAGE_SHIFT)
#define PAGE_MASK (PAGE_SIZE - 1)

#define PF_ERR_P BIT(0)
#define PF_ERR_W BIT(1)
#define PF_ERR_U BIT(2)
#define PF_ERR_RSVD BIT(3)
#define PF_ERR_I BIT(4)

#define APIC_BASE_BSP BIT64(8)
#define APIC_BASE_EXTD BIT64(10)
#define APIC_BASE_EN BIT64(11)
#define APIC_BASE_ADDR MASK(51, 12)
#define APIC_DEFAULT_PHYS 0xfee00000ull
#define IOAPIC_DEFAULT_PHYS 0xfec00000ull

/* Local APIC registers, offsets in the xAPIC page; an x2APIC MSR is MSR_X2APIC_FIRST + offset / 16. */
#define APIC_ID 0x020
#define APIC_VERSION 0x030
#define APIC_TPR 0x080
#define APIC_APR 0x090
#define APIC_PPR 0x0a0
#define APIC_EOI 0x0b0
#define APIC_RRD 0x0c0
#define APIC_LDR 0x0d0
#define APIC_DFR 0x0e0
#define APIC_SVR 0x0f0
#define APIC_ISR 0x100
#define APIC_TMR 0x180
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_LVT_CMCI 0x2f0
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERFMON 0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3e0
#define APIC_SELF_IPI 0x3f0

#define APIC_SVR_ENABLE BIT(8)
#define APIC_SVR_FOCUS_DISABLE BIT(9)
#define APIC_SVR_DIRECTED_EOI BIT(12)
#define APIC_VERSION_DIRECTED_EOI BIT(24)

#define APIC_LVT_MASKED BIT(16)
#define APIC_LVT_LEVEL BIT(15)
#define APIC_LVT_REMOTE_IRR BIT(14)
#define APIC_LVT_POLARITY BIT(13)
#define APIC_LVT_PENDING BIT(12)
#define APIC_DM_FIXED 0
#define APIC_DM_LOWEST 1
#define APIC_DM_SMI 2
#define APIC_DM_NMI 4
#define APIC_DM_INIT 5
#define APIC_DM_STARTUP 6
#define APIC_DM_EXTINT 7
#define APIC_DM(v) GET_FIELD(10, 8, v)
#define APIC_DM_FIELD(m) ((uint32_t)FIELD(10, 8, m))
#define APIC_VECTOR(v) ((uint8_t)GET_FIELD(7, 0, v))
#define APIC_TIMER_MODE(v) GET_FIELD(18, 17, v)
#define APIC_TIMER_MODE_FIELD(m) ((uint32_t)FIELD(18, 17, m))
#define APIC_TIMER_ONESHOT 0
#define APIC_TIMER_PERIODIC 1
#define APIC_TIMER_TSC_DEADLINE 2

#define APIC_ICR_LOGICAL BIT(11)
#define APIC_ICR_BUSY BIT(12)
#define APIC_ICR_ASSERT BIT(14)
#define APIC_ICR_LEVEL BIT(15)
#define APIC_ICR_SHORTHAND(v) GET_FIELD(19, 18, v)
#define APIC_ICR_SHORTHAND_FIELD(s) ((uint32_t)FIELD(19, 18, s))
#define APIC_ICR_DEST 0
#define APIC_ICR_SELF 1
#define APIC_ICR_ALL 2
#define APIC_ICR_ALL_BUT_SELF 3

#define APIC_ESR_SEND_ILLEGAL BIT(5)
#define APIC_ESR_RECV_ILLEGAL BIT(6)
#define APIC_ESR_ILLEGAL_REG BIT(7)
