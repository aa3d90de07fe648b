/* SPDX-License-Identifier: BSD-2-Clause
 * How fast the TSC and the local APIC's timer run, measured while the firmware still keeps time, and what time it is.
 * Knows nothing of who needs it. */
#pragma once

#include "boot/firmware.h"
#include "x86/host.h"

/* E_NODEV: no usable local APIC, or a clock that stands still. */
int clock_measure(const struct firmware *fw, struct host_clock *out);
/* Seconds since 1970 by the firmware's clock, its time zone ignored; 0 if it has none. */
uint64_t clock_unix_seconds(const struct firmware *fw);
