/* SPDX-License-Identifier: BSD-2-Clause
 * Real mode as a loader is left in it: vectors, 8259 pair and timer are the firmware's, and HLT is woken by its tick, which
 * counts. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define BDA_TICKS 0x46c
#define BDA_LOW_KIB 0x413
#define LOW_KIB 639
#define VEC_USER_TICK 0x1c
#define TICKS 3

	HOSTILE
	REAL_MODE
	cmpw $LOW_KIB, BDA_LOW_KIB
	jne 3f
	CATCH16 VEC_USER_TICK, user_tick
	xor %bx, %bx
	mov BDA_TICKS, %ecx
	add $TICKS, %ecx
1:	sti
	hlt
	cli
	cmp %ecx, BDA_TICKS
	jb 1b
	sub $TICKS, %bl /* each tick has told */
	mov %bl, %al
2:	out %al, $EXIT_PORT
	hlt
	jmp 2b
3:	mov $2, %al
	jmp 2b
user_tick:
	inc %bx
	iret
	REAL_MODE_END
