/* SPDX-License-Identifier: BSD-2-Clause
 * One image many times over, each time as another guest.
 * Knows nothing of what the guests do. */
#include "boot/series.h"

#include <string.h>

#include "boot/suite.h"
#include "vmm/fmt.h"

#define HUNDRED 100u
#define GOOD_SCENARIO "windows.raise-if1"
#define GOOD_DEADLINE (30 * NSEC_PER_SEC)

static const char *const words[] = {
	[RUN_END_EXIT] = "exit", [RUN_END_SHUTDOWN] = "shutdown", [RUN_END_RESET] = "reset", [RUN_END_LIVELOCK] = "livelock",
	[RUN_END_HUNG] = "halted", [RUN_END_DEADLINE] = "hung", [RUN_END_CRASH] = "crash",
	[RUN_END_FAIL_ENTRY] = "refused",
};

static const struct config *config(const struct suite *s)
{
	return s->in->config;
}

void series_init(struct suite *s)
{
	s->series.at = config(s)->first ? config(s)->first : 1;
	report_printf(s->report, "KTAP version 1\n1..%u\n", config(s)->repeat + (config(s)->repeat - 1) / HUNDRED + 1);
}

void series_load(struct suite *s, struct mb_request *req, char *cmdline, size_t size)
{
	struct config good = *config(s);

	if (s->series.good) {
		good.first = 0;
		fmt(good.only, sizeof(good.only), GOOD_SCENARIO);
		config_suite_cmdline(&good, cmdline, size);
		req->image = s->in->good;
		req->image_size = s->in->good_size;
		req->module_count = 0;
	} else {
		fmt(cmdline, size, "%s seed=%lu i=%u", config(s)->cmdline, config(s)->seed, s->series.at);
	}
	req->cmdline = cmdline;
}

uint64_t series_deadline(struct suite *s, uint64_t now)
{
	uint64_t length = s->series.good ? GOOD_DEADLINE : config(s)->each * NSEC_PER_MSEC;

	s->series.began = now;
	s->series.titled = false;
	s->series.title[0] = '\0';
	memset(&s->series.ktap, 0, sizeof(s->series.ktap));
	return min_u64(s->deadline, now + length);
}

void series_line(struct suite *s, const char *line)
{
	struct series *r = &s->series;

	if (r->good) {
		ktap_line(&r->ktap, line);
	} else if (!r->titled) {
		r->titled = true;
		fmt(r->title, sizeof(r->title), "%s", line);
		ktap_clean(r->title, sizeof(r->title));
	}
}

/* What the guest has done to itself; anything else we have done. */
static bool is_its_own(const struct vmm *m)
{
	const struct vcpu_run *run = m->cfg.run;

	switch (m->end.end) {
	case RUN_END_EXIT:
	case RUN_END_SHUTDOWN:
	case RUN_END_RESET:
	case RUN_END_HUNG:
	case RUN_END_DEADLINE:
		return true;
	case RUN_END_CRASH:
		return run->exit_reason == VCPU_EXIT_INTERNAL_ERROR &&
		       (run->internal.suberror == VCPU_ERROR_EMULATION || run->internal.suberror == VCPU_ERROR_FETCH ||
			run->internal.suberror == VCPU_ERROR_DELIVERY);
	case RUN_END_LIVELOCK:
	case RUN_END_FAIL_ENTRY:
		break;
	}
	return false;
}

static bool is_good(const struct suite *s)
{
	const struct vmm_end *end = &s->vmm.end;

	return end->end == RUN_END_EXIT && !end->exit_status && s->series.ktap.pass == 1;
}

static uint32_t number(const struct series *r)
{
	return r->at + (r->at - 1) / HUNDRED + r->good;
}

bool series_verdict(struct suite *s)
{
	const struct series *r = &s->series;
	const struct vmm *m = &s->vmm;
	bool ok = r->good ? is_good(s) : is_its_own(m);
	char name[SERIES_TITLE + 64];

	if (r->good)
		fmt(name, sizeof(name), "good." GOOD_SCENARIO);
	else
		fmt(name, sizeof(name), "guest.%lu.%u %s", config(s)->seed, r->at, r->title);
	report_printf(s->report, "%s %u %s # %s: %s ms=%llu\n", ok ? "ok" : "not ok", number(r), name, words[m->end.end],
		      m->end.message + m->end.detail, (m->now - r->began) / NSEC_PER_MSEC);
	if (ok)
		s->ktap.pass++;
	else
		s->ktap.fail++;
	return ok;
}

bool series_next(struct suite *s)
{
	struct series *r = &s->series;

	if (s->vmm.now >= s->deadline)
		return false;
	if (!r->good && (r->at % HUNDRED == 0 || r->at >= config(s)->repeat)) {
		r->good = true;
		return true;
	}
	r->good = false;
	return r->at++ < config(s)->repeat;
}
