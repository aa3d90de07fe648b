/* SPDX-License-Identifier: BSD-2-Clause
 * CPUID as the guest sees it: the host's, less what Intack does not virtualize, plus the APIC features that it emulates.
 * Knows nothing of MSRs behind the features. */
#include "core/vcpu.h"

#include "x86.h"

#define CPUID_FEATURES 1u
#define CPUID_EXT_FEATURES 7u
#define CPUID_XSAVE 0xdu
#define CPUID_HV_VENDOR 0x40000000u
#define CPUID_AMD_MAX 0x80000000u
#define CPUID_AMD_FEATURES 0x80000001u
#define CPUID_AMD_POWER 0x80000007u
#define CPUID_AMD_SIZES 0x80000008u
#define CPUID_AMD_SVM 0x8000000au

enum { EAX, EBX, ECX, EDX };

/* Leaf 1 */
#define F1C_MONITOR BIT(3)
#define F1C_VMX BIT(5)
#define F1C_SMX BIT(6)
#define F1C_EIST BIT(7)
#define F1C_TM2 BIT(8)
#define F1C_FMA BIT(12)
#define F1C_PDCM BIT(15)
#define F1C_PCID BIT(17)
#define F1C_X2APIC BIT(21)
#define F1C_TSC_DEADLINE BIT(24)
#define F1C_XSAVE BIT(26)
#define F1C_OSXSAVE BIT(27)
#define F1C_AVX BIT(28)
#define F1C_F16C BIT(29)
#define F1C_HYPERVISOR BIT(31)
#define F1C_HIDDEN (F1C_MONITOR | F1C_VMX | F1C_SMX | F1C_EIST | F1C_TM2 | F1C_FMA | F1C_PDCM | F1C_PCID | F1C_XSAVE | \
		    F1C_OSXSAVE | F1C_AVX | F1C_F16C)
#define F1D_PSE BIT(3)
#define F1D_MCE BIT(7)
#define F1D_APIC BIT(9)
#define F1D_MTRR BIT(12)
#define F1D_PGE BIT(13)
#define F1D_MCA BIT(14)
#define F1D_PAT BIT(16)
#define F1D_DS BIT(21)
#define F1D_ACPI BIT(22)
#define F1D_FXSR BIT(24)
#define F1D_TM BIT(29)
#define F1D_HIDDEN (F1D_MCE | F1D_MTRR | F1D_MCA | F1D_DS | F1D_ACPI | F1D_TM)
/* Leaf 7: what needs no state of its own */
#define F7B_FSGSBASE BIT(0)
#define F7B_BMI1 BIT(3)
#define F7B_SMEP BIT(7)
#define F7B_BMI2 BIT(8)
#define F7B_ERMS BIT(9)
#define F7B_SMAP BIT(20)
#define F7B_SHOWN (F7B_FSGSBASE | F7B_BMI1 | F7B_SMEP | F7B_BMI2 | F7B_ERMS | F7B_SMAP)
/* Leaf 0x80000001 */
#define A1C_LAHF BIT(0)
#define A1C_CR8 BIT(4)
#define A1C_ABM BIT(5)
#define A1C_SHOWN (A1C_LAHF | A1C_CR8 | A1C_ABM)
#define A1D_SYSCALL BIT(11)
#define A1D_NX BIT(20)
#define A1D_1G BIT(26)
#define A1D_LM BIT(29)
#define A1D_SHOWN (A1D_SYSCALL | A1D_NX | A1D_1G | A1D_LM | MASK(9, 0) | MASK(17, 15) | MASK(24, 23))
#define A7D_INVARIANT_TSC BIT(8)

static void features(const struct vcpu *v, uint32_t out[4])
{
	uint64_t base = v->run.apic_base;

	if (v->mode == IRQCHIP_SPLIT)
		base = v->lapic.base;
	out[EBX] &= (uint32_t)MASK(15, 8); /* one CPU, APIC ID 0 */
	out[EBX] |= BIT(16);
	out[ECX] = (out[ECX] & ~F1C_HIDDEN) | F1C_X2APIC | F1C_TSC_DEADLINE | F1C_HYPERVISOR;
	out[EDX] &= ~(F1D_HIDDEN | F1D_APIC);
	if (base & APIC_BASE_EN)
		out[EDX] |= F1D_APIC;
}

static void hv_vendor(uint32_t out[4])
{
	static const char name[] = "IntackIntack";

	out[EAX] = CPUID_HV_VENDOR;
	__builtin_memcpy(&out[EBX], name, sizeof(uint32_t));
	__builtin_memcpy(&out[ECX], name + sizeof(uint32_t), sizeof(uint32_t));
	__builtin_memcpy(&out[EDX], name + 2 * sizeof(uint32_t), sizeof(uint32_t));
}

void vcpu_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	if (leaf == CPUID_HV_VENDOR) {
		hv_vendor(out);
		return;
	}
	v->ops->cpuid(leaf, sub, out);
	switch (leaf) {
	case 0:
		if (out[EAX] > CPUID_XSAVE - 1)
			out[EAX] = CPUID_XSAVE - 1;
		break;
	case CPUID_FEATURES:
		features(v, out);
		break;
	case CPUID_EXT_FEATURES:
		out[EAX] = out[ECX] = out[EDX] = 0;
		out[EBX] = sub ? 0 : out[EBX] & F7B_SHOWN;
		break;
	case CPUID_AMD_MAX:
		if (out[EAX] > CPUID_AMD_SIZES)
			out[EAX] = CPUID_AMD_SIZES;
		break;
	case CPUID_AMD_FEATURES:
		out[ECX] &= A1C_SHOWN;
		out[EDX] &= (uint32_t)A1D_SHOWN;
		break;
	case CPUID_AMD_POWER:
		out[EAX] = out[EBX] = out[ECX] = 0;
		out[EDX] &= A7D_INVARIANT_TSC;
		break;
	default:
		/* leaves of hidden features, and of other hypervisors */
		if ((leaf >= CPUID_XSAVE && leaf < CPUID_AMD_MAX) || leaf > CPUID_AMD_SIZES)
			out[EAX] = out[EBX] = out[ECX] = out[EDX] = 0;
	}
}

/* What the page tables may hold. */
void vcpu_address_sizes(struct vcpu *v)
{
	const uint8_t most = 52;
	uint32_t out[4];

	vcpu_cpuid(v, CPUID_AMD_SIZES, 0, out);
	v->phys_bits = (uint8_t)min_u64(GET_FIELD(7, 0, out[EAX]), most);
	vcpu_cpuid(v, CPUID_AMD_FEATURES, 0, out);
	v->has_1g_pages = out[EDX] & A1D_1G;
}

uint64_t vcpu_cr4_allowed(const struct vcpu *v)
{
	uint64_t always = MASK(3, 0) | CR4_PSE | CR4_PAE | CR4_PGE | BIT64(8) | CR4_OSFXSR | CR4_OSXMMEXCPT;
	uint32_t out[4];

	vcpu_cpuid(v, CPUID_EXT_FEATURES, 0, out);
	if (out[EBX] & F7B_FSGSBASE)
		always |= CR4_FSGSBASE;
	if (out[EBX] & F7B_SMEP)
		always |= CR4_SMEP;
	if (out[EBX] & F7B_SMAP)
		always |= CR4_SMAP;
	return always;
}
