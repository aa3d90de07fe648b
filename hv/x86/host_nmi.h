/* SPDX-License-Identifier: BSD-2-Clause
 * An NMI now and then, out of the RTC through the I/O APIC: the one interrupt that no IF holds off.
 * Knows nothing of who needs it, nor of the time of day. */
#pragma once

#include "types.h"
#include "x86/lapic_hw.h"

struct host_nmi {
	bool on;
	/* The firmware's. */
	uint8_t rtc_a, rtc_b;
	uint32_t rte[2];
};

void host_nmi_start(struct host_nmi *n, const struct lapic_hw *l);
/* As it was; does nothing if it was not started. */
void host_nmi_stop(struct host_nmi *n);
/* After each: there is no other before. */
void host_nmi_rearm(const struct host_nmi *n);
