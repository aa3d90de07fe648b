/* SPDX-License-Identifier: BSD-2-Clause
 * A #GP of the hypervisor's in real mode, which pushes no error code; then a bit of CR0 that the CPU under us may pin. The
 * exit status is the step that failed. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define CR0_NE 0x20
#define NO_MSR 0x12345
#define RDMSR_SIZE 2

	HOSTILE
	REAL_MODE
	CATCH16 VEC_GP, fault
	mov $1, %bl
	mov $NO_MSR, %ecx
	rdmsr
	cmp $LOW, %sp
	jne 1f
	mov $2, %bl
	mov %cr0, %eax
	or $CR0_NE, %eax
	mov %eax, %cr0
	mov %cr0, %eax
	test $CR0_NE, %eax
	jz 1f
	xor %bl, %bl
1:	mov %bl, %al
	out %al, $EXIT_PORT
2:	hlt
	jmp 2b
fault:	pop %ax
	add $RDMSR_SIZE, %ax
	push %ax
	iret
	REAL_MODE_END
