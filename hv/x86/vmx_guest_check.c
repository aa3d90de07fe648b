/* SPDX-License-Identifier: BSD-2-Clause
 * The rules of a VM entry on the guest's state, in the order in which the manual has them: SDM v3, "Checks on the Guest State
 * Area".
 * Knows nothing of how the VMCS came to be so. */
#include "x86.h"
#include "x86/vmx_check.h"

#define HIGH_HALF MASK(63, 32)
#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define DEBUGCTL_RESERVED (MASK(63, 16) | MASK(5, 2))
#define DEBUGCTL_BTF BIT64(1)
#define TABLE_LIMIT_HIGH MASK(31, 16)
#define RFLAGS_RESERVED0 (MASK(63, 22) | BIT64(15) | BIT64(5) | BIT64(3))
#define INTERRUPTIBILITY_RESERVED MASK(31, 5)
#define PENDING_DEBUG_RESERVED (MASK(63, 17) | BIT64(15) | BIT64(13) | MASK(11, 4))
#define VMX_MISC_ACTIVITY(misc) (GET_FIELD(8, 6, misc) << 1 | 1) /* a bit for each state; active is always there */
#define LINK_POINTER_NONE (~0ull)

static bool ia32e(const struct vmx_checker *k)
{
	return vmx_field(k, VF_ENTRY_CTLS) & VM_ENTRY_IA32E_MODE_GUEST;
}

static bool injects_any(const struct vmx_checker *k)
{
	return vmx_field(k, VF_ENTRY_INTR_INFO) & INTR_INFO_VALID;
}

/* "bits ... PE and PG ... are not checked" under unrestricted guest. */
static void check_cr0(const struct vmx_checker *k)
{
	const struct vmx_caps *c = &k->s->caps;
	uint64_t cr0 = vmx_field(k, VF_GUEST_CR0), exempt = 0;

	if (vmx_check_proc2(k, PROC2_UNRESTRICTED_GUEST))
		exempt = CR0_PE | CR0_PG;
	VMX_NEED(k, vmx_check_fixed(cr0, c->cr0_fixed0 & ~exempt, c->cr0_fixed1),
		 "CR0 sets a bit to a value not supported in VMX operation", VF_GUEST_CR0);
	VMX_NEED(k, !(cr0 & CR0_PG) || (cr0 & CR0_PE), "CR0.PG is 1 and CR0.PE is 0", VF_GUEST_CR0);
}

static void check_cr4(const struct vmx_checker *k)
{
	const struct vmx_caps *c = &k->s->caps;
	uint64_t cr0 = vmx_field(k, VF_GUEST_CR0), cr4 = vmx_field(k, VF_GUEST_CR4);

	VMX_NEED(k, vmx_check_fixed(cr4, c->cr4_fixed0, c->cr4_fixed1),
		 "CR4 sets a bit to a value not supported in VMX operation", VF_GUEST_CR4);
	VMX_NEED(k, !(cr4 & CR4_CET) || (cr0 & CR0_WP), "CR4.CET is 1 and CR0.WP is 0", VF_GUEST_CR4, VF_GUEST_CR0);
	VMX_NEED(k, !ia32e(k) || (cr0 & CR0_PG), "CR0.PG must be 1 with IA-32e mode guest", VF_GUEST_CR0, VF_ENTRY_CTLS);
	VMX_NEED(k, !ia32e(k) || (cr4 & CR4_PAE), "CR4.PAE must be 1 with IA-32e mode guest", VF_GUEST_CR4, VF_ENTRY_CTLS);
	VMX_NEED(k, ia32e(k) || !(cr4 & CR4_PCIDE), "CR4.PCIDE must be 0 without IA-32e mode guest", VF_GUEST_CR4,
		 VF_ENTRY_CTLS);
	VMX_NEED(k, vmx_check_physical(k, vmx_field(k, VF_GUEST_CR3)), "CR3 has bits beyond the physical-address width",
		 VF_GUEST_CR3);
}

