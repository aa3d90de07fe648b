/* SPDX-License-Identifier: BSD-2-Clause
 * Can this CPU run a guest under VMX, with virtual-interrupt delivery or without, and if not, what is missing?
 * Knows nothing of how the facts were read. */
#include "x86/vmx.h"

#include "x86/vmcs.h"

#define PIN_MSR "IA32_VMX_PINBASED_CTLS"
#define PROC_MSR "IA32_VMX_PROCBASED_CTLS"
#define PROC2_MSR "IA32_VMX_PROCBASED_CTLS2"
#define EXIT_MSR "IA32_VMX_EXIT_CTLS"
#define ENTRY_MSR "IA32_VMX_ENTRY_CTLS"

/* A control that must be what we set it to. SDM v3, "VMX Capability Reporting Facility": "Bits 31:0 indicate the allowed
 * 0-settings of these controls", "Bits 63:32 indicate the allowed 1-settings". */
struct need {
	uint8_t msr; /* offset in struct vmx_caps */
	bool on;
	uint32_t control;
	const char *missing;
};
#define MUST_ALLOW_1(caps, control, name, msr) \
	{ offsetof(struct vmx_caps, caps), true, control, "this CPU lacks " name " (" msr ")" }
#define MUST_ALLOW_0(caps, control, name, msr) \
	{ offsetof(struct vmx_caps, caps), false, control, "this CPU cannot do without " name " (" msr ")" }

_Static_assert(sizeof(struct vmx_caps) <= UINT8_MAX, "an offset in it has eight bits");

static const struct need needs[] = {
	/* What an old CPU lacks, and the user knows by name, before all else. */
	MUST_ALLOW_1(proc, PROC_SECONDARY_CTLS, "activate secondary controls", PROC_MSR),
	{ offsetof(struct vmx_caps, proc2), true, PROC2_EPT, "this CPU has no EPT (" PROC2_MSR ", enable EPT)" },
	{ offsetof(struct vmx_caps, proc2), true, PROC2_UNRESTRICTED_GUEST,
	  "this CPU has no unrestricted guest (" PROC2_MSR ", unrestricted guest)" },
	MUST_ALLOW_1(pin, PIN_EXTINT_EXITING, "external-interrupt exiting", PIN_MSR),
	MUST_ALLOW_1(pin, PIN_NMI_EXITING, "NMI exiting", PIN_MSR),
	MUST_ALLOW_1(pin, PIN_VIRTUAL_NMIS, "virtual NMIs", PIN_MSR),
	MUST_ALLOW_1(pin, PIN_PREEMPTION_TIMER, "activate VMX-preemption timer", PIN_MSR),
	MUST_ALLOW_1(proc, PROC_INTR_WINDOW_EXITING, "interrupt-window exiting", PROC_MSR),
	MUST_ALLOW_1(proc, PROC_NMI_WINDOW_EXITING, "NMI-window exiting", PROC_MSR),
	MUST_ALLOW_1(proc, PROC_TSC_OFFSETTING, "use TSC offsetting", PROC_MSR),
	MUST_ALLOW_1(proc, PROC_HLT_EXITING, "HLT exiting", PROC_MSR),
	MUST_ALLOW_1(proc, PROC_RDPMC_EXITING, "RDPMC exiting", PROC_MSR),
	MUST_ALLOW_1(proc, PROC_MONITOR_EXITING, "MONITOR exiting", PROC_MSR),
	MUST_ALLOW_1(proc, PROC_MWAIT_EXITING, "MWAIT exiting", PROC_MSR),
	MUST_ALLOW_1(proc, PROC_TPR_SHADOW, "use TPR shadow", PROC_MSR),
	MUST_ALLOW_1(proc, PROC_IO_BITMAPS, "use I/O bitmaps", PROC_MSR),
	MUST_ALLOW_1(proc, PROC_MSR_BITMAPS, "use MSR bitmaps", PROC_MSR),
	MUST_ALLOW_0(proc, PROC_CR3_LOAD_EXITING, "CR3-load exiting", PROC_MSR),
	MUST_ALLOW_0(proc, PROC_CR3_STORE_EXITING, "CR3-store exiting", PROC_MSR),
	MUST_ALLOW_0(proc, PROC_INVLPG_EXITING, "INVLPG exiting", PROC_MSR),
	MUST_ALLOW_0(proc, PROC_MOV_DR_EXITING, "MOV-DR exiting", PROC_MSR),
	MUST_ALLOW_0(proc, PROC_RDTSC_EXITING, "RDTSC exiting", PROC_MSR),
	MUST_ALLOW_0(proc, PROC_CR8_LOAD_EXITING, "CR8-load exiting", PROC_MSR),
	MUST_ALLOW_0(proc, PROC_CR8_STORE_EXITING, "CR8-store exiting", PROC_MSR),
	MUST_ALLOW_1(proc2, PROC2_WBINVD_EXITING, "WBINVD exiting", PROC2_MSR),
	MUST_ALLOW_1(exit, VM_EXIT_HOST_ADDR_SPACE_SIZE, "host address-space size", EXIT_MSR),
	MUST_ALLOW_1(exit, VM_EXIT_SAVE_DEBUG, "save debug controls", EXIT_MSR),
	MUST_ALLOW_1(exit, VM_EXIT_SAVE_EFER, "save IA32_EFER", EXIT_MSR),
	MUST_ALLOW_1(exit, VM_EXIT_LOAD_EFER, "load IA32_EFER", EXIT_MSR),
	MUST_ALLOW_1(exit, VM_EXIT_SAVE_PAT, "save IA32_PAT", EXIT_MSR),
	MUST_ALLOW_1(exit, VM_EXIT_LOAD_PAT, "load IA32_PAT", EXIT_MSR),
	MUST_ALLOW_1(exit, VM_EXIT_SAVE_PREEMPTION_TIMER, "save VMX-preemption timer value", EXIT_MSR),
	MUST_ALLOW_1(entry, VM_ENTRY_LOAD_DEBUG, "load debug controls", ENTRY_MSR),
	MUST_ALLOW_1(entry, VM_ENTRY_LOAD_EFER, "load IA32_EFER", ENTRY_MSR),
	MUST_ALLOW_1(entry, VM_ENTRY_LOAD_PAT, "load IA32_PAT", ENTRY_MSR),
	MUST_ALLOW_1(entry, VM_ENTRY_IA32E_MODE_GUEST, "IA-32e mode guest", ENTRY_MSR),
};

