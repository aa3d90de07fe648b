/* SPDX-License-Identifier: BSD-2-Clause
 * For guests that try whether a feature is there: an instruction and the fault that it must raise, and a set-up of 64-bit mode.
 * Assembly only.
 * Knows nothing of the features. */
#pragma once

#include "hostile.h"

/* The instruction must fault by this vector, or not at all: 0. */
.macro FAULTS step, vector, insn:vararg
	movl $.Lafter\@, recover
	movl $0, seen
	\insn
.Lafter\@:
	cmpl $\vector, seen
	je .Lok\@
	EXIT \step
.Lok\@:
.endm
.macro SHOWS reg, bit, otherwise
	bt $\bit, \reg
	jnc \otherwise
.endm
.macro ASK leaf
	mov $\leaf, %eax
	xor %ecx, %ecx
	cpuid
.endm

/* Behind the guest's code: the handlers of #UD and #GP, which go on behind the instruction. */
.macro FAULT_HANDLERS
ud:	movl $VEC_UD, seen
	push %eax
	mov recover, %eax
	mov %eax, 4(%esp)
	pop %eax
	iret
gp:	movl $VEC_GP, seen
	add $4, %esp
	push %eax
	mov recover, %eax
	mov %eax, 4(%esp)
	pop %eax
	iret
	.data
	.balign 4
recover:
	.long 0
seen:	.long 0
.endm

#define MSR_EFER 0xc0000080
#define EFER_LME_BIT 8
#define CR0_PG_BIT 31
#define CR4_PAE 0x20
#define PML4 0x10000
#define PDPT 0x11000
#define PD 0x12000
#define PD_BYTES 0x1000
#define TABLE 3
#define PDE_LARGE 0x83
#define LARGE_PAGE 0x200000
#define DESC_CODE64 0x00af9b000000ffff

/* 64-bit mode, the first GiB mapped as it is; #GP's handler, in 64-bit code, alone. */
.macro LONG_MODE gp
	/* Gates of 64-bit mode have 16 bytes: #GP's alone. */
	mov $\gp, %eax
	mov %ax, idt64 + VEC_GP * 16
	shr $16, %eax
	mov %ax, idt64 + VEC_GP * 16 + 6
	movw $SEL_CODE, idt64 + VEC_GP * 16 + 2
	movw $GATE_INTERRUPT32, idt64 + VEC_GP * 16 + 4
	mov $PD, %edi
	mov $PDE_LARGE, %eax
.Lfill\@:
	mov %eax, (%edi)
	movl $0, 4(%edi)
	add $LARGE_PAGE, %eax
	add $8, %edi
	cmp $(PD + PD_BYTES), %edi
	jb .Lfill\@
	movl $(PD + TABLE), PDPT
	movl $(PDPT + TABLE), PML4
	mov $PML4, %eax
	mov %eax, %cr3
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $MSR_EFER, %ecx
	rdmsr
	bts $EFER_LME_BIT, %eax
	wrmsr
	mov %cr0, %eax
	bts $CR0_PG_BIT, %eax
	mov %eax, %cr0
	lgdt gdt64_pointer
	lidt idt64_pointer
	ljmp $SEL_CODE, $.Llong\@
	.data
	.balign 8
gdt64:	.quad 0, DESC_CODE64, DESC_DATA
gdt64_pointer:
	.word . - gdt64 - 1
	.long gdt64
idt64_pointer:
	.word GATES * 16 - 1
	.long idt64
	.bss
	.balign 16
idt64:	.skip GATES * 16
	.text
	.code64
.Llong\@:
.endm
