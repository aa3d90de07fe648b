/* SPDX-License-Identifier: BSD-2-Clause
 * Ends the emulator that runs us, from inside.
 * Knows nothing of why, nor of real machines: there the ports do nothing. */
#pragma once

#include "types.h"

/* What the emulator's caller is told; QEMU's own exit status is then twice this plus 1. */
enum emulator_status {
	EMULATOR_OK,
	EMULATOR_FAILURES,
	EMULATOR_BENCH,
	EMULATOR_DEADLINE,
};

/* QEMU's isa-debug-exit, then Bochs' shutdown port. Returns if there is neither. */
void emulator_exit(enum emulator_status status);
