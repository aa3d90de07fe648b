/* SPDX-License-Identifier: BSD-2-Clause
 * What the guests with several tasks share: a GDT with three TSSs, and the first of them loaded. Assembly only.
 * Knows nothing of what switches between them. */
#pragma once

#include "hostile.h"

#define SEL_MAIN 0x18
#define SEL_TASK 0x20
#define SEL_TASK16 0x28
#define SEL_CODE16 0x30 /* a 16-bit TSS has no more of EIP: a code segment of its own */
#define TSS_AVAILABLE 0x89
#define TSS16_AVAILABLE 0x81
#define TSS_BUSY 0x8b
#define GATE_TASK 0x8500
#define TSS_SIZE 104
#define TSS16_SIZE 44
#define TSS_EIP 0x20
#define TSS_EFLAGS 0x24
#define TSS_EAX 0x28
#define TSS_ESP 0x38
#define TSS_SEGMENTS 0x48 /* ES, CS, SS, DS, FS, GS: four bytes each */
#define TSS_CS (TSS_SEGMENTS + 4)
#define TSS16_IP 0x0e
#define TSS16_FLAGS 0x10
#define TSS16_SP 0x1a
#define TSS16_SEGMENTS 0x22 /* ES, CS, SS, DS: two bytes each */
#define EFLAGS_RESERVED 2
#define EFLAGS_NT 0x4000
#define CR0_TS 8

.macro DESCRIPTOR tss, selector, size, type
	mov $\tss, %eax
	movw $(\size - 1), gdt_tasks + \selector
	mov %ax, gdt_tasks + \selector + 2
	shr $16, %eax
	mov %al, gdt_tasks + \selector + 4
	movb $\type, gdt_tasks + \selector + 5
.endm

/* Vector's gate is one to a task. */
.macro TASK_GATE vector, selector
	movw $\selector, idt + \vector * 8 + 2
	movw $GATE_TASK, idt + \vector * 8 + 4
.endm

/* A 32-bit TSS of a task in the flat segments. Clobbers EAX, ECX. */
.macro TASK tss, entry, stack
	movl $\entry, \tss + TSS_EIP
	movl $EFLAGS_RESERVED, \tss + TSS_EFLAGS
	movl $\stack, \tss + TSS_ESP
	mov $SEL_DATA, %eax
	mov $5, %ecx
.Lsegment\@:
	mov %eax, \tss + TSS_SEGMENTS(, %ecx, 4)
	dec %ecx
	jns .Lsegment\@
	movl $SEL_CODE, \tss + TSS_CS
.endm

/* Exits with the status if the last comparison was not equal. */
.macro MUST_BE_EQUAL status
	je .Lequal\@
	EXIT \status
.Lequal\@:
.endm

.macro TASKS
	HOSTILE
	DESCRIPTOR main_tss, SEL_MAIN, TSS_SIZE, TSS_AVAILABLE
	DESCRIPTOR task_tss, SEL_TASK, TSS_SIZE, TSS_AVAILABLE
	DESCRIPTOR task16_tss, SEL_TASK16, TSS16_SIZE, TSS16_AVAILABLE
	lgdt gdt_tasks_pointer
	mov $SEL_MAIN, %eax
	ltr %ax
.endm

.macro TASKS_DATA
	.data
	.balign 8
gdt_tasks:
	.quad 0, DESC_CODE32, DESC_DATA, 0, 0, 0, 0
gdt_tasks_pointer:
	.word . - gdt_tasks - 1
	.long gdt_tasks
	.balign 128
main_tss:
	.skip TSS_SIZE
	.balign 128
task_tss:
	.skip TSS_SIZE
	.balign 128
task16_tss:
	.skip TSS16_SIZE
	.skip 256
task_stack:
.endm
