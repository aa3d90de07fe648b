/* SPDX-License-Identifier: BSD-2-Clause
 * What exits cost, for `make bench`.
 * Knows nothing of what the guest measures. */
#pragma once

#include "boot/report.h"
#include "x86/cpu.h"

/* One line per kind of exit: how many VMREADs and VMWRITEs lay between it and the next exit. Nothing unless this image counts
 * them (VMCS_COUNT) and the CPU has a VMCS. */
void bench_report(const struct cpu *cpu, struct report *r);
