/* SPDX-License-Identifier: BSD-2-Clause
 * One run: the machine is taken over, the guest runs to its end, the machine is given back. A scenario of the suite that
 * cannot end by itself gets its verdict here, and the suite goes on behind it in a fresh guest.
 * Knows nothing of the firmware, nor of what a guest does. */
#include "boot/run.h"

#include <string.h>

#include "boot/bench.h"
#include "core/vcpu.h"
#include "status.h"
#include "vmm/fmt.h"
#include "vmm/ktap.h"
#include "vmm/multiboot.h"
#include "x86.h"

struct run {
	const struct intack_env *env;
	struct report *report;
	struct host *host;
	struct cpu *cpu;
	struct vcpu *vcpu;
	struct vmm *vmm;
	struct ktap *ktap;
	uint64_t deadline;
	struct vcpu_stats total;
	uint64_t posted;
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
	r->vmm = alloc(pool, sizeof(*r->vmm));
	r->ktap = alloc(pool, sizeof(*r->ktap));
	if (r->host && r->cpu && r->vcpu && r->vmm && r->ktap)
		return 0;
	report_error(r->report, "out of memory: the hypervisor's own structures");
	return E_NOMEM;
}

static int load_guest(struct run *r, uint32_t first, struct mb_entry *entry)
{
	const struct intack_env *env = r->env;
	struct mb_module modules[CONFIG_MODULES];
	char cmdline[CONFIG_CMDLINE_SIZE], error[CONFIG_ERROR_SIZE];
	struct config config = *env->config;
	struct mb_request req = { .image = env->guest,
				  .image_size = env->guest_size,
				  .cmdline = env->config->cmdline,
				  .modules = modules,
				  .module_count = env->modules,
				  .ram = env->ram,
				  .ram_size = env->ram_size };
	int err;

	if (env->guest_built_in) {
		if (first)
			config.first = first;
		config_suite_cmdline(&config, cmdline, sizeof(cmdline));
		req.cmdline = cmdline;
	}
	for (uint32_t i = 0; i < env->modules; i++)
		modules[i] = (struct mb_module){ env->module[i].data, env->module[i].size, env->module[i].args };
	memset(env->ram, 0, env->ram_size);
	err = multiboot_load(&req, entry, error, sizeof(error));
	if (err)
		report_error(r->report, "guest=%s: %s", env->guest_built_in ? "(built in)" : env->config->guest, error);
	return err;
}

static void init_guest(struct run *r, const struct mb_entry *entry)
{
	const struct intack_env *env = r->env;
	const struct vcpu_config vc = { .rule = env->config->rule,
					.mode = env->config->irqchip,
					.vid = env->config->vid == CONFIG_VID_ON,
					.post = cpu_has_posting(&env->cpu),
					.ram = { env->ram, env->ram_size },
					.tsc_mult = r->host->mult,
					.tsc0 = r->host->tsc0,
					.trace = env->trace };
	const struct vmm_config mc = { .api = &vcpu_native_api,
				       .h = r->vcpu,
				       .run = &r->vcpu->run,
				       .mode = env->config->irqchip,
				       .tsc = { r->host->mult, r->host->tsc0 },
				       .deadline = r->deadline,
				       .unix_seconds = env->unix_seconds,
				       .ram = env->ram,
				       .ram_size = env->ram_size,
				       .trace = env->trace };

	vcpu_init(r->vcpu, cpu_ops(r->cpu), cpu_hw(r->cpu), &vc);
	vcpu_set_entry(r->vcpu, entry->eip, entry->eax, entry->ebx);
	vmm_init(r->vmm, &mc);
}

static void dump(struct run *r)
{
	static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					     "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
	struct vcpu_dump d;

	vcpu_native_api.dump(r->vcpu, &d);
	report_printf(r->report, "# intack: dump rip=%#lx rflags=%#lx cs=%#x ss=%#x halted=%d shadow=%d nmi_masked=%d\n", d.rip,
		      d.rflags, d.cs, d.ss, d.halted, d.shadow, d.nmi_masked);
	report_printf(r->report, "# intack: dump cr0=%#lx cr2=%#lx cr3=%#lx cr4=%#lx efer=%#lx stash=%d lapic=%d\n", d.cr0,
		      d.cr2, d.cr3, d.cr4, d.efer, d.stash, d.lapic_pending);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i += 4)
		report_printf(r->report, "# intack: dump %s=%#lx %s=%#lx %s=%#lx %s=%#lx\n", names[i], d.gpr[i], names[i + 1],
			      d.gpr[i + 1], names[i + 2], d.gpr[i + 2], names[i + 3], d.gpr[i + 3]);
}

static void relay(struct run *r, const char *line)
{
	ktap_line(r->ktap, line);
	report_printf(r->report, "%s\n", line);
}