static void check_efer(const struct vmx_checker *k)
{
	uint64_t efer = vmx_field(k, VF_GUEST_EFER);
	bool lma = efer & EFER_LMA, lme = efer & EFER_LME, paging = vmx_field(k, VF_GUEST_CR0) & CR0_PG;

	if (!(vmx_field(k, VF_ENTRY_CTLS) & VM_ENTRY_LOAD_EFER))
		return;
	VMX_NEED(k, !(efer & ~EFER_DEFINED), "IA32_EFER has reserved bits", VF_GUEST_EFER);
	VMX_NEED(k, lma == ia32e(k), "IA32_EFER.LMA must be IA-32e mode guest", VF_GUEST_EFER, VF_ENTRY_CTLS);
	VMX_NEED(k, !paging || lma == lme, "IA32_EFER.LMA must be LME when CR0.PG is 1", VF_GUEST_EFER, VF_GUEST_CR0);
}

/* "Checks on Guest Control Registers, Debug Registers, and MSRs" */
static void check_registers(const struct vmx_checker *k)
{
	uint64_t entry = vmx_field(k, VF_ENTRY_CTLS);
	bool debug = entry & VM_ENTRY_LOAD_DEBUG;

	check_cr0(k);
	check_cr4(k);
	VMX_NEED(k, !debug || !(vmx_field(k, VF_GUEST_DEBUGCTL) & DEBUGCTL_RESERVED), "IA32_DEBUGCTL has reserved bits",
		 VF_GUEST_DEBUGCTL);
	VMX_NEED(k, !debug || !(vmx_field(k, VF_GUEST_DR7) & HIGH_HALF), "bits 63:32 of DR7 must be 0", VF_GUEST_DR7);
	VMX_NEED(k, vmx_check_canonical(k, VF_GUEST_SYSENTER_ESP), "IA32_SYSENTER_ESP is not canonical", VF_GUEST_SYSENTER_ESP);
	VMX_NEED(k, vmx_check_canonical(k, VF_GUEST_SYSENTER_EIP), "IA32_SYSENTER_EIP is not canonical", VF_GUEST_SYSENTER_EIP);
	VMX_NEED(k, !(entry & VM_ENTRY_LOAD_PAT) || entry_check_pat(vmx_field(k, VF_GUEST_PAT)),
		 "IA32_PAT has a memory type that does not exist", VF_GUEST_PAT);
	check_efer(k);
}

/* "Checks on Guest Descriptor-Table Registers" */
static void check_tables(const struct vmx_checker *k)
{
	VMX_NEED(k, vmx_check_canonical(k, VF_GUEST_GDTR_BASE), "the base of GDTR is not canonical", VF_GUEST_GDTR_BASE);
	VMX_NEED(k, vmx_check_canonical(k, VF_GUEST_IDTR_BASE), "the base of IDTR is not canonical", VF_GUEST_IDTR_BASE);
	VMX_NEED(k, !(vmx_field(k, VF_GUEST_GDTR_LIMIT) & TABLE_LIMIT_HIGH), "bits 31:16 of the limit of GDTR must be 0",
		 VF_GUEST_GDTR_LIMIT);
	VMX_NEED(k, !(vmx_field(k, VF_GUEST_IDTR_LIMIT) & TABLE_LIMIT_HIGH), "bits 31:16 of the limit of IDTR must be 0",
		 VF_GUEST_IDTR_LIMIT);
}

/* "Checks on Guest RIP, RFLAGS, and SSP" */
static void check_rip_rflags(const struct vmx_checker *k)
{
	uint64_t rflags = vmx_field(k, VF_GUEST_RFLAGS);
	bool is64 = ia32e(k) && (vmx_field(k, VF_GUEST_CS_AR) & AR_L);

	VMX_NEED(k, is64 || !(vmx_field(k, VF_GUEST_RIP) & HIGH_HALF), "bits 63:32 of RIP must be 0 outside 64-bit mode",
		 VF_GUEST_RIP, VF_ENTRY_CTLS, VF_GUEST_CS_AR);
	VMX_NEED(k, !is64 || vmx_check_canonical(k, VF_GUEST_RIP), "RIP is not canonical", VF_GUEST_RIP);
	VMX_NEED(k, !(rflags & RFLAGS_RESERVED0) && (rflags & RFLAGS_RESERVED1),
		 "reserved bits of RFLAGS must be 0, and bit 1 must be 1", VF_GUEST_RFLAGS);
	VMX_NEED(k, !(rflags & RFLAGS_VM) || (!ia32e(k) && (vmx_field(k, VF_GUEST_CR0) & CR0_PE)),
		 "RFLAGS.VM must be 0 with IA-32e mode guest or CR0.PE = 0", VF_GUEST_RFLAGS, VF_ENTRY_CTLS, VF_GUEST_CR0);
	VMX_NEED(k, (rflags & RFLAGS_IF) || !vmx_check_injects(k, INTR_TYPE_EXTINT),
		 "RFLAGS.IF = 0 with an external interrupt injected", VF_GUEST_RFLAGS, VF_ENTRY_INTR_INFO);
}