static const struct need vid_needs[] = {
	MUST_ALLOW_1(proc2, PROC2_APIC_ACCESSES, "virtualize APIC accesses", PROC2_MSR),
	MUST_ALLOW_1(proc2, PROC2_X2APIC_MODE, "virtualize x2APIC mode", PROC2_MSR),
	MUST_ALLOW_1(proc2, PROC2_APIC_REGISTERS, "APIC-register virtualization", PROC2_MSR),
	MUST_ALLOW_1(proc2, PROC2_VIRTUAL_INTR_DELIVERY, "virtual-interrupt delivery", PROC2_MSR),
};

static bool allows(const struct vmx_caps *c, const struct need *n)
{
	uint64_t msr = *(const uint64_t *)(const void *)((const char *)c + n->msr);

	return n->on ? VMX_ALLOWED_1(msr) & n->control : !(VMX_ALLOWED_0(msr) & n->control);
}

static const char *missing_control(const struct vmx_caps *c, const struct need *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!allows(c, &list[i]))
			return list[i].missing;
	return NULL;
}

static const char *missing_from_ept(uint64_t cap)
{
	if (!(cap & EPT_CAP_WALK_LENGTH_4))
		return "this CPU lacks an EPT page-walk length of 4 (IA32_VMX_EPT_VPID_CAP)";
	if (!(cap & EPT_CAP_WB))
		return "this CPU lacks write-back EPT paging structures (IA32_VMX_EPT_VPID_CAP)";
	if (!(cap & EPT_CAP_INVEPT))
		return "this CPU lacks INVEPT (IA32_VMX_EPT_VPID_CAP)";
	if (!(cap & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)))
		return "this CPU lacks single-context and all-context INVEPT (IA32_VMX_EPT_VPID_CAP)";
	return NULL;
}

static const char *missing_from_exits(const struct vmx_caps *c)
{
	if (!(c->basic & VMX_BASIC_INS_OUTS_INFO))
		return "this CPU lacks the instruction information of INS and OUTS (IA32_VMX_BASIC)";
	if (!(c->misc & VMX_MISC_SAVES_LMA))
		return "this CPU lacks the store of IA32_EFER.LMA into IA-32e mode guest (IA32_VMX_MISC)";
	return NULL;
}

const char *vmx_missing(const struct vmx_caps *c, bool vid)
{
	const uint64_t lock = FEATURE_CONTROL_LOCK, enabled = FEATURE_CONTROL_VMX;
	const char *missing;

	if (!c->vmx)
		return "this CPU has no VMX (CPUID.1:ECX.VMX = 0)";
	/* Not locked yet: VMX can still be enabled. */
	if ((c->feature_control & (lock | enabled)) == lock)
		return "VMX is locked off by firmware (IA32_FEATURE_CONTROL = locked, VMX outside SMX = 0): enable it in the "
		       "firmware's set-up";
	if (c->on)
		return "VMX is on already (CR4.VMXE = 1): another hypervisor has this CPU";
	missing = missing_control(c, needs, ARRAY_SIZE(needs));
	if (!missing)
		missing = missing_from_ept(c->ept_vpid);
	if (!missing)
		missing = missing_from_exits(c);
	if (!missing && vid)
		missing = missing_control(c, vid_needs, ARRAY_SIZE(vid_needs));
	return missing;
}

bool vmx_has_vid(const struct vmx_caps *c)
{
	return !vmx_missing(c, true);
}

/* SDM v3, "VM-Execution Control Fields" of the checks on VMX controls: with "process posted interrupts" 1, "The
 * "virtual-interrupt delivery" VM-execution control is 1" and "The "acknowledge interrupt on exit" VM-exit control is 1". */
bool vmx_has_posting(const struct vmx_caps *c)
{
	return vmx_has_vid(c) && (VMX_ALLOWED_1(c->pin) & PIN_POSTED_INTERRUPTS) &&
	       (VMX_ALLOWED_1(c->exit) & VM_EXIT_ACK_INTERRUPT);
}
