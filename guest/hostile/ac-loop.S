/* SPDX-License-Identifier: BSD-2-Clause
 * An alignment check whose handler runs in ring 3, on the stack that is not aligned: each delivery raises the next, in front of
 * any instruction (CVE-2015-5307). Knows nothing else.
 *
 * Verdict: deadline of the run passed
 * Timeout: short */
#include "hostile.h"

#define VEC_AC 17
#define CR0_AM_BIT 18
#define EFLAGS_AC 0x40002
#define SEL_CODE3 0x1b
#define SEL_DATA3 0x23
#define DESC_CODE3 0x00cffb000000ffff
#define DESC_DATA3 0x00cff3000000ffff

	HOSTILE
	CATCH VEC_AC, caught
	movw $SEL_CODE3, idt + VEC_AC * 8 + 2
	lgdt gdt3_pointer
	mov %cr0, %eax
	bts $CR0_AM_BIT, %eax
	mov %eax, %cr0
	push $SEL_DATA3
	push $(stack_top - 1)
	push $EFLAGS_AC
	push $SEL_CODE3
	push $ring3
	iret
ring3:	push %eax
spin:	jmp spin
caught:	jmp caught
	.data
	.balign 8
gdt3:	.quad 0, DESC_CODE32, DESC_DATA, DESC_CODE3, DESC_DATA3
gdt3_pointer:
	.word . - gdt3 - 1
	.long gdt3