/* "the interruption to be delivered ... must not be one that would normally be blocked while a logical processor is in the
 * activity state" */
static bool activity_lets_in(const struct vmx_checker *k, uint64_t activity)
{
	uint8_t vector = INTR_INFO_VECTOR(vmx_field(k, VF_ENTRY_INTR_INFO));
	bool nmi = vmx_check_injects(k, INTR_TYPE_NMI), exception = vmx_check_injects(k, INTR_TYPE_EXCEPTION);
	bool mc = exception && vector == VEC_MC;

	switch (activity) {
	case ACTIVITY_HLT:
		return vmx_check_injects(k, INTR_TYPE_EXTINT) || nmi || mc || (exception && vector == VEC_DB) ||
		       vmx_check_injects(k, INTR_TYPE_OTHER);
	case ACTIVITY_SHUTDOWN:
		return nmi || mc;
	case ACTIVITY_WAIT_FOR_SIPI:
		return false;
	default:
		return true;
	}
}

static bool activity_is_supported(const struct vmx_checker *k, uint64_t activity)
{
	return activity <= ACTIVITY_WAIT_FOR_SIPI && (VMX_MISC_ACTIVITY(k->s->caps.misc) & BIT64(activity));
}

/* "Checks on Guest Non-Register State", "Activity state" */
static void check_activity(const struct vmx_checker *k)
{
	uint64_t activity = vmx_field(k, VF_GUEST_ACTIVITY), blocking = vmx_field(k, VF_GUEST_INTERRUPTIBILITY);

	VMX_NEED(k, activity_is_supported(k, activity), "this CPU does not support the activity state", VF_GUEST_ACTIVITY);
	VMX_NEED(k, activity != ACTIVITY_HLT || !AR_DPL(vmx_field(k, VF_GUEST_SS_AR)),
		 "the activity state must not be HLT when the DPL of SS is not 0", VF_GUEST_ACTIVITY, VF_GUEST_SS_AR);
	VMX_NEED(k, activity == ACTIVITY_ACTIVE || !(blocking & INTERRUPTIBILITY_SHADOW),
		 "the activity state must be active under blocking by STI or by MOV SS", VF_GUEST_ACTIVITY,
		 VF_GUEST_INTERRUPTIBILITY);
	VMX_NEED(k, !injects_any(k) || activity_lets_in(k, activity), "the event injected is blocked in the activity state",
		 VF_ENTRY_INTR_INFO, VF_GUEST_ACTIVITY);
}

/* "Interruptibility state" */
static void check_interruptibility(const struct vmx_checker *k)
{
	uint64_t state = vmx_field(k, VF_GUEST_INTERRUPTIBILITY);
	bool sti = state & INTERRUPTIBILITY_STI, mov_ss = state & INTERRUPTIBILITY_MOV_SS;
	bool extint = vmx_check_injects(k, INTR_TYPE_EXTINT), nmi = vmx_check_injects(k, INTR_TYPE_NMI);

	VMX_NEED(k, !(state & INTERRUPTIBILITY_RESERVED), "reserved bits of the interruptibility state must be 0",
		 VF_GUEST_INTERRUPTIBILITY);
	VMX_NEED(k, !sti || !mov_ss, "blocking by STI and by MOV SS cannot both be 1", VF_GUEST_INTERRUPTIBILITY);
	VMX_NEED(k, !sti || (vmx_field(k, VF_GUEST_RFLAGS) & RFLAGS_IF), "blocking by STI must be 0 when RFLAGS.IF = 0",
		 VF_GUEST_INTERRUPTIBILITY, VF_GUEST_RFLAGS);
	VMX_NEED(k, !extint || !(sti || mov_ss), "blocking by STI or by MOV SS with an external interrupt injected",
		 VF_GUEST_INTERRUPTIBILITY, VF_ENTRY_INTR_INFO);
	VMX_NEED(k, !nmi || !mov_ss, "blocking by MOV SS with an NMI injected", VF_GUEST_INTERRUPTIBILITY, VF_ENTRY_INTR_INFO);
	VMX_NEED(k, !(state & INTERRUPTIBILITY_SMI), "blocking by SMI must be 0 outside SMM", VF_GUEST_INTERRUPTIBILITY);
	/* "A processor may require": only one that has refused has. */
	VMX_NEED(k, !nmi || !sti, "blocking by STI with an NMI injected, which this CPU may not take",
		 VF_GUEST_INTERRUPTIBILITY,
		 VF_ENTRY_INTR_INFO);
	VMX_NEED(k, !nmi || !(state & INTERRUPTIBILITY_NMI) || !vmx_check_pin(k, PIN_VIRTUAL_NMIS),
		 "blocking by NMI with an NMI injected under virtual NMIs", VF_GUEST_INTERRUPTIBILITY, VF_ENTRY_INTR_INFO,
		 VF_PIN_CTLS);
	VMX_NEED(k, !(state & INTERRUPTIBILITY_ENCLAVE) || !mov_ss,
		 "enclave interruption and blocking by MOV SS cannot both be 1",
		 VF_GUEST_INTERRUPTIBILITY);
}

