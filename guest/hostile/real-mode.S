/* SPDX-License-Identifier: BSD-2-Clause
 * Back to real mode, with its own IVT, INT and STI;HLT woken by the PIT: old guests do nothing else.
 * Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define SOFT_VECTOR 0x60
#define PIT_MODE0 0x30

	HOSTILE
	REAL_MODE
	CATCH16 SOFT_VECTOR, soft
	CATCH16 ICW2, tick
	xor %bx, %bx
	int $SOFT_VECTOR
	PIC_IRQ0_ONLY
	mov $PIT_MODE0, %al
	out %al, $PIT_CMD
	mov $0xff, %al
	out %al, $PIT_CH0
	out %al, $PIT_CH0
	sti
	hlt
	cli
	xor $3, %bl /* 0 if both have been there */
	mov %bl, %al
	out %al, $EXIT_PORT
2:	hlt
	jmp 2b
soft:	or $1, %bl
	iret
tick:	or $2, %bl
	iret
	REAL_MODE_END
