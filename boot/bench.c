/* SPDX-License-Identifier: BSD-2-Clause
 * What exits cost, for `make bench`.
 * Knows nothing of what the guest measures. */
#include "boot/bench.h"

#ifdef VMCS_COUNT

#define HUNDREDTHS 100

static const char *const names[HVM_EXITS] = {
	[HVM_EXIT_NONE] = "none",           [HVM_EXIT_INTR] = "host-interrupt", [HVM_EXIT_WINDOW] = "window",
	[HVM_EXIT_NMI_WINDOW] = "nmi-window", [HVM_EXIT_HLT] = "hlt",           [HVM_EXIT_IO] = "port-io",
	[HVM_EXIT_CPUID] = "cpuid",         [HVM_EXIT_RDMSR] = "rdmsr",         [HVM_EXIT_WRMSR] = "wrmsr",
	[HVM_EXIT_CR_WRITE] = "cr-write",   [HVM_EXIT_TPR] = "tpr-threshold",   [HVM_EXIT_EOI] = "virtual-eoi",
	[HVM_EXIT_APIC_WRITE] = "apic-write", [HVM_EXIT_NPF] = "ept-or-mmio",   [HVM_EXIT_UD] = "ud",
};

static void mean(struct report *r, const char *name, uint64_t n, uint64_t exits)
{
	uint64_t m = n * HUNDREDTHS / exits;

	report_printf(r, " %s=%lu.%02lu", name, m / HUNDREDTHS, m % HUNDREDTHS);
}

void bench_report(const struct cpu *cpu, struct report *r)
{
	if (cpu->vendor != CPU_VMX)
		return;
	for (unsigned i = 0; i < HVM_EXITS; i++) {
		const struct vmcs_count *c = &cpu->vmx.count[i];

		if (!c->exits)
			continue;
		report_printf(r, "# intack: bench exit=%s n=%lu least=%lu,%lu", names[i] ? names[i] : "other", c->exits,
			      c->least_reads, c->least_writes);
		mean(r, "vmreads", c->reads, c->exits);
		mean(r, "vmwrites", c->writes, c->exits);
		report_printf(r, "\n");
	}
}

#else

void bench_report(const struct cpu *cpu, struct report *r)
{
	(void)cpu;
	(void)r;
}

#endif
