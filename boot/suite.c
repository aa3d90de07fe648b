/* SPDX-License-Identifier: BSD-2-Clause
 * Guests, one after another: loaded, their lines relayed, their verdicts, the totals. A scenario of the suite that cannot
 * end by itself gets its verdict here, and the suite goes on behind it in a fresh guest.
 * Knows nothing of the vCPU that runs them, nor of where the report goes. */
#include "boot/suite.h"

#include <string.h>

#include "status.h"
#include "vmm/bios.h"

static bool in_series(const struct suite *s)
{
	return s->in->config->repeat != 0;
}

void suite_init(struct suite *s, const struct suite_input *in, struct report *report, uint64_t now)
{
	memset(s, 0, sizeof(*s));
	s->in = in;
	s->report = report;
	s->began = now;
	s->deadline = now + in->config->timeout * NSEC_PER_SEC;
	if (in_series(s))
		series_init(s);
}

int suite_load(struct suite *s, struct mb_entry *entry)
{
	const struct suite_input *in = s->in;
	struct mb_module modules[CONFIG_MODULES];
	char cmdline[CONFIG_CMDLINE_SIZE], error[CONFIG_ERROR_SIZE];
	struct config config = *in->config;
	struct mb_request req = { .image = in->guest,
				  .image_size = in->guest_size,
				  .cmdline = in->config->cmdline,
				  .modules = modules,
				  .module_count = in->modules,
				  .ram = in->ram,
				  .ram_size = in->ram_size };
	int err;

	if (in_series(s)) {
		series_load(s, &req, cmdline, sizeof(cmdline));
	} else if (in->guest_built_in) {
		if (s->first)
			config.first = s->first;
		config_suite_cmdline(&config, cmdline, sizeof(cmdline));
		req.cmdline = cmdline;
	}
	for (uint32_t i = 0; i < in->modules; i++)
		modules[i] = (struct mb_module){ in->module[i].data, in->module[i].size, in->module[i].args };
	bios_memory(in->ram); /* before the image, which may want to be there */
	err = multiboot_load(&req, entry, error, sizeof(error));
	if (err)
		report_error(s->report, "guest=%s: %s", in->guest_built_in ? "(built in)" : in->config->guest, error);
	return err;
}

static void dump(struct suite *s)
{
	static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					     "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
	struct vcpu_dump d;

	s->vmm.cfg.api->dump(s->vmm.cfg.h, &d);
	report_printf(s->report, "# intack: dump rip=%#lx rflags=%#lx cs=%#x ss=%#x halted=%d shadow=%d nmi_masked=%d\n", d.rip,
		      d.rflags, d.cs, d.ss, d.halted, d.shadow, d.nmi_masked);
	report_printf(s->report, "# intack: dump cr0=%#lx cr2=%#lx cr3=%#lx cr4=%#lx efer=%#lx stash=%d lapic=%d\n", d.cr0,
		      d.cr2, d.cr3, d.cr4, d.efer, d.stash, d.lapic_pending);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i += 4)
		report_printf(s->report, "# intack: dump %s=%#lx %s=%#lx %s=%#lx %s=%#lx\n", names[i], d.gpr[i], names[i + 1],
			      d.gpr[i + 1], names[i + 2], d.gpr[i + 2], names[i + 3], d.gpr[i + 3]);
}

static void relay(struct suite *s, const char *line)
{
	ktap_line(&s->ktap, line);
	report_printf(s->report, "%s\n", line);
}

static void add_stats(struct suite *s)
{
	union {
		struct vcpu_stats stats;
		uint64_t value[sizeof(struct vcpu_stats) / sizeof(uint64_t)];
	} one;
	uint64_t *total = (uint64_t *)&s->total;

	s->vmm.cfg.api->stats(s->vmm.cfg.h, &one.stats);
	for (size_t i = 0; i < ARRAY_SIZE(one.value); i++)
		total[i] += one.value[i];
}

static uint32_t failures(const struct ktap *k)
{
	return k->fail + k->xfail + k->error;
}

/* The line was that of the last scenario begun. Not behind the last of all: there the guest may as well end. */
static bool leave(const struct suite *s, bool failed)
{
	return failed && s->in->fresh_after_failure && s->in->guest_built_in && s->vmm.scenario.index < s->ktap.plan;
}

