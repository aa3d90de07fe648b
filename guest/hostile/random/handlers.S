/* SPDX-License-Identifier: BSD-2-Clause
 * Handlers in 32- and 64-bit mode. Every exception ends in `next`: what the guest has done to segments, stack and descriptor tables
 * is mended, and the next block is entered by IRET, so that it may be at any privilege. Interrupts end in `irq`, which lets it go
 * on. Knows nothing of what the blocks do. */
#include "random.h"

#define EOI 0x20
#define LAPIC_EOI 0xfee000b0

.macro ADVANCE /* EAX: where the next block begins */
	mov V_NEXT, %eax
	incl V_NEXT
	cmp $BLOCKS, %eax
	jae finished
	shl $BLOCK_SHIFT, %eax
	add $CODE, %eax
.endm

	.text
	.code32
	.globl next32, irq32, next64, irq64
next32:	lgdt %cs:V_GDTR
	lidt %cs:V_IDTR
	mov %cs:V_KERNEL_SS, %edx
	mov %edx, %ss
	mov $STACK_TOP, %esp
	mov %edx, %ds
	cld
	ADVANCE
	xor %ecx, %ecx
	push %ecx /* GS, FS, DS, ES: for those who go to virtual-8086 mode */
	push %ecx
	push %ecx
	push %ecx
	push V_SS
	push V_SP
	push V_FLAGS
	push V_CS
	push %eax
	mov V_DS, %eax
	mov %eax, %es
	mov %eax, %ds
	iret
irq32:	push %eax
	mov $EOI, %al
	out %al, $0x20
	out %al, $0xa0
	movl $0, %ss:LAPIC_EOI
	pop %eax
	iret
finished:
	xor %eax, %eax
	out %al, $EXIT_PORT
1:	cli
	hlt
	jmp 1b

	.code64
next64:	lgdt V_GDTR
	lidt V_IDTR
	mov V_KERNEL_SS, %edx
	mov %edx, %ss
	mov $STACK_TOP, %esp
	mov %edx, %ds
	mov %edx, %es
	cld
	ADVANCE
	mov V_SS, %ecx
	push %rcx
	mov V_SP, %ecx
	push %rcx
	mov V_FLAGS, %ecx
	push %rcx
	mov V_CS, %ecx
	push %rcx
	push %rax
	iretq
irq64:	push %rax
	mov $EOI, %al
	out %al, $0x20
	out %al, $0xa0
	mov $LAPIC_EOI, %eax
	movl $0, (%rax)
	pop %rax
	iretq
	.section .note.GNU-stack, "", @progbits
