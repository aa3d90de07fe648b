/* SPDX-License-Identifier: BSD-2-Clause
 * Runs the scenarios, one after the other, each from the same state, and says how each ended.
 * Knows nothing of what a scenario does. */
#include "rt_private.h"

#define DEADLINE_DEFAULT_MS 5000
#define SCENARIOS_MAX 512
#define METRICS_MAX 12
#define TEXT_MAX 256

enum outcome { PASS, FAILURE, SKIPPED, BROKEN };

struct metric_value {
	const char *name;
	uint64_t value;
};

/* The scenario that runs now. */
static struct {
	uint64_t resume[8];
	enum outcome outcome;
	char verdict[16], text[TEXT_MAX];
	struct metric_value metrics[METRICS_MAX];
	unsigned metric_count;
	uint64_t rnd;
} now;

static bool any_failed;
extern const struct scenario __start_scenarios[], __stop_scenarios[];

/* ---- verdicts ---- */

/* Back to run_one(), from wherever the scenario is, be it in a handler. */
_Noreturn static void end_scenario(enum outcome outcome, const char *verdict, const char *fmt, va_list ap)
{
	irq_off();
	if (!rt_running)
		bail_out("a verdict outside of a scenario: %s", fmt);
	rt_running = false;
	now.outcome = outcome;
	rt_snprintf(now.verdict, sizeof(now.verdict), "%s", verdict);
	rt_vsnprintf(now.text, sizeof(now.text), fmt, ap);
	rt_longjmp(now.resume);
}

void fail(const char *verdict, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_scenario(FAILURE, verdict, fmt, ap);
}

void error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_scenario(BROKEN, "", fmt, ap);
}

void skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_scenario(SKIPPED, "", fmt, ap);
}

static const char *base_name(const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (*path == '/')
			base = path + 1;
	return base;
}

void expect_eq(uint64_t got, uint64_t want, const char *what, const char *file, int line)
{
	if (got != want)
		fail("", "%s:%d: %s is %#lx, expected %#lx", base_name(file), line, what, got, want);
}

void expect_true(bool cond, const char *what, const char *file, int line)
{
	if (!cond)
		fail("", "%s:%d: not true: %s", base_name(file), line, what);
}

void metric(const char *name, uint64_t value)
{
	if (now.metric_count < METRICS_MAX)
		now.metrics[now.metric_count++] = (struct metric_value){ name, value };
}

void note(const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	rt_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	serial_printf("# %s\n", text);
}

void bail_out(const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	rt_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	serial_printf("Bail out! %s\n", text);
	rt_exit(1);
}

/* ---- random numbers ---- */

#define FNV_OFFSET 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull
#define XORSHIFT_MULTIPLIER 0x2545f4914f6cdd1dull

uint64_t rnd(void)
{
	now.rnd ^= now.rnd >> 12;
	now.rnd ^= now.rnd << 25;
	now.rnd ^= now.rnd >> 27;
	return now.rnd * XORSHIFT_MULTIPLIER;
}

static void rnd_seed(const char *name)
{
	uint64_t hash = FNV_OFFSET ^ env.seed;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * FNV_PRIME;
	now.rnd = hash ? hash : 1; /* zero is the one state that xorshift cannot leave */
}

/* ---- report ---- */

static const struct xfail *expected_failure(const struct scenario *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(s->xfails); i++) {
		const struct xfail *x = &s->xfails[i];

		if (x->verdict && x->rules & env.rule && x->modes & env.mode && x->vids & env.vid &&
		    (!x->l0 || on_platform(x->l0)))
			return x;
	}
	return NULL;
}

/* What a scenario costs, where somebody counts: exits to the user half, window exits, and deliveries of both sorts, with the
 * few exits to the user half that asking for it makes. */
static struct cost {
	const char *name;
	enum lab_counter which;
	uint64_t before;
} costs[] = {
	{ "lapic", LAB_LAPIC, 0 }, { "extint", LAB_EXTINT, 0 }, { "window_exits", LAB_WINDOW_EXITS, 0 }, { "user_exits", LAB_USER_EXITS, 0 },
};

