/* SPDX-License-Identifier: BSD-2-Clause
 * What a CPU answered to a VM entry, and which rules explain it; the rules on host state.
 * Knows nothing of how the VMCS came to be so. */
#include "x86/vmx_check.h"

#include "x86.h"

#define FIELDS_MAX 6
#define SELECTOR_TI_RPL MASK(2, 0)
#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

#define ENCODING(name) [VF_##name] = VMCS_##name,
const uint16_t vmx_check_encoding[VMX_CHECK_COUNT] = { VMX_CHECK_FIELDS(ENCODING) };
#undef ENCODING

#define NAME(name) [VF_##name] = #name,
static const char *const field_names[VMX_CHECK_COUNT] = { VMX_CHECK_FIELDS(NAME) };
#undef NAME

const char *vmx_insn_error_name(uint32_t error)
{
	static const char *const names[] = {
		[1] = "VMCALL executed in VMX root operation",
		[2] = "VMCLEAR with invalid physical address",
		[3] = "VMCLEAR with VMXON pointer",
		[4] = "VMLAUNCH with non-clear VMCS",
		[5] = "VMRESUME with non-launched VMCS",
		[6] = "VMRESUME after VMXOFF",
		[7] = "VM entry with invalid control field(s)",
		[8] = "VM entry with invalid host-state field(s)",
		[9] = "VMPTRLD with invalid physical address",
		[10] = "VMPTRLD with VMXON pointer",
		[11] = "VMPTRLD with incorrect VMCS revision identifier",
		[12] = "VMREAD/VMWRITE from/to unsupported VMCS component",
		[13] = "VMWRITE to read-only VMCS component",
		[15] = "VMXON executed in VMX root operation",
		[16] = "VM entry with invalid executive-VMCS pointer",
		[17] = "VM entry with non-launched executive VMCS",
		[18] = "VM entry with executive-VMCS pointer not VMXON pointer",
		[19] = "VMCALL with non-clear VMCS",
		[20] = "VMCALL with invalid VM-exit control fields",
		[22] = "VMCALL with incorrect MSEG revision identifier",
		[23] = "VMXOFF under dual-monitor treatment of SMIs and SMM",
		[24] = "VMCALL with invalid SMM-monitor features",
		[25] = "VM entry with invalid VM-execution control fields in executive VMCS",
		[26] = "VM entry with events blocked by MOV SS",
		[28] = "Invalid operand to INVEPT/INVVPID",
	};

	return error < ARRAY_SIZE(names) && names[error] ? names[error] : "an error that the manual does not name";
}

void vmx_need(const struct vmx_checker *k, bool holds, const char *rule, const uint8_t *fields)
{
	struct entry_field list[FIELDS_MAX + 1] = { { NULL, 0 } };

	if (holds)
		return;
	for (unsigned i = 0; i < FIELDS_MAX && fields[i] != VF_END; i++)
		list[i] = (struct entry_field){ field_names[fields[i]], vmx_field(k, fields[i]) };
	entry_check_broken(k->out, k->where, rule, list);
}

bool vmx_check_canonical(const struct vmx_checker *k, unsigned f)
{
	uint64_t sign = ~0ull << (k->s->linear_bits - 1), high = vmx_field(k, f) & sign;

	return !high || high == sign;
}

bool vmx_check_physical(const struct vmx_checker *k, uint64_t address)
{
	return !(address >> k->s->phys_bits);
}

bool vmx_check_fixed(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
	return !(fixed0 & ~value) && !(value & ~fixed1);
}

bool vmx_check_injects(const struct vmx_checker *k, enum vmx_intr_type type)
{
	uint64_t info = vmx_field(k, VF_ENTRY_INTR_INFO);

	return (info & INTR_INFO_VALID) && INTR_INFO_TYPE(info) == (uint64_t)type;
}

/* "Checks on Host Control Registers, MSRs, and SSP" */
static void check_host_registers(const struct vmx_checker *k)
{
	const struct vmx_caps *c = &k->s->caps;
	uint64_t cr4 = vmx_field(k, VF_HOST_CR4), efer = vmx_field(k, VF_HOST_EFER);
	uint64_t exit = vmx_field(k, VF_EXIT_CTLS), longs = EFER_LME | EFER_LMA;
	bool load_efer = exit & VM_EXIT_LOAD_EFER, is64 = exit & VM_EXIT_HOST_ADDR_SPACE_SIZE;

	VMX_NEED(k, vmx_check_fixed(vmx_field(k, VF_HOST_CR0), c->cr0_fixed0, c->cr0_fixed1),
		 "CR0 sets a bit to a value not supported in VMX operation", VF_HOST_CR0);
	VMX_NEED(k, vmx_check_fixed(cr4, c->cr4_fixed0, c->cr4_fixed1),
		 "CR4 sets a bit to a value not supported in VMX operation", VF_HOST_CR4);
	VMX_NEED(k, !(cr4 & CR4_CET) || (vmx_field(k, VF_HOST_CR0) & CR0_WP), "CR4.CET is 1 and CR0.WP is 0", VF_HOST_CR4,
		 VF_HOST_CR0);
	VMX_NEED(k, vmx_check_physical(k, vmx_field(k, VF_HOST_CR3)), "CR3 has bits beyond the physical-address width",
		 VF_HOST_CR3);
	VMX_NEED(k, vmx_check_canonical(k, VF_HOST_SYSENTER_ESP), "IA32_SYSENTER_ESP is not canonical", VF_HOST_SYSENTER_ESP);
	VMX_NEED(k, vmx_check_canonical(k, VF_HOST_SYSENTER_EIP), "IA32_SYSENTER_EIP is not canonical", VF_HOST_SYSENTER_EIP);
	VMX_NEED(k, !(exit & VM_EXIT_LOAD_PAT) || entry_check_pat(vmx_field(k, VF_HOST_PAT)),
		 "IA32_PAT has a memory type that does not exist", VF_HOST_PAT);
	VMX_NEED(k, !load_efer || !(efer & ~EFER_DEFINED), "IA32_EFER has reserved bits", VF_HOST_EFER);
	VMX_NEED(k, !load_efer || (efer & longs) == (is64 ? longs : 0),
		 "LMA and LME of IA32_EFER are not those of host address-space size", VF_HOST_EFER, VF_EXIT_CTLS);
}

