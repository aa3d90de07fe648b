/* SPDX-License-Identifier: BSD-2-Clause
 * A far jump in long mode to a code segment of both 64 and 32 bits: #GP, says APM vol. 2, "Code-Segment Descriptors". TCG makes it, and
 * refuses the next VMRUN (docs/findings.md). Knows nothing else.
 *
 * Verdict on tcg-svm: the CPU refused the entry
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define SEL_CODE64 0x18
#define SEL_WRONG 0x20
#define DESC_CODE64 0x00af9b000000ffff
#define DESC_L_AND_D 0x00ef9b000000ffff
#define MSR_EFER 0xc0000080
#define EFER_LME_BIT 8
#define CR4_PAE 0x20
#define CR0_PG_BIT 31
#define PML4 0x10000
#define PDPT 0x11000
#define PD 0x12000
#define PRESENT_WRITABLE 3
#define PDE_LARGE 0x83
#define GATE_SIZE 16

	HOSTILE
	movl $(PDPT + PRESENT_WRITABLE), PML4
	movl $(PD + PRESENT_WRITABLE), PDPT
	movl $PDE_LARGE, PD
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $PML4, %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	rdmsr
	bts $EFER_LME_BIT, %eax
	wrmsr
	mov %cr0, %eax
	bts $CR0_PG_BIT, %eax
	mov %eax, %cr0
	/* A gate of 64-bit mode for #GP. */
	mov $caught, %eax
	movw %ax, idt + VEC_GP * GATE_SIZE
	movw $SEL_CODE64, idt + VEC_GP * GATE_SIZE + 2
	movw $GATE_INTERRUPT32, idt + VEC_GP * GATE_SIZE + 4
	shr $16, %eax
	mov %ax, idt + VEC_GP * GATE_SIZE + 6
	movl $0, idt + VEC_GP * GATE_SIZE + 8
	movl $0, idt + VEC_GP * GATE_SIZE + 12
	lgdt gdt64_pointer
	ljmp $SEL_WRONG, $1f
1:	cpuid
	EXIT 1

	.code64
caught:	EXIT 0

	.data
	.balign 8
gdt64:	.quad 0, DESC_CODE32, DESC_DATA, DESC_CODE64, DESC_L_AND_D
gdt64_pointer:
	.word . - gdt64 - 1
	.long gdt64
