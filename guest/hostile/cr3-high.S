/* SPDX-License-Identifier: BSD-2-Clause
 * 64-bit mode: MOV to CR3 with a bit beyond the physical addresses is #GP ("If an attempt is made to write a 1 to any reserved bit in
 * CR3"), and so is one to CR4 that ends PAE, or sets PCIDE under a CR3 that is not a page's; to CR0 that ends paging. QEMU's TCG takes
 * the first, and VMRUN refuses it then. The exit status is the step that failed. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define MSR_EFER 0xc0000080
#define EFER_LME_BIT 8
#define CR0_PG_BIT 31
#define CR4_PAE 0x20
#define CR4_PCIDE 0x20000
#define CPUID_FEATURES 1
#define ECX_PCID_BIT 17
#define PML4 0x10000
#define PDPT 0x11000
#define PD 0x12000
#define PD_BYTES 0x1000
#define TABLE 3
#define PDE_LARGE 0x83
#define LARGE_PAGE 0x200000
#define DESC_CODE64 0x00af9b000000ffff
#define PCID 1
#define CR3_BEYOND 0x0010000000000000 /* bit 52 */
#define MOV_CR_SIZE 3

.macro EXPECT_GP step, count
	cmp $\count, %ebx
	je .Lok\@
	mov $\step, %al
	out %al, $EXIT_PORT
.Lok\@:
.endm

	HOSTILE
	/* Gates of 64-bit mode have 16 bytes: #GP's alone. */
	mov $gp64, %eax
	mov %ax, idt64 + VEC_GP * 16
	shr $16, %eax
	mov %ax, idt64 + VEC_GP * 16 + 6
	movw $SEL_CODE, idt64 + VEC_GP * 16 + 2
	movw $GATE_INTERRUPT32, idt64 + VEC_GP * 16 + 4
	mov $PD, %edi
	mov $PDE_LARGE, %eax
1:	mov %eax, (%edi)
	movl $0, 4(%edi)
	add $LARGE_PAGE, %eax
	add $8, %edi
	cmp $(PD + PD_BYTES), %edi
	jb 1b
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
	ljmp $SEL_CODE, $1f
	.code64
1:	xor %ebx, %ebx
	mov $(CR3_BEYOND + PML4), %rax
	mov %rax, %cr3
	EXPECT_GP 1, 1
	mov %cr3, %rax
	cmp $PML4, %rax
	je 1f
	EXIT 2
1:	xor %eax, %eax
	mov %rax, %cr4
	EXPECT_GP 3, 2
	mov %cr0, %rax
	btr $CR0_PG_BIT, %eax
	mov %rax, %cr0
	EXPECT_GP 4, 3
	mov $(PML4 + PCID), %eax
	mov %rax, %cr3
	mov $(CR4_PAE | CR4_PCIDE), %eax
	mov %rax, %cr4
	EXPECT_GP 5, 4
	mov $PML4, %eax
	mov %rax, %cr3
	mov $CPUID_FEATURES, %eax
	cpuid
	xor %ebx, %ebx
	bt $ECX_PCID_BIT, %ecx
	jnc 2f
	mov $(CR4_PAE | CR4_PCIDE), %eax
	mov %rax, %cr4
	mov %cr4, %rax
	cmp $(CR4_PAE | CR4_PCIDE), %eax
	je 1f
	EXIT 6
1:	mov $(PML4 + PCID), %eax
	bts $63, %rax
	mov %rax, %cr3
	mov %cr3, %rax
	cmp $(PML4 + PCID), %rax
	je 2f
	EXIT 7
2:	EXPECT_GP 8, 0
	EXIT 0

gp64:	add $8, %rsp
	addq $MOV_CR_SIZE, (%rsp)
	inc %ebx
	iretq

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
