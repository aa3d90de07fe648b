/* SPDX-License-Identifier: BSD-2-Clause
 * Task switches by JMP, CALL and IRET, with what SDM v3, "Task Switching", says of each: the old task's state, the busy flags, the
 * link, NT and CR0.TS. Knows nothing of gates.
 *
 * Verdict: guest exit status 0 */
#include "task.h"

	TASKS
	TASK task_tss, called, task_stack
	mov $0x12345678, %edx
	lcall $SEL_TASK, $0
back:	cmp $0x12345678, %edx
	MUST_BE_EQUAL 2
	str %ax
	cmp $SEL_MAIN, %ax
	MUST_BE_EQUAL 3
	cmpb $TSS_AVAILABLE, gdt_tasks + SEL_TASK + 5
	MUST_BE_EQUAL 4
	/* IRET saved where the other task goes on, without NT */
	cmpl $again, task_tss + TSS_EIP
	MUST_BE_EQUAL 5
	testl $EFLAGS_NT, task_tss + TSS_EFLAGS
	MUST_BE_EQUAL 6
	clts
	ljmp $SEL_TASK, $0
	EXIT 7

called:	str %ax
	cmp $SEL_TASK, %ax
	MUST_BE_EQUAL 8
	cmpw $SEL_MAIN, task_tss
	MUST_BE_EQUAL 9
	pushf
	pop %eax
	and $EFLAGS_NT, %eax
	cmp $EFLAGS_NT, %eax
	MUST_BE_EQUAL 10
	mov %cr0, %eax
	and $CR0_TS, %eax
	cmp $CR0_TS, %eax
	MUST_BE_EQUAL 11
	cmpb $TSS_BUSY, gdt_tasks + SEL_MAIN + 5
	MUST_BE_EQUAL 12
	cmpb $TSS_BUSY, gdt_tasks + SEL_TASK + 5
	MUST_BE_EQUAL 13
	cmpl $back, main_tss + TSS_EIP
	MUST_BE_EQUAL 14
	cmp $task_stack, %esp
	MUST_BE_EQUAL 15
	xor %edx, %edx
	iret
	/* behind the JMP: no NT, and the old task is not busy any more */
again:	pushf
	pop %eax
	test $EFLAGS_NT, %eax
	MUST_BE_EQUAL 16
	cmpb $TSS_AVAILABLE, gdt_tasks + SEL_MAIN + 5
	MUST_BE_EQUAL 17
	EXIT 0

	TASKS_DATA
