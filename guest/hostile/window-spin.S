/* SPDX-License-Identifier: BSD-2-Clause
 * Spins with IF=1 and no exit of its own, all lines masked. Knows nothing else.
 *
 * Verdict: deadline of the run passed
 * Timeout: short */
#include "hostile.h"

#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1

	HOSTILE
	mov $0xff, %al
	out %al, $PIC1_DATA
	out %al, $PIC2_DATA
	sti
1:	jmp 1b
