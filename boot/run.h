/* SPDX-License-Identifier: BSD-2-Clause
 * The seam between the application, which has the firmware, and one run, which has the machine.
 * Knows nothing of either's inside. */
#pragma once

#include "boot/config.h"
#include "boot/report.h"
#include "trace.h"
#include "x86/cpu.h"
#include "x86/emulator.h"
#include "x86/host.h"
#include "x86/pages.h"

struct intack_module {
	const char *path, *args;
	const uint8_t *data;
	size_t size;
};

/* All memory is identity mapped: a pointer is a host-physical address. */
struct intack_env {
	const struct config *config; /* vid is decided */
	struct cpu_caps cpu;
	const uint8_t *guest;      /* the multiboot ELF as loaded, not yet checked */
	size_t guest_size;
	bool guest_built_in;       /* it is our own suite */
	struct intack_module module[CONFIG_MODULES];
	uint32_t modules;
	uint8_t *ram;              /* guest memory, zeroed, 2 MiB aligned */
	uint64_t ram_size;
	struct page_pool *pages;   /* for the hypervisor's own structures */
	struct host_clock clock;
	uint64_t unix_seconds;     /* the firmware's wall clock; 0 if it has none */
	struct trace *trace;       /* NULL: off */
};

/* One run: takes the machine over, runs the guest, gives the machine back. Speaks through r, calls report_taken_over().
 * Returns an enum emulator_status: OK, FAILURES when fail or error totals are not zero or the guest's own exit status
 * is not, DEADLINE, BENCH; or before anything ran a negative enum status, after report_error(). */
int intack_run(const struct intack_env *env, struct report *r);
