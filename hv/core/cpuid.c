/* SPDX-License-Identifier: BSD-2-Clause
 * CPUID as the guest sees it: the leaves of its features, and the few bits of them that change while it runs.
 * Knows nothing of which features there are. */
#include "core/cpuid.h"

#include "core/vcpu.h"
#include "x86.h"

static bool apic_is_on(const struct vcpu *v)
{
	return (v->mode == IRQCHIP_SPLIT ? v->lapic.base : v->run.apic_base) & APIC_BASE_EN;
}

/* SDM v3, "Enabling or Disabling the Local APIC": disabled, "the CPUID feature flag for the APIC ... is also set to 0". */
static void leaf_1(const struct vcpu *v, uint32_t out[CPUID_REGS])
{
	if (!apic_is_on(v))
		out[EDX] &= ~CPUID_1_APIC;
	if (v->ops->get(v, HVM_CR4) & CR4_OSXSAVE)
		out[ECX] |= CPUID_1_OSXSAVE;
}

static void leaf_amd_1(const struct vcpu *v, uint32_t out[CPUID_REGS])
{
	if (!apic_is_on(v))
		out[EDX] &= ~CPUID_1_APIC;
	if (v->misc_enable & MISC_ENABLE_XD_DISABLE)
		out[EDX] &= ~AMD_1_NX;
}

/* "Processor Extended State Enumeration": the size for what XCR0 enables; in subleaf 1 that of the compacted form. */
static void leaf_xsave(const struct vcpu *v, uint32_t sub, uint32_t out[CPUID_REGS])
{
	if (sub <= 1 && features_show(&v->features, FEATURE_XSAVE))
		out[EBX] = v->xcr0 & XCR0_AVX ? v->features.xsave_avx : XSAVE_LEGACY_SIZE;
}

void vcpu_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[CPUID_REGS])
{
	const uint32_t limit = 2;

	features_cpuid(&v->features, leaf, sub, out);
	switch (leaf) {
	case CPUID_VENDOR:
		/* SDM v4, "IA32_MISC_ENABLE": with bit 22 "CPUID.00H returns a maximum value in EAX[7:0] of 2". */
		if (v->misc_enable & MISC_ENABLE_LIMIT_CPUID)
			out[EAX] = limit;
		return;
	case CPUID_FEATURES:
		leaf_1(v, out);
		return;
	case CPUID_TOPOLOGY:
		/* "the level number ... same value in ECX input", beyond the last level too */
		out[ECX] |= sub & (uint32_t)TOPOLOGY_LEVEL;
		return;
	case CPUID_XSAVE:
		leaf_xsave(v, sub, out);
		return;
	case CPUID_AMD_FEATURES:
		leaf_amd_1(v, out);
		return;
	}
}
