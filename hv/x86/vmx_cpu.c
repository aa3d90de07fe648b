/* SPDX-License-Identifier: BSD-2-Clause
 * What of the guest's CPU is made of more than one field of the VMCS: control registers, EFER, PDPTEs, CPUID, MSRs.
 * Knows nothing of which values are allowed. */
#include "core/vcpu.h"
#include "x86.h"
#include "x86/vmx.h"

#define CPUID_EXT_FEATURES 7u
#define EBX_INVPCID BIT(10)
#define CPUID_AMD_FEATURES 0x80000001u
#define EDX_RDTSCP BIT(27)

void vmx_set_cr0(struct vmx *x, uint64_t val)
{
	x->cr0_shadow = val & x->cr0_mask;
	vmcs_write(x, VMCS_CR0_READ_SHADOW, x->cr0_shadow);
	vmx_set_state(x, STATE_CR0, (val & ~x->cr0_mask) | (x->caps.cr0_fixed0 & x->cr0_mask));
}

/* With EPT, VM entry takes the PDPTEs from their fields ("Loading Page-Directory-Pointer-Table Entries"). */
void vmx_set_pdptes(struct vcpu *v, const uint64_t pdpt[4])
{
	static const enum vmcs_field fields[] = { VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1, VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3 };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		vmcs_write(v->hw, fields[i], pdpt[i]);
}

void vmx_set_cr4(struct vmx *x, uint64_t val)
{
	x->cr4_shadow = val;
	vmcs_write(x, VMCS_CR4_READ_SHADOW, val);
	vmcs_write(x, VMCS_GUEST_CR4, val | x->caps.cr4_fixed0);
}

/* "Checks on Guest Control Registers": EFER.LMA "must ... equal the value of" IA-32e mode guest. */
void vmx_set_efer(struct vmx *x, uint64_t val)
{
	uint64_t was = vmx_state(x, STATE_EFER), ctls;

	vmx_set_state(x, STATE_EFER, val);
	if (!((was ^ val) & EFER_LMA))
		return;
	ctls = vmcs_read(x, VMCS_ENTRY_CTLS) & ~(uint64_t)VM_ENTRY_IA32E_MODE_GUEST;
	vmcs_write(x, VMCS_ENTRY_CTLS, val & EFER_LMA ? ctls | VM_ENTRY_IA32E_MODE_GUEST : ctls);
}

/* What needs a control that this CPU may lack: without it the instruction is #UD. */
void vmx_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	uint32_t allowed = VMX_ALLOWED_1(((const struct vmx *)v->hw)->caps.proc2);
	struct cpuid_regs r = cpuid(leaf, sub);

	if (leaf == CPUID_EXT_FEATURES && !sub && !(allowed & PROC2_INVPCID))
		r.ebx &= ~EBX_INVPCID;
	if (leaf == CPUID_AMD_FEATURES && !(allowed & PROC2_RDTSCP))
		r.edx &= ~EDX_RDTSCP;
	out[0] = r.eax;
	out[1] = r.ebx;
	out[2] = r.ecx;
	out[3] = r.edx;
}

void vmx_write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)v;
	wrmsr(msr, val);
}

uint64_t vmx_guest_tsc(const struct vcpu *v)
{
	return rdtsc() + ((const struct vmx *)v->hw)->tsc_offset;
}
