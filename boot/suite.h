/* SPDX-License-Identifier: BSD-2-Clause
 * Guests, one after another: loaded, their lines relayed, their verdicts, the totals. A scenario of the suite that cannot
 * end by itself gets its verdict here, and the suite goes on behind it in a fresh guest.
 * Knows nothing of the vCPU that runs them, nor of where the report goes. */
#pragma once

#include "boot/config.h"
#include "boot/report.h"
#include "boot/series.h"
#include "trace.h"
#include "vmm/ktap.h"
#include "vmm/multiboot.h"
#include "x86/emulator.h"

struct suite_module {
	const char *path, *args;
	const uint8_t *data;
	size_t size;
};

/* What is to be run, as its owner has loaded it. */
struct suite_input {
	const struct config *config;
	const uint8_t *guest;      /* the multiboot ELF as loaded, not yet checked */
	size_t guest_size;
	bool guest_built_in;       /* it is our own suite */
	bool fresh_after_failure;  /* one that was expected too may leave the vCPU in a state that a guest cannot put back */
	const uint8_t *good;       /* our own suite, for its turns in a series */
	size_t good_size;
	struct suite_module module[CONFIG_MODULES];
	uint32_t modules;
	uint8_t *ram;              /* guest memory */
	uint64_t ram_size;
	uint64_t unix_seconds;     /* the wall clock; 0 if there is none */
	struct trace *trace;       /* NULL: off */
};

struct suite {
	const struct suite_input *in;
	struct report *report;
	uint64_t began, deadline;
	uint32_t first;            /* the scenario that the present guest began with; 0: as the words say */
	bool left;                 /* the present guest is not at its end, but it is not to go on */
	struct vcpu_stats total;
	struct ktap ktap;
	struct series series;      /* the configuration's `repeat` is given */
	struct vmm vmm;
};

/* now: on the clock of the vCPU to come. */
void suite_init(struct suite *s, const struct suite_input *in, struct report *report, uint64_t now);
/* The guest into its memory, which its owner has zeroed. An enum status after report_error(). */
int suite_load(struct suite *s, struct mb_entry *entry);
/* The vCPU is reset and stands at the entry: what of vmm_init() is the vCPU's business is filled in. Says how the guest
 * ended, if not by its own word. */
void suite_run(struct suite *s, struct vmm_config *vcpu);
/* After a run, the vCPU is still there: what it was about, and the verdict that the guest cannot give itself. */
void suite_verdict(struct suite *s);
/* After the verdict: is there another guest to be loaded and run? */
bool suite_next(struct suite *s);
/* The last lines, and what the whole comes to. */
enum emulator_status suite_conclude(struct suite *s);
