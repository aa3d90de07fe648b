/* SPDX-License-Identifier: BSD-2-Clause
 * The random guest's header and entry, and the switch into its mode. Knows nothing of what it is to do there. */
#include "random.h"

#define HEADER_MAGIC 0x1badb002

	.section .text.header, "ax"
	.code32
	.balign 4
	.long HEADER_MAGIC, 0, -HEADER_MAGIC
	.globl _start
_start:	mov $stack + 8192, %esp
	push %ebx
	call random_main

/* enter_mode(long mode, data segment to take along): V_* are set. */
	.text
	.globl enter_mode
enter_mode:
	pop %eax
	pop %ebx
	pop %edi
	mov $STACK_TOP, %esp
	lgdt V_GDTR
	ljmp $SEL_CODE32, $1f
1:	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	mov %eax, %ss
	mov $SEL_TSS, %eax
	ltr %ax
	mov V_CR4, %eax
	mov %eax, %cr4
	mov V_CR3, %eax
	mov %eax, %cr3
	test %ebx, %ebx
	jz 2f
	mov $MSR_EFER, %ecx
	xor %edx, %edx
	mov V_EFER, %eax
	wrmsr
2:	mov V_CR0, %eax
	mov %eax, %cr0
	lidt V_IDTR
	mov %edi, %ds /* in real mode its limits stay */
	mov %edi, %es
	mov %edi, %fs
	mov %edi, %gs
	mov %edi, %ss
	ljmp *%cs:V_FAR

	.bss
	.balign 16
stack:	.skip 8192
	.section .note.GNU-stack, "", @progbits
