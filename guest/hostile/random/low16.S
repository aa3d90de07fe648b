/* SPDX-License-Identifier: BSD-2-Clause
 * The way into real mode, and the handlers of 16-bit code (handlers.S), all of it copied to LOW16. Knows nothing of what the
 * blocks do. */
#include "random.h"

#define EOI 0x20
#define IN_LOW(label) (LOW16 + label - low16)

	.text
	.code16
	.globl low16, low16_end, real, next16, irq16
low16:
real:	mov %cr0, %edx
	and $~CR0_PE, %edx
	mov %edx, %cr0
	ljmp $0, $IN_LOW(next16)
next16:	lgdtl %cs:V_GDTR
	lidtl %cs:V_IDTR
	mov %cs:V_KERNEL_SS, %dx
	mov %dx, %ss
	mov $STACK_TOP, %sp
	mov %dx, %ds
	cld
	mov V_NEXT, %ax
	incw V_NEXT
	cmp $BLOCKS, %ax
	jae 5f
	shl $BLOCK_SHIFT, %ax
	add $CODE, %ax
	pushw V_SS
	pushw V_SP
	pushw V_FLAGS
	pushw V_CS
	push %ax
	mov V_DS, %ax
	mov %ax, %es
	mov %ax, %ds
	iretw
irq16:	push %ax
	mov $EOI, %al
	out %al, $0x20
	out %al, $0xa0
	pop %ax
	iretw
5:	xor %ax, %ax
	out %al, $EXIT_PORT
6:	cli
	hlt
	jmp 6b
low16_end:
	.section .note.GNU-stack, "", @progbits
