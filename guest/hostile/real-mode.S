/* SPDX-License-Identifier: BSD-2-Clause
 * Back to real mode, with its own IVT, INT and STI;HLT woken by the PIT: old guests do nothing else.
 * Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define CR0_PE_BIT 0
#define DESC_CODE16 0x00009b000000ffff
#define DESC_DATA16 0x000093000000ffff
#define SEL_CODE16 0x08
#define SEL_DATA16 0x10
#define LOW 0x8000 /* where the 16-bit code runs */
#define IVT_SIZE 0x400
#define SOFT_VECTOR 0x60
#define PIT_MODE0 0x30

	HOSTILE
	mov $code16, %esi
	mov $LOW, %edi
	mov $(code16_end - code16), %ecx
	rep movsb
	lidt ivt_pointer
	lgdt gdt16_pointer
	ljmp $SEL_CODE16, $LOW

	.code16
code16:	mov $SEL_DATA16, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov %cr0, %eax
	btr $CR0_PE_BIT, %eax
	mov %eax, %cr0
	ljmp $0, $(LOW + 1f - code16)
1:	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %ss
	mov $LOW, %sp
	movw $(LOW + soft - code16), SOFT_VECTOR * 4
	movw $0, SOFT_VECTOR * 4 + 2
	movw $(LOW + tick - code16), ICW2 * 4
	movw $0, ICW2 * 4 + 2
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
code16_end:
	.code32

	.data
	.balign 8
gdt16:	.quad 0, DESC_CODE16, DESC_DATA16
gdt16_pointer:
	.word . - gdt16 - 1
	.long gdt16
ivt_pointer:
	.word IVT_SIZE - 1
	.long 0
