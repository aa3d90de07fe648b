/* SPDX-License-Identifier: BSD-2-Clause
 * The hypervisor's own descriptor tables, interrupts and panics.
 * Knows nothing of the firmware's, except that they are loaded before and after. */
#pragma once

#include "x86/host.h"

/* Builds GDT, TSS and IDT in h and loads them with all segment registers. Interrupts arrive in h from now on. */
void host_tables_load(struct host *h);
