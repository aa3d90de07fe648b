/* SPDX-License-Identifier: BSD-2-Clause
 * Virtual-8086 mode, an instruction there that exits, and one that faults. Knows nothing else.
 *
 * Not on bochs-svm: a #VMEXIT out of virtual-8086 mode ends Bochs 2.7 (docs/findings.md)
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define SEL_TSS 0x18
#define TSS_AVAILABLE 0x89
#define TSS_SIZE 104
#define TSS_ESP0 4
#define TSS_SS0 8
#define TSS_IOMAP 0x64
#define EFLAGS_VM_RESERVED1 0x20002
#define FRAME_EFLAGS 12 /* behind the error code, EIP and CS */
#define EFLAGS_VM_BIT 17
#define STACK86 0x7000

	HOSTILE
	CATCH VEC_GP, caught
	mov $tss, %eax
	mov %ax, gdt_tss + SEL_TSS + 2
	movl $stack_top, tss + TSS_ESP0
	movl $SEL_DATA, tss + TSS_SS0
	movl $(TSS_SIZE << 16), tss + TSS_IOMAP /* no port is allowed */
	shr $16, %eax
	mov %al, gdt_tss + SEL_TSS + 4
	lgdt gdt_tss_pointer
	mov $SEL_TSS, %eax
	ltr %ax
	mov $code86, %esi
	mov $LOW, %edi
	mov $(code86_end - code86), %ecx
	rep movsb
	xor %eax, %eax
	push %eax /* GS, FS, DS, ES, SS */
	push %eax
	push %eax
	push %eax
	push %eax
	push $STACK86
	push $EFLAGS_VM_RESERVED1
	push %eax
	push $LOW
	iret

code86:	cpuid
	out %al, $EXIT_PORT
code86_end:

caught:	btl $EFLAGS_VM_BIT, FRAME_EFLAGS(%esp)
	jnc 1f
	EXIT 0
1:	EXIT 1

	.data
	.balign 8
gdt_tss:
	.quad 0, DESC_CODE32, DESC_DATA
	.word TSS_SIZE - 1, 0
	.byte 0, TSS_AVAILABLE, 0, 0
gdt_tss_pointer:
	.word . - gdt_tss - 1
	.long gdt_tss
	.balign 128
tss:	.skip TSS_SIZE