static void costs_begin(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(costs); i++)
		costs[i].before = lab_counter(costs[i].which);
}

static bool has_metric(const char *name)
{
	for (unsigned i = 0; i < now.metric_count; i++)
		if (str_cmp(now.metrics[i].name, name) == 0)
			return true;
	return false;
}

/* The scenario's own number of a name is the one that it is about. */
static void costs_end(void)
{
	if (!env.lab || now.outcome == SKIPPED)
		return;
	for (unsigned i = ARRAY_SIZE(costs); i-- > 0;) {
		uint64_t spent = lab_counter(costs[i].which) - costs[i].before;

		if (!has_metric(costs[i].name))
			metric(costs[i].name, spent);
	}
}

static bool has_metrics(void)
{
	return now.metric_count > 0;
}

static void print_metrics(void)
{
	for (unsigned i = 0; i < now.metric_count; i++)
		serial_printf(" %s=%lu", now.metrics[i].name, now.metrics[i].value);
}

/* A failure of no particular kind has a word in the report nevertheless. */
static const char *word(const char *verdict)
{
	return verdict[0] ? verdict : "fail";
}

static void report_pass(uint32_t number, const char *name, const struct xfail *x)
{
	if (x) {
		any_failed = true;
		serial_printf("not ok %u %s # XPASS %s", number, name, word(x->verdict));
	} else {
		serial_printf(has_metrics() ? "ok %u %s #" : "ok %u %s", number, name);
	}
}

static void report_failure(uint32_t number, const char *name, const struct xfail *x)
{
	if (x && str_cmp(x->verdict, now.verdict) == 0) {
		serial_printf("ok %u %s # XFAIL %s: %s", number, name, word(now.verdict), now.text);
		return;
	}
	any_failed = true;
	serial_printf("not ok %u %s # %s: %s", number, name, word(now.verdict), now.text);
}

static void report(uint32_t number, const struct scenario *s)
{
	const struct xfail *x = expected_failure(s);

	switch (now.outcome) {
	case PASS:
		report_pass(number, s->name, x);
		break;
	case FAILURE:
		report_failure(number, s->name, x);
		break;
	case SKIPPED:
		serial_printf("ok %u %s # SKIP %s", number, s->name, now.text);
		break;
	case BROKEN:
		any_failed = true;
		serial_printf("not ok %u %s # ERROR %s", number, s->name, now.text);
		break;
	}
	print_metrics();
	serial_write("\n", 1);
}

/* ---- one scenario ---- */

/* NMIs are blocked if the scenario ended in the handler of one: only IRET unblocks them. */
static void unblock_nmi(void)
{
	__asm__ volatile("mov %%ss, %%eax\n\t"
			 "mov %%rsp, %%rcx\n\t"
			 "push %%rax\n\t"
			 "push %%rcx\n\t"
			 "pushfq\n\t"
			 "mov %%cs, %%eax\n\t"
			 "push %%rax\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "iretq\n"
			 "1:" ::: "rax", "rcx", "memory", "cc");
}

static void machine_reset(void)
{
	rt_running = false;
	irq_off();
	idt_reset();
	unblock_nmi();
	pc_quiet();
	apic_reset();
	apic_drain();
	pc_reset();
	arrivals_clear();
}

/* Whoever keeps the deadlines hears of it: the user half by its port, else somebody at the other end of the wire. */
static void announce(uint32_t number, const struct scenario *s)
{
	static struct lab_scenario current;
	const struct xfail *x = expected_failure(s);

	current = (struct lab_scenario){
		.index = number,
		.deadline_ms = s->deadline_ms ? s->deadline_ms : DEADLINE_DEFAULT_MS,
	};
	rt_snprintf(current.name, sizeof(current.name), "%s", s->name);
	rt_snprintf(current.expect, sizeof(current.expect), "%s", x ? x->verdict : "");
	if (env.lab) {
		outl(LAB_SCENARIO, (uint32_t)(uintptr_t)&current);
		return;
	}
	serial_printf("# scenario %u %s deadline_ms=%u expect=%s\n", current.index, current.name, current.deadline_ms,
		      current.expect);
	serial_flush();
}

