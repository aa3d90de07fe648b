/* SPDX-License-Identifier: BSD-2-Clause
 * Task switches that fault: SDM v3, "Exception Conditions Checked During a Task Switch", each with its vector, its selector for an
 * error code, and the task that it belongs to. The handler is a task, so that it needs nothing of the one that faulted. Knows nothing
 * else.
 *
 * QEMU raises #NP where a stack segment is not present, and not #SS (docs/findings.md).
 *
 * Verdict on tcg-svm: guest exit status 17
 * Verdict: guest exit status 0 */
#include "task.h"

#define SEL_HANDLER SEL_TASK16
#define SEL_ABSENT SEL_CODE16
#define handler_tss task16_tss
#define VEC_TS 10
#define VEC_SS 12
#define TYPE_ABSENT 0x13
#define TSS_ABSENT 0x09
#define TSS_SS (TSS_SEGMENTS + 8)
#define TSS_DS (TSS_SEGMENTS + 12)
#define TSS_LDT 0x60
#define LJMP_SIZE 7
#define STACK_SIZE 64

/* Jumps to the other task, and comes back behind the jump. */
.macro EXPECT vector, error, task, status
	TASK_GATE \vector, SEL_HANDLER
	ljmp $SEL_TASK, $0
	cmpl $\error, seen_error
	MUST_BE_EQUAL \status
	cmpw $\task, seen_task
	MUST_BE_EQUAL \status + 1
	movw $SEL_CODE, idt + \vector * 8 + 2
	movw $GATE_INTERRUPT32, idt + \vector * 8 + 4
	mov %edi, seen_error
	mov %edi, seen_task
.endm

	TASKS
	mov $-1, %edi
	DESCRIPTOR handler_tss, SEL_HANDLER, TSS_SIZE, TSS_AVAILABLE
	DESCRIPTOR stack_top, SEL_ABSENT, STACK_SIZE, TYPE_ABSENT
	TASK task_tss, entered, task_stack
	TASK handler_tss, handler, handler_stack
	movl $SEL_DATA, task_tss + TSS_CS
	EXPECT VEC_TS, SEL_DATA, SEL_TASK, 2
	movl $SEL_CODE, task_tss + TSS_CS
	movl $SEL_CODE, task_tss + TSS_SS
	EXPECT VEC_TS, SEL_CODE, SEL_TASK, 4
	movl $SEL_DATA, task_tss + TSS_SS
	movl $SEL_ABSENT, task_tss + TSS_DS
	EXPECT VEC_NP, SEL_ABSENT, SEL_TASK, 8
	movl $SEL_DATA, task_tss + TSS_DS
	movl $SEL_DATA, task_tss + TSS_LDT
	EXPECT VEC_TS, SEL_DATA, SEL_TASK, 10
	movl $0, task_tss + TSS_LDT
	/* these belong to the old task */
	DESCRIPTOR task_tss, SEL_TASK, (TSS_SIZE-1), TSS_AVAILABLE
	EXPECT VEC_TS, SEL_TASK, SEL_MAIN, 12
	DESCRIPTOR task_tss, SEL_TASK, TSS_SIZE, TSS_ABSENT
	EXPECT VEC_NP, SEL_TASK, SEL_MAIN, 14
	/* last, since QEMU has another vector for it */
	DESCRIPTOR task_tss, SEL_TASK, TSS_SIZE, TSS_AVAILABLE
	movl $SEL_ABSENT, task_tss + TSS_SS
	CATCH VEC_NP, stack_by_np
	EXPECT VEC_SS, SEL_ABSENT, SEL_TASK, 6
	EXIT 0

entered:
	EXIT 16
stack_by_np:
	EXIT 17

handler:
	popl seen_error
	mov handler_tss, %ax
	mov %ax, seen_task
	cmp $SEL_MAIN, %ax
	je 1f
	movb $TSS_AVAILABLE, gdt_tasks + SEL_TASK + 5
	ljmp $SEL_MAIN, $0
	jmp handler
1:	addl $LJMP_SIZE, main_tss + TSS_EIP
	iret
	jmp handler

	TASKS_DATA
	.skip STACK_SIZE
handler_stack:
seen_error:
	.long 0
seen_task:
	.long 0