static void take_line(struct suite *s)
{
	uint32_t before = failures(&s->ktap);

	if (in_series(s))
		series_line(s, s->vmm.line);
	else if (s->vmm.line_cut)
		report_printf(s->report, "%s\n", s->vmm.line);
	else
		relay(s, s->vmm.line);
	s->left = leave(s, failures(&s->ktap) > before);
}

void suite_run(struct suite *s, struct vmm_config *vcpu)
{
	const struct suite_input *in = s->in;

	vcpu->mode = in->config->irqchip;
	vcpu->deadline = s->deadline;
	vcpu->unix_seconds = in->unix_seconds;
	vcpu->ram = in->ram;
	vcpu->ram_size = in->ram_size;
	vcpu->testdev = in->config->testdev;
	vcpu->trace = in->trace;
	vmm_init(&s->vmm, vcpu);
	if (in_series(s))
		s->vmm.cfg.deadline = series_deadline(s, s->vmm.now);
	s->left = false;
	while (!s->left && vmm_step(&s->vmm) == VMM_LINE)
		take_line(s);
	if (!s->left && s->vmm.end.end != RUN_END_EXIT && !in_series(s))
		report_printf(s->report, "# intack: %s\n", s->vmm.end.message);
}

/* The suite cannot speak for the scenario in which it ended: we do. */
void suite_verdict(struct suite *s)
{
	const struct vmm *m = &s->vmm;
	char line[VMM_LINE_MAX + 1];

	add_stats(s);
	if (in_series(s)) {
		if (!series_verdict(s))
			dump(s);
		return;
	}
	if (s->left)
		return;
	if (m->end.end != RUN_END_EXIT && m->end.end != RUN_END_LIVELOCK)
		dump(s);
	if (!s->in->guest_built_in || !m->in_scenario)
		return;
	ktap_verdict_line(line, sizeof(line), &m->scenario, &m->end);
	relay(s, line);
}

static bool may_go_on(const struct suite *s)
{
	const struct vmm *m = &s->vmm;

	if (s->left)
		return true;
	return s->in->guest_built_in && m->end.end != RUN_END_EXIT && m->in_scenario;
}

/* Behind which scenario does the suite go on? */
bool suite_next(struct suite *s)
{
	const struct vmm *m = &s->vmm;

	if (in_series(s))
		return series_next(s);
	if (!may_go_on(s) || m->now >= s->deadline)
		return false;
	if (m->scenario.index < s->first || m->scenario.index >= s->ktap.plan)
		return false;
	s->first = m->scenario.index + 1;
	return true;
}

enum emulator_status suite_conclude(struct suite *s)
{
	const struct vmm_end *end = &s->vmm.end;
	const struct vcpu_stats *t = &s->total;
	bool ktap = s->in->guest_built_in || s->ktap.plan || in_series(s);
	char totals[VMM_LINE_MAX + 1];

	report_printf(s->report,
		      "# intack: exits=%lu user_exits=%lu window_exits=%lu preempt_exits=%lu extint=%lu lapic=%lu nmi=%lu "
		      "reinjected=%lu delivery_faults=%lu posted=%lu ms=%llu\n",
		      t->exits, t->user_exits, t->window_exits, t->preempt_exits, t->extint, t->lapic, t->nmi, t->reinjected,
		      t->delivery_faults, t->posted, (s->vmm.now - s->began) / NSEC_PER_MSEC);
	if (end->end == RUN_END_EXIT && !in_series(s))
		report_printf(s->report, "# intack: guest exit status %u\n", end->exit_status);
	if (ktap) {
		ktap_totals(&s->ktap, totals, sizeof(totals));
		report_printf(s->report, "%s\n", totals);
	}
	if (end->end == RUN_END_DEADLINE && s->vmm.now >= s->deadline)
		return EMULATOR_DEADLINE;
	if (in_series(s))
		return s->ktap.fail ? EMULATOR_FAILURES : EMULATOR_OK;
	if (end->end != RUN_END_EXIT && !(s->in->guest_built_in && s->vmm.in_scenario))
		return EMULATOR_FAILURES;
	if (ktap && (s->ktap.fail || ktap_errors(&s->ktap)))
		return EMULATOR_FAILURES;
	return end->end == RUN_END_EXIT && end->exit_status ? EMULATOR_FAILURES : EMULATOR_OK;
}
