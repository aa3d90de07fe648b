/* SPDX-License-Identifier: BSD-2-Clause
 * One run: the machine is taken over, the guests run to their end, the machine is given back.
 * Knows nothing of the firmware, nor of what a guest does. */
#include "boot/run.h"

#include <string.h>

#include "boot/bench.h"
#include "core/vcpu.h"
#include "status.h"
#include "x86.h"

struct run {
	const struct intack_env *env;
	struct report *report;
	struct host *host;
	struct cpu *cpu;
	struct vcpu *vcpu;
	struct suite *suite;
};

static void *alloc(struct page_pool *pool, size_t size)
{
	return pages_alloc(pool, (size + PAGE_MASK) / PAGE_SIZE);
}

static int get_structures(struct run *r, struct page_pool *pool)
{
	r->host = alloc(pool, sizeof(*r->host));
	r->cpu = alloc(pool, sizeof(*r->cpu));
	r->vcpu = alloc(pool, sizeof(*r->vcpu));
	r->suite = alloc(pool, sizeof(*r->suite));
	if (r->host && r->cpu && r->vcpu && r->suite)
		return 0;
	report_error(r->report, "out of memory: the hypervisor's own structures");
	return E_NOMEM;
}

static void init_vcpu(struct run *r, const struct mb_entry *entry)
{
	const struct suite_input *in = &r->env->in;
	const struct vcpu_config vc = { .rule = in->config->rule,
					.mode = in->config->irqchip,
					.vid = in->config->vid == CONFIG_VID_ON,
					.post = cpu_has_posting(&r->env->cpu),
					.ram = { in->ram, in->ram_size },
					.tsc_mult = r->host->mult,
					.tsc0 = r->host->tsc0,
					.trace = in->trace };

	vcpu_init(r->vcpu, cpu_ops(r->cpu), cpu_hw(r->cpu), &vc);
	vcpu_set_entry(r->vcpu, entry->eip, entry->eax, entry->ebx);
}

static void explain(struct run *r)
{
	struct entry_check why;

	cpu_explain(r->cpu, &why);
	for (unsigned i = 0; i < why.lines; i++)
		report_printf(r->report, "# intack: entry: %s\n", why.line[i]);
}

static int init_cpu(struct run *r)
{
	const struct intack_env *env = r->env;
	bool vid = env->in.config->vid == CONFIG_VID_ON;
	struct lapic *l = &r->vcpu->lapic;
	int err = cpu_init(r->cpu, &env->cpu, r->host, env->pages, l->page, &l->posted, vid);

	if (err == E_NOMEM)
		report_error(r->report, "out of memory: nested page tables");
	else if (err == E_EXIST)
		report_error(r->report, "VMX is on already (VMXON fails): another hypervisor has this CPU");
	else if (err)
		report_error(r->report, "this CPU cannot run a guest any more");
	return err;
}

static int run_guest(struct run *r)
{
	struct vmm_config vcpu = { .api = &vcpu_native_api,
				   .h = r->vcpu,
				   .run = &r->vcpu->run };
	struct mb_entry entry;
	int err;

	memset(r->env->in.ram, 0, r->env->in.ram_size);
	err = suite_load(r->suite, &entry);
	if (!err)
		err = init_cpu(r);
	if (err)
		return err;
	init_vcpu(r, &entry);
	host_fresh_guest();
	suite_run(r->suite, &vcpu);
	if (r->suite->vmm.end.end == RUN_END_FAIL_ENTRY)
		explain(r);
	suite_verdict(r->suite);
	bench_report(r->cpu, r->report);
	cpu_fini(r->cpu);
	return 0;
}

static int run_guests(struct run *r)
{
	const struct page_pool mark = *r->env->pages;
	int err;

	do {
		*r->env->pages = mark; /* the last guest's nested tables */
		err = run_guest(r);
	} while (!err && suite_next(r->suite));
	return err;
}

static int check_machine(struct run *r)
{
	const struct cpu_caps *caps = &r->env->cpu;
	bool vid = r->env->in.config->vid == CONFIG_VID_ON;

	if (cpu_missing(caps, false))
		report_error(r->report, "%s", cpu_missing(caps, false));
	else if (vid && cpu_missing(caps, true))
		report_error(r->report, "vid=on: %s", cpu_missing(caps, true));
	else
		return 0;
	return E_NODEV;
}

int intack_run(const struct intack_env *env, struct report *report)
{
	struct run r = { .env = env, .report = report };
	enum emulator_status status = EMULATOR_BENCH;
	int err = check_machine(&r);

	if (!err)
		err = get_structures(&r, env->pages);
	if (err)
		return err;
	r.host->clock = env->clock;
	err = host_takeover(r.host);
	if (err) {
		report_error(report, "the local APIC's timer does not interrupt");
		return err;
	}
	report_taken_over(report, true);
	suite_init(r.suite, &env->in, report, host_now(r.host));
	err = run_guests(&r);
	if (!err)
		status = suite_conclude(r.suite);
	host_giveback(r.host);
	report_taken_over(report, false);
	return err ? err : (int)status;
}
