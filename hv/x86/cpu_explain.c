/* SPDX-License-Identifier: BSD-2-Clause
 * Why the CPU refused the last entry: reads what the rules of either vendor depend on.
 * Knows nothing of the rules. */
#include <string.h>

#include "x86.h"
#include "x86/cpu.h"
#include "x86/svm_check.h"
#include "x86/vmx_check.h"

#define CPUID_FEATURES 0x1u
#define CPUID_EXT_FEATURES 0x7u
#define CPUID_AMD_FEATURES 0x80000001u
#define CPUID_AMD_SIZES 0x80000008u
#define SIZES_PHYSICAL(eax) ((uint8_t)GET_FIELD(7, 0, eax))
#define SIZES_LINEAR(eax) ((uint8_t)GET_FIELD(15, 8, eax))
#define BITS_OF_32BIT_ADDR 32

/* A feature, and the bits of a register that exist with it. APM v3, "Standard Feature Function Numbers", "Extended Feature
 * Function Numbers". */
enum reg { EBX, ECX, EDX };
struct feature {
	uint32_t leaf;
	enum reg reg;
	uint8_t bit;
	uint64_t defines;
};
static const struct feature cr4_features[] = {
	{ CPUID_FEATURES, EDX, 1, MASK(1, 0) },        { CPUID_FEATURES, EDX, 2, BIT64(3) },
	{ CPUID_FEATURES, EDX, 3, CR4_PSE },           { CPUID_FEATURES, EDX, 4, BIT64(2) },
	{ CPUID_FEATURES, EDX, 6, CR4_PAE },           { CPUID_FEATURES, EDX, 7, CR4_MCE },
	{ CPUID_FEATURES, EDX, 13, CR4_PGE },          { CPUID_FEATURES, EDX, 24, CR4_OSFXSR },
	{ CPUID_FEATURES, EDX, 25, CR4_OSXMMEXCPT },   { CPUID_FEATURES, ECX, 17, CR4_PCIDE },
	{ CPUID_FEATURES, ECX, 26, CR4_OSXSAVE },      { CPUID_EXT_FEATURES, EBX, 0, CR4_FSGSBASE },
	{ CPUID_EXT_FEATURES, EBX, 7, CR4_SMEP },      { CPUID_EXT_FEATURES, EBX, 20, CR4_SMAP },
	{ CPUID_EXT_FEATURES, ECX, 2, CR4_UMIP },      { CPUID_EXT_FEATURES, ECX, 3, BIT64(22) },
	{ CPUID_EXT_FEATURES, ECX, 7, CR4_CET },       { CPUID_EXT_FEATURES, ECX, 16, CR4_LA57 },
};
#define CR4_PCE BIT64(8) /* always there */
static const struct feature efer_features[] = {
	{ CPUID_AMD_FEATURES, EDX, 11, EFER_SCE },     { CPUID_AMD_FEATURES, EDX, 29, EFER_LME | EFER_LMA },
	{ CPUID_AMD_FEATURES, EDX, 20, EFER_NXE },     { CPUID_AMD_FEATURES, ECX, 2, EFER_SVME },
	{ CPUID_AMD_FEATURES, EDX, 25, BIT64(14) },    { CPUID_AMD_FEATURES, ECX, 17, BIT64(15) },
};
/* Of later models: nothing is said of them. */
#define EFER_LATER (BIT64(13) | MASK(21, 17))

static bool has(const struct feature *f)
{
	struct cpuid_regs r = cpuid(f->leaf, 0);
	const uint32_t regs[] = { [EBX] = r.ebx, [ECX] = r.ecx, [EDX] = r.edx };

	return regs[f->reg] & BIT(f->bit);
}

static uint64_t undefined_bits(const struct feature *list, size_t n, uint64_t defined)
{
	for (size_t i = 0; i < n; i++)
		if (has(&list[i]))
			defined |= list[i].defines;
	return ~defined;
}

static void explain_svm(const struct svm *s, struct entry_check *out)
{
	const struct feature long_mode = { CPUID_AMD_FEATURES, EDX, 29, 0 };
	const struct svm_check_facts facts = {
		.phys_bits = SIZES_PHYSICAL(cpuid(CPUID_AMD_SIZES, 0).eax),
		.long_mode = has(&long_mode),
		.cr4_mbz = undefined_bits(cr4_features, ARRAY_SIZE(cr4_features), CR4_PCE),
		.efer_mbz = undefined_bits(efer_features, ARRAY_SIZE(efer_features), EFER_LATER),
	};

	svm_check(s->vmcb, &facts, out);
}

static void read_fields(struct vmx_snapshot *s)
{
	for (unsigned f = VF_END + 1; f < VMX_CHECK_COUNT; f++)
		if (!vmread(vmx_check_encoding[f], &s->field[f]))
			s->field[f] = 0;
}

static enum vmx_refusal refusal(const struct vmx *x)
{
	switch (x->entry) {
	case VMX_VMFAIL_INVALID:
		return VMX_FAIL_INVALID;
	case VMX_VMFAIL_VALID:
		return VMX_FAIL_VALID;
	case VMX_ENTERED:
		break;
	}
	return VMX_FAIL_LOADING;
}

/* A VMREAD that fails overwrites the VM-instruction error: that field first. */
static void explain_vmx(struct vmx *x, struct entry_check *out)
{
	uint32_t sizes = cpuid(CPUID_AMD_SIZES, 0).eax;
	struct vmx_snapshot s = { .caps = x->caps,
				  .phys_bits = SIZES_PHYSICAL(sizes),
				  .linear_bits = SIZES_LINEAR(sizes),
				  .vtpr = ((const uint8_t *)x->apic_page)[APIC_TPR],
				  .refusal = refusal(x) };

	if (x->caps.basic & VMX_BASIC_32BIT_ADDR)
		s.phys_bits = BITS_OF_32BIT_ADDR;
	if (s.refusal != VMX_FAIL_INVALID) {
		s.insn_error = (uint32_t)vmcs_read(x, VMCS_INSN_ERROR);
		s.exit_reason = (uint32_t)vmcs_read(x, VMCS_EXIT_REASON);
		s.qualification = vmcs_read(x, VMCS_EXIT_QUALIFICATION);
		read_fields(&s);
	}
	vmx_check(&s, out);
}

void cpu_explain(struct cpu *c, struct entry_check *out)
{
	switch (c->vendor) {
	case CPU_VMX:
		explain_vmx(&c->vmx, out);
		return;
	case CPU_SVM:
		explain_svm(&c->svm, out);
		return;
	}
}
