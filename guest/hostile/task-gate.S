/* SPDX-License-Identifier: BSD-2-Clause
 * Task gates: INT n, an exception with an error code, and an interrupt of the 8259, each by a task that IRET ends. SDM v3, "Interrupt
 * Tasks": an error code is "copied to the stack of the new task". Then a 16-bit TSS. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "task.h"

#define VEC_INT 0x28
#define BAD_SELECTOR 0x70
#define PIC_EOI 0x20
#define PAGE_SIZE 4096
#define TYPE_CODE 0x9b
#define DESC_D 0x40
#define TSS16_DX 0x16
#define PIT_ONE_SHOT 0x30 /* mode 0: a second tick would enter the task where it has left off, behind IRET */

	TASKS
	/* INT n: the task is left behind the instruction */
	TASK task_tss, by_int, task_stack
	TASK_GATE VEC_INT, SEL_TASK
	int $VEC_INT
after_int:
	cmp $1, %ebx
	MUST_BE_EQUAL 2
	/* an exception: at the instruction, with its error code */
	TASK task_tss, by_gp, task_stack
	TASK_GATE VEC_GP, SEL_TASK
	mov $BAD_SELECTOR, %eax
faults:	mov %eax, %ds
	cmpl $2, gates_taken
	MUST_BE_EQUAL 3
	/* an interrupt while the guest spins, and STI's shadow is over */
	TASK task_tss, by_irq, task_stack
	TASK_GATE ICW2, SEL_TASK
	PIC_IRQ0_ONLY
	mov $PIT_ONE_SHOT, %al
	out %al, $PIT_CMD
	mov $0x10, %al
	out %al, $PIT_CH0
	out %al, $PIT_CH0
	sti
1:	cmpl $3, gates_taken
	jne 1b
	cli
	/* 16 bits, there and back */
	DESCRIPTOR called16, SEL_CODE16, PAGE_SIZE, TYPE_CODE
	movb $DESC_D, gdt_tasks + SEL_CODE16 + 6
	movw $EFLAGS_RESERVED, task16_tss + TSS16_FLAGS
	mov $SEL_DATA, %eax
	mov %ax, task16_tss + TSS16_SEGMENTS
	mov %ax, task16_tss + TSS16_SEGMENTS + 4
	mov %ax, task16_tss + TSS16_SEGMENTS + 6
	movw $SEL_CODE16, task16_tss + TSS16_SEGMENTS + 2
	mov $0x12345678, %edx
	lcall $SEL_TASK16, $0
	cmp $0x12345678, %edx
	MUST_BE_EQUAL 8
	cmpw $(end16 - called16), task16_tss + TSS16_IP
	MUST_BE_EQUAL 9
	cmpw $0x4321, task16_tss + TSS16_DX
	MUST_BE_EQUAL 10
	EXIT 0

by_int:	cmpl $after_int, main_tss + TSS_EIP
	MUST_BE_EQUAL 4
	mov $1, %eax
	mov %eax, main_tss + TSS_EAX + 12 /* EBX */
	incl gates_taken
	iret
by_gp:	pop %eax
	cmp $BAD_SELECTOR, %eax
	MUST_BE_EQUAL 5
	cmpl $faults, main_tss + TSS_EIP
	MUST_BE_EQUAL 6
	movl $SEL_DATA, main_tss + TSS_EAX
	incl gates_taken
	iret
by_irq:	cmp $task_stack, %esp
	MUST_BE_EQUAL 7
	mov $PIC_EOI, %al
	out %al, $PIC1_CMD
	incl gates_taken
	iret
called16:
	str %ax
	cmp $SEL_TASK16, %ax
	MUST_BE_EQUAL 11
	mov $0x4321, %edx
	iret
end16:
	TASKS_DATA
gates_taken:
	.long 0
