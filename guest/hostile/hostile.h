/* SPDX-License-Identifier: BSD-2-Clause
 * What the hostile guests share: the multiboot header, a flat 32-bit set-up whose exceptions end with status 1, ways to
 * catch one, to print and to exit. Assembly only.
 * Knows nothing of what each guest is up to.
 *
 * Each guest is one file and one image. Its head names the end that it must get: ` * Verdict: TEXT`, where TEXT is to be
 * found in what the run reports. ` * Verdict on PLATFORM: TEXT` goes before it where PLATFORM, a shell pattern, is L0.
 * ` * Not on PLATFORM: WHY` leaves it out there: what it does, nobody's hypervisor could prevent.
 * ` * Timeout: short` marks those whose end is the run's deadline. */
#pragma once

#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define EXIT_PORT 0xf4
#define COM1_DATA 0x3f8
#define COM1_LSR 0x3fd
#define LSR_THRE 0x20

#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define DESC_CODE32 0x00cf9b000000ffff
#define DESC_DATA 0x00cf93000000ffff
#define GATE_INTERRUPT32 0x8e00
#define GATES 48
#define NOWHERE 0xd0000000 /* neither RAM nor a device */

/* RAM, page-aligned: the CPU checks the alignment before the interception, and would raise #GP. */
#define VMCB 0x8000

#define VEC_NMI 2
#define VEC_UD 6
#define VEC_NP 11
#define VEC_GP 13

/* Exit ladder's first step; nothing behind it matters. */
.macro EXIT status
	mov $\status, %al
	out %al, $EXIT_PORT
.Lexit\@:
	cli
	hlt
	jmp .Lexit\@
.endm

/* Vector's handler, in 32-bit mode. Clobbers EAX. */
.macro CATCH vector, handler
	mov $\handler, %eax
	mov %ax, idt + \vector * 8
	shr $16, %eax
	mov %ax, idt + \vector * 8 + 6
.endm

/* Clobbers EAX, EDX, ESI. */
.macro PRINT text
	.pushsection .data
.Ltext\@:
	.asciz "\text"
	.popsection
	mov $.Ltext\@, %esi
	call print
.endm

/* The master 8259 at vectors ICW2 and up, all but IRQ0 masked. In 16-bit code too. */
#define PIT_CMD 0x43
#define PIT_CH0 0x40
#define PIC1_CMD 0x20
#define PIC1_DATA 0x21
#define ICW1 0x11
#define ICW2 0x20
#define ICW3 0x04
#define ICW4 0x01
#define ONLY_IRQ0 0xfe
.macro PIC_IRQ0_ONLY
	mov $ICW1, %al
	out %al, $PIC1_CMD
	mov $ICW2, %al
	out %al, $PIC1_DATA
	mov $ICW3, %al
	out %al, $PIC1_DATA
	mov $ICW4, %al
	out %al, $PIC1_DATA
	mov $ONLY_IRQ0, %al
	out %al, $PIC1_DATA
.endm

/* Header, entry, set-up; the guest's own code follows. */
.macro HOSTILE
	.section .boot, "ax"
	.balign 4
	.long MULTIBOOT_HEADER_MAGIC, 0, -MULTIBOOT_HEADER_MAGIC
	.code32
	.globl _start
_start:
	cli
	cld
	mov $stack_top, %esp
	lgdt gdt_pointer
	ljmp $SEL_CODE, $2f
2:	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $idt, %edi
	mov $GATES, %ecx
3:	movl $(SEL_CODE << 16), (%edi)
	movl $GATE_INTERRUPT32, 4(%edi)
	mov $unexpected, %eax
	mov %ax, (%edi)
	shr $16, %eax
	mov %ax, 6(%edi)
	add $8, %edi
	loop 3b
	lidt idt_pointer
	jmp guest

unexpected:
	EXIT 1

print:	mov $COM1_LSR, %edx
4:	in %dx, %al
	test $LSR_THRE, %al
	jz 4b
	lodsb
	test %al, %al
	jz 5f
	mov $COM1_DATA, %edx
	out %al, %dx
	jmp print
5:	ret

	.data
	.balign 8
gdt:	.quad 0, DESC_CODE32, DESC_DATA
gdt_pointer:
	.word . - gdt - 1
	.long gdt
idt_pointer:
	.word GATES * 8 - 1
	.long idt
idt_none:
	.word 0
	.long 0
	.bss
	.balign 16
idt:	.skip GATES * 8
	.skip 4096
stack_top:
	.section .note.GNU-stack, "", @progbits
	.text
	.code32
guest:
.endm

/* An instruction that must raise #UD, and no other end. */
.macro HOSTILE_UD insn:vararg
	HOSTILE
	CATCH VEC_UD, caught
	mov $VMCB, %eax
	\insn
	EXIT 1
caught:	EXIT 0
.endm

/* Back to real mode: what follows, up to REAL_MODE_END, is 16-bit code that runs at LOW, with the IVT at 0 and its stack
 * below LOW. IN_LOW is where a label of it is then. Clobbers EAX, ECX, ESI, EDI. */
#define CR0_PE_BIT 0
#define DESC_CODE16 0x00009b000000ffff
#define DESC_DATA16 0x000093000000ffff
#define LOW 0x8000
#define IVT_SIZE 0x400
#define IN_LOW(label) (LOW + label - code16)
.macro REAL_MODE
	mov $code16, %esi
	mov $LOW, %edi
	mov $(code16_end - code16), %ecx
	rep movsb
	lidt ivt_pointer
	lgdt gdt16_pointer
	ljmp $SEL_CODE, $LOW
	.data
	.balign 8
gdt16:	.quad 0, DESC_CODE16, DESC_DATA16
gdt16_pointer:
	.word . - gdt16 - 1
	.long gdt16
ivt_pointer:
	.word IVT_SIZE - 1
	.long 0
	.text
	.code16
code16:	mov $SEL_DATA, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov %cr0, %eax
	btr $CR0_PE_BIT, %eax
	mov %eax, %cr0
	ljmp $0, $IN_LOW(.Lreal)
.Lreal:	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %ss
	mov $LOW, %sp
.endm

.macro REAL_MODE_END
code16_end:
	.code32
.endm

/* Vector's handler, in real mode. */
.macro CATCH16 vector, handler
	movw $IN_LOW(\handler), \vector * 4
	movw $0, \vector * 4 + 2
.endm