/* "Pending debug exceptions": where a single step would still be due, BS says whether it is. */
static void check_pending_debug(const struct vmx_checker *k)
{
	uint64_t pending = vmx_field(k, VF_GUEST_PENDING_DEBUG);
	bool shadow = vmx_field(k, VF_GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_SHADOW;
	bool halted = vmx_field(k, VF_GUEST_ACTIVITY) == ACTIVITY_HLT;
	bool step = (vmx_field(k, VF_GUEST_RFLAGS) & RFLAGS_TF) && !(vmx_field(k, VF_GUEST_DEBUGCTL) & DEBUGCTL_BTF);

	VMX_NEED(k, !(pending & PENDING_DEBUG_RESERVED), "reserved bits of the pending debug exceptions must be 0",
		 VF_GUEST_PENDING_DEBUG);
	if (!shadow && !halted)
		return;
	VMX_NEED(k, !step || (pending & PENDING_DEBUG_BS), "BS of the pending debug exceptions must be 1 when a step is due",
		 VF_GUEST_PENDING_DEBUG, VF_GUEST_RFLAGS, VF_GUEST_DEBUGCTL, VF_GUEST_INTERRUPTIBILITY, VF_GUEST_ACTIVITY);
	VMX_NEED(k, step || !(pending & PENDING_DEBUG_BS), "BS of the pending debug exceptions must be 0 when no step is due",
		 VF_GUEST_PENDING_DEBUG, VF_GUEST_RFLAGS, VF_GUEST_DEBUGCTL, VF_GUEST_INTERRUPTIBILITY, VF_GUEST_ACTIVITY);
}

/* "VMCS link pointer" */
static void check_link_pointer(const struct vmx_checker *k)
{
	uint64_t link = vmx_field(k, VF_LINK_POINTER);

	VMX_NEED(k, link == LINK_POINTER_NONE || (!(link & PAGE_MASK) && vmx_check_physical(k, link)),
		 "the VMCS link pointer is neither all ones nor the address of a page", VF_LINK_POINTER);
}

/* "Checks on Guest Page-Directory-Pointer-Table Entries": with EPT the entries are in the VMCS. */
static void check_pdptes(const struct vmx_checker *k)
{
	bool pae = (vmx_field(k, VF_GUEST_CR0) & CR0_PG) && (vmx_field(k, VF_GUEST_CR4) & CR4_PAE) && !ia32e(k);

	if (!pae || !vmx_check_proc2(k, PROC2_EPT))
		return;
	for (unsigned f = VF_GUEST_PDPTE0; f <= VF_GUEST_PDPTE3; f++) {
		uint64_t e = vmx_field(k, f);

		VMX_NEED(k, !(e & PTE_P) || (!(e & PDPTE_RESERVED) && vmx_check_physical(k, e)),
			 "a PDPTE has reserved bits", (uint8_t)f);
	}
}

void vmx_check_guest(const struct vmx_checker *k)
{
	check_registers(k);
	vmx_check_guest_segments(k);
	check_tables(k);
	check_rip_rflags(k);
	check_activity(k);
	check_interruptibility(k);
	check_pending_debug(k);
	check_link_pointer(k);
	check_pdptes(k);
}
