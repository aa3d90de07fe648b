/* SPDX-License-Identifier: BSD-2-Clause
 * The seam between the application, which has the firmware, and one run, which has the machine.
 * Knows nothing of either's inside. */
#pragma once

#include "boot/suite.h"
#include "x86/cpu.h"
#include "x86/host.h"
#include "x86/pages.h"

/* All memory is identity mapped: a pointer is a host-physical address. The guest's memory is 2 MiB aligned, and in the
 * configuration vid is decided. */
struct intack_env {
	struct suite_input in;
	struct cpu_caps cpu;
	struct page_pool *pages;   /* for the hypervisor's own structures */
	struct host_clock clock;
};

/* One run: takes the machine over, runs the guest, gives the machine back. Speaks through r, calls report_taken_over().
 * Returns an enum emulator_status: OK, FAILURES when fail or error totals are not zero or the guest's own exit status
 * is not, DEADLINE, BENCH; or before anything ran a negative enum status, after report_error(). */
int intack_run(const struct intack_env *env, struct report *r);
