/* SPDX-License-Identifier: BSD-2-Clause
 * What a PC's firmware leaves behind for those who start after it: in low memory, in the 8259 pair and in the PIT.
 * Knows nothing of who starts. */
#pragma once

#include "dev/pic.h"
#include "dev/pit.h"
#include "types.h"

/* Conventional memory ends here: 639 KiB. The last one of 640 is the BIOS's extended data area. */
#define BIOS_LOW_END 0x9fc00u
#define BIOS_LOW_KIB (BIOS_LOW_END / 1024u)

/* The interrupt vectors of real mode with handlers behind them, and the data area. ram: from address 0, at least 1 MiB, zeroed. */
void bios_memory(uint8_t *ram);
/* Vectors 0x08 and 0x70, open what a BIOS has drivers for; counter 0 ticks 18.2 times a second. */
void bios_devices(struct pic *pic, struct pit *pit);
