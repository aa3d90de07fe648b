/* SPDX-License-Identifier: BSD-2-Clause
 * Can this CPU run a guest, by VMX or by SVM, and if not, what is missing?
 * Knows nothing of how the facts were read. */
#include "x86/cpu.h"

static bool has_neither(const struct cpu_caps *c)
{
	return !c->vmx.vmx && !c->svm.svm;
}

const char *cpu_missing(const struct cpu_caps *c, bool vid)
{
	const char *missing;

	if (c->vendor == CPU_VMX)
		return vmx_missing(&c->vmx, vid);
	if (has_neither(c) && !c->amd)
		return "this CPU has neither VMX (CPUID.1:ECX.VMX = 0) nor SVM (CPUID Fn8000_0001 ECX.SVM = 0)";
	missing = svm_missing(&c->svm);
	if (!missing && vid)
		missing = "SVM here has no virtual-interrupt delivery";
	return missing;
}

bool cpu_has_vid(const struct cpu_caps *c)
{
	return !cpu_missing(c, true);
}

bool cpu_has_posting(const struct cpu_caps *c)
{
	return c->vendor == CPU_VMX && vmx_has_posting(&c->vmx);
}

const char *cpu_name(const struct cpu_caps *c)
{
	if (has_neither(c))
		return "none";
	return c->vendor == CPU_VMX ? "vmx" : "svm";
}
