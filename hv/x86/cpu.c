/* SPDX-License-Identifier: BSD-2-Clause
 * The choice between VMX and SVM.
 * Knows nothing of either's inside. */
#include "x86/cpu.h"

#include <string.h>

#include "status.h"

#define CPUID_VENDOR 0u

static bool is_amd(void)
{
	static const char names[][sizeof("AuthenticAMD")] = { "AuthenticAMD", "HygonGenuine" };
	struct cpuid_regs r = cpuid(CPUID_VENDOR, 0);
	const uint32_t found[] = { r.ebx, r.edx, r.ecx };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!memcmp(found, names[i], sizeof(found)))
			return true;
	return false;
}

void cpu_probe(struct cpu_caps *out)
{
	memset(out, 0, sizeof(*out));
	out->amd = is_amd();
	vmx_probe(&out->vmx);
	out->vendor = out->vmx.vmx ? CPU_VMX : CPU_SVM;
	if (out->vendor == CPU_SVM)
		svm_probe(&out->svm);
}

int cpu_init(struct cpu *c, const struct cpu_caps *caps, struct host *host, struct page_pool *pool, void *apic_page,
	     void *posted, bool vid)
{
	int err = E_NODEV;

	c->vendor = caps->vendor;
	xstate_take(&c->xstate);
	switch (c->vendor) {
	case CPU_VMX:
		err = vmx_init(&c->vmx, host, pool, apic_page, posted, vid);
		break;
	case CPU_SVM:
		err = svm_init(&c->svm, host, pool);
		break;
	}
	if (err)
		xstate_give(&c->xstate);
	return err;
}

static void end_backend(struct cpu *c)
{
	switch (c->vendor) {
	case CPU_VMX:
		vmx_fini(&c->vmx);
		return;
	case CPU_SVM:
		svm_fini(&c->svm);
		return;
	}
}

void cpu_fini(struct cpu *c)
{
	end_backend(c);
	xstate_give(&c->xstate);
}

const struct hvm_ops *cpu_ops(const struct cpu *c)
{
	return c->vendor == CPU_VMX ? &vmx_ops : &svm_ops;
}

void *cpu_hw(struct cpu *c)
{
	return c->vendor == CPU_VMX ? (void *)&c->vmx : (void *)&c->svm;
}
