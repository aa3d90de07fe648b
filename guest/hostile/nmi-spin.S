/* SPDX-License-Identifier: BSD-2-Clause
 * Spins in its NMI handler: IF=0, and NMIs are blocked. Needs the lab device. Knows nothing else.
 *
 * Verdict: deadline of the run passed
 * Timeout: short */
#include "hostile.h"

#define LAB_NMI 0x60e

	HOSTILE
	CATCH VEC_NMI, spin
	mov $LAB_NMI, %edx
	mov $1, %al
	out %al, %dx
	EXIT 1
spin:	jmp spin