/* "Checks on Host Segment and Descriptor-Table Registers" */
static void check_host_segments(const struct vmx_checker *k)
{
	bool is64 = vmx_field(k, VF_EXIT_CTLS) & VM_EXIT_HOST_ADDR_SPACE_SIZE;

	for (unsigned f = VF_HOST_ES; f <= VF_HOST_TR; f++)
		VMX_NEED(k, !(vmx_field(k, f) & SELECTOR_TI_RPL), "RPL and TI of a selector must be 0", (uint8_t)f);
	VMX_NEED(k, vmx_field(k, VF_HOST_CS), "the selector of CS cannot be 0", VF_HOST_CS);
	VMX_NEED(k, vmx_field(k, VF_HOST_TR), "the selector of TR cannot be 0", VF_HOST_TR);
	VMX_NEED(k, is64 || vmx_field(k, VF_HOST_SS), "the selector of SS cannot be 0 without host address-space size",
		 VF_HOST_SS, VF_EXIT_CTLS);
	for (unsigned f = VF_HOST_FS_BASE; f <= VF_HOST_IDTR_BASE; f++)
		VMX_NEED(k, vmx_check_canonical(k, f), "a base address is not canonical", (uint8_t)f);
}

/* "Checks Related to Address-Space Size"; we are in IA-32e mode. */
static void check_address_space(const struct vmx_checker *k)
{
	bool is64 = vmx_field(k, VF_EXIT_CTLS) & VM_EXIT_HOST_ADDR_SPACE_SIZE;

	VMX_NEED(k, is64, "host address-space size must be 1 in IA-32e mode", VF_EXIT_CTLS);
	VMX_NEED(k, !is64 || (vmx_field(k, VF_HOST_CR4) & CR4_PAE), "CR4.PAE must be 1 with host address-space size",
		 VF_HOST_CR4,
		 VF_EXIT_CTLS);
	VMX_NEED(k, !is64 || vmx_check_canonical(k, VF_HOST_RIP), "RIP is not canonical", VF_HOST_RIP);
}

/* "VM-entry checks on control fields and host-state fields may be performed in any order. Thus, an indication by error number
 * of one cause does not imply that there are not also other errors." So both are checked for either. */
static void explain_insn_error(const struct vmx_snapshot *s, struct entry_check *out)
{
	const uint32_t control = 7, host = 8;
	const struct vmx_checker k = { s, out, "control" }, h = { s, out, "host state" };

	entry_check_say(out, "VM entry failed: VM-instruction error %u, %s", s->insn_error, vmx_insn_error_name(s->insn_error));
	if (s->insn_error != control && s->insn_error != host)
		return;
	vmx_check_controls(&k);
	check_host_registers(&h);
	check_host_segments(&h);
	check_address_space(&h);
	entry_check_conclude(out);
}

/* SDM v3, "VM-Entry Failures During or After Loading Guest State": "In most cases, the exit qualification is cleared to 0. The
 * following non-zero values are used". */
static const char *qualification_name(uint64_t q)
{
	switch (q) {
	case ENTRY_FAIL_PDPTE:
		return ", a problem loading the PDPTEs";
	case ENTRY_FAIL_NMI:
		return ", an NMI injected while events are blocked by STI";
	case ENTRY_FAIL_LINK_POINTER:
		return ", an invalid VMCS link pointer";
	default:
		return "";
	}
}

static void explain_loading(const struct vmx_snapshot *s, struct entry_check *out)
{
	const struct vmx_checker k = { s, out, "guest state" };
	unsigned reason = EXIT_REASON_BASIC(s->exit_reason);

	switch (reason) {
	case EXIT_REASON_INVALID_GUEST_STATE:
		entry_check_say(out, "VM entry failed: exit reason %u, invalid guest state (EXIT_QUALIFICATION=%#llx%s)",
			 reason,
				(unsigned long long)s->qualification, qualification_name(s->qualification));
		vmx_check_guest(&k);
		entry_check_conclude(out);
		return;
	case EXIT_REASON_MSR_LOADING:
		entry_check_say(out, "VM entry failed: exit reason %u, MSR loading, entry %llu of the area", reason,
				(unsigned long long)s->qualification);
		return;
	case EXIT_REASON_MACHINE_CHECK:
		entry_check_say(out, "VM entry failed: exit reason %u, machine-check event", reason);
		return;
	default:
		entry_check_say(out, "VM entry failed: exit reason %u (EXIT_REASON=%#x EXIT_QUALIFICATION=%#llx)", reason,
				s->exit_reason, (unsigned long long)s->qualification);
	}
}

void vmx_check(const struct vmx_snapshot *s, struct entry_check *out)
{
	out->lines = out->broken = out->dropped = 0;
	switch (s->refusal) {
	case VMX_FAIL_INVALID:
		entry_check_say(out, "VM entry failed: VMfailInvalid, there is no current VMCS");
		return;
	case VMX_FAIL_VALID:
		explain_insn_error(s, out);
		return;
	case VMX_FAIL_LOADING:
		explain_loading(s, out);
		return;
	}
}
