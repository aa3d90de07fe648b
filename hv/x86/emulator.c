/* SPDX-License-Identifier: BSD-2-Clause
 * Ends the emulator that runs us, from inside.
 * Knows nothing of why, nor of real machines: there the ports do nothing. */
#include "x86/emulator.h"

#include "guest_abi.h"
#include "x86/com1.h"
#include "x86/insn.h"

void emulator_exit(enum emulator_status status)
{
	com1_drain(); /* what is still in the port goes down with it */
	out8(EXIT_PORT, (uint8_t)status);
	for (const char *p = "Shutdown"; *p; p++)
		out8(BOCHS_EXIT_PORT, (uint8_t)*p);
}