static void announce_end(void)
{
	if (env.lab)
		outl(LAB_SCENARIO, 0);
}

static void run_body(const struct scenario *s)
{
	rt_running = true;
	if (s->modes && !(s->modes & env.mode))
		skip("%s", s->skip ? s->skip : "not in this irqchip mode");
	s->run();
	irq_off();
	rt_running = false;
}

static void run_one(uint32_t number, const struct scenario *s)
{
	now.outcome = PASS;
	now.metric_count = 0;
	rnd_seed(s->name);
	announce(number, s);
	costs_begin();
	if (!rt_setjmp(now.resume))
		run_body(s);
	costs_end();
	machine_reset();
	announce_end();
	report(number, s);
	/* Some models cannot enable it again: what would come now would not be the scenarios' fault. */
	if (!apic_is_reachable()) {
		note("the local APIC stays disabled: the next scenario needs a fresh machine");
		rt_exit(any_failed);
	}
}

/* ---- the suite ---- */

static bool comes_before(const struct scenario *a, const struct scenario *b)
{
	int files = str_cmp(base_name(a->file), base_name(b->file));

	return files ? files < 0 : a->line < b->line;
}

/* Neither compiler nor linker promises an order: sorted by file name and line here. */
static uint32_t select_scenarios(const char *only, const struct scenario **list)
{
	uint32_t n = 0;

	for (const struct scenario *s = __start_scenarios; s < __stop_scenarios && n < SCENARIOS_MAX; s++) {
		uint32_t at = n;

		if (only && !glob_match(only, s->name))
			continue;
		for (; at && comes_before(s, list[at - 1]); at--)
			list[at] = list[at - 1];
		list[at] = s;
		n++;
	}
	return n;
}

static const char *const rule_names[] = { "legacy", "stash", "boundary", "rearm" };
static const char *const mode_names[] = { "split", "user" };
static const char *const vid_names[] = { "off", "on" };

static void print_words(const char *option, uint32_t bits, const char *const *names, unsigned count)
{
	const char *separator = "";

	serial_printf(" %s=", option);
	for (unsigned i = 0; i < count; i++)
		if (bits & BIT(i)) {
			serial_printf("%s%s", separator, names[i]);
			separator = "|";
		}
}

static void print_xfail(const struct xfail *x)
{
	serial_printf("#   %s:", word(x->verdict));
	print_words("rule", x->rules, rule_names, ARRAY_SIZE(rule_names));
	print_words("irqchip", x->modes, mode_names, ARRAY_SIZE(mode_names));
	print_words("vid", x->vids, vid_names, ARRAY_SIZE(vid_names));
	if (x->l0)
		serial_printf(" l0=%s", x->l0);
	serial_printf(": %s\n", x->why);
}

static void print_list(const struct scenario *const *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		serial_printf("# %u %s\n", i + 1, list[i]->name);
		for (unsigned j = 0; j < ARRAY_SIZE(list[i]->xfails); j++)
			if (list[i]->xfails[j].verdict)
				print_xfail(&list[i]->xfails[j]);
	}
}

void rt_main(uint32_t magic, uint32_t multiboot_info)
{
	static const struct scenario *list[SCENARIOS_MAX];
	struct options opt;
	uint32_t n;

	serial_init();
	idt_init();
	env_init(magic, multiboot_info, &opt);
	n = select_scenarios(opt.only, list);
	if (opt.list) {
		print_list(list, n);
		rt_exit(0);
	}
	if (opt.first <= 1)
		serial_printf("KTAP version 1\n1..%u\n", n);
	machine_reset();
	for (uint32_t i = opt.first > 1 ? opt.first - 1 : 0; i < n; i++)
		run_one(i + 1, list[i]);
	rt_exit(any_failed);
}