static void explain(struct run *r)
{
	struct entry_check why;

	cpu_explain(r->cpu, &why);
	for (unsigned i = 0; i < why.lines; i++)
		report_printf(r->report, "# intack: entry: %s\n", why.line[i]);
}

/* The suite cannot speak for the scenario in which it ended: we do. */
static void verdict(struct run *r)
{
	char line[VMM_LINE_MAX + 1];

	if (r->vmm->end.end != RUN_END_EXIT) {
		report_printf(r->report, "# intack: %s\n", r->vmm->end.message);
		if (r->vmm->end.end == RUN_END_FAIL_ENTRY)
			explain(r);
		if (r->vmm->end.end != RUN_END_LIVELOCK)
			dump(r);
	}
	if (!r->env->guest_built_in || !r->vmm->in_scenario)
		return;
	ktap_verdict_line(line, sizeof(line), &r->vmm->scenario, &r->vmm->end);
	relay(r, line);
}

static int init_cpu(struct run *r)
{
	const struct intack_env *env = r->env;
	bool vid = env->config->vid == CONFIG_VID_ON;
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

static int run_guest(struct run *r, uint32_t first)
{
	struct mb_entry entry;
	int err = load_guest(r, first, &entry);

	if (err)
		return err;
	err = init_cpu(r);
	if (err)
		return err;
	init_guest(r, &entry);
	while (vmm_step(r->vmm) == VMM_LINE) {
		if (r->vmm->line_cut)
			report_printf(r->report, "%s\n", r->vmm->line);
		else
			relay(r, r->vmm->line);
	}
	verdict(r);
	bench_report(r->cpu, r->report);
	cpu_fini(r->cpu);
	return 0;
}

/* Behind which scenario does the suite go on? 0: nowhere. */
static uint32_t next_scenario(const struct run *r, uint32_t first)
{
	const struct vmm *m = r->vmm;

	if (!r->env->guest_built_in || m->end.end == RUN_END_EXIT || !m->in_scenario || m->now >= r->deadline)
		return 0;
	if (m->scenario.index < first || m->scenario.index >= r->ktap->plan)
		return 0;
	return m->scenario.index + 1;
}

static void add_stats(struct run *r)
{
	const uint64_t *from = (const uint64_t *)&r->vcpu->stats;
	uint64_t *to = (uint64_t *)&r->total;

	for (size_t i = 0; i < sizeof(r->total) / sizeof(*to); i++)
		to[i] += from[i];
	r->posted += r->vcpu->posted;
}

static int run_guests(struct run *r)
{
	const struct page_pool mark = *r->env->pages;
	uint32_t first = 0;
	int err;

	do {
		*r->env->pages = mark; /* the last guest's nested tables */
		err = run_guest(r, first);
		if (err)
			return err;
		add_stats(r);
		first = next_scenario(r, first);
	} while (first);
	return 0;
}

static enum emulator_status conclude(struct run *r)
{
	const struct vmm_end *end = &r->vmm->end;
	const struct vcpu_stats *s = &r->total;
	char totals[VMM_LINE_MAX + 1];
	bool ktap = r->env->guest_built_in || r->ktap->plan;

	report_printf(r->report,
		      "# intack: exits=%lu user_exits=%lu window_exits=%lu preempt_exits=%lu extint=%lu lapic=%lu nmi=%lu "
		      "reinjected=%lu delivery_faults=%lu posted=%lu ms=%llu\n",
		      s->exits, s->user_exits, s->window_exits, s->preempt_exits, s->extint, s->lapic, s->nmi, s->reinjected,
		      s->delivery_faults, r->posted, r->vmm->now / NSEC_PER_MSEC);
	if (end->end == RUN_END_EXIT)
		report_printf(r->report, "# intack: guest exit status %u\n", end->exit_status);
	if (ktap) {
		ktap_totals(r->ktap, totals, sizeof(totals));
		report_printf(r->report, "%s\n", totals);
	}
	if (end->end == RUN_END_DEADLINE && r->vmm->now >= r->deadline)
		return EMULATOR_DEADLINE;
	if (end->end != RUN_END_EXIT && !(r->env->guest_built_in && r->vmm->in_scenario))
		return EMULATOR_FAILURES;
	if (ktap && (r->ktap->fail || ktap_errors(r->ktap)))
		return EMULATOR_FAILURES;
	return end->end == RUN_END_EXIT && end->exit_status ? EMULATOR_FAILURES : EMULATOR_OK;
}

static int check_machine(struct run *r)
{
	const struct cpu_caps *caps = &r->env->cpu;
	bool vid = r->env->config->vid == CONFIG_VID_ON;

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
	r.deadline = host_now(r.host) + env->config->timeout * NSEC_PER_SEC;
	err = run_guests(&r);
	if (!err)
		status = conclude(&r);
	host_giveback(r.host);
	report_taken_over(report, false);
	return err ? err : (int)status;
}
