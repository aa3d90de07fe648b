/* SPDX-License-Identifier: BSD-2-Clause
 * PAE paging: a PDPTE with a reserved bit, then one beyond the physical addresses, and an instruction that loads the PDPTEs: MOV to
 * CR4 with another PGE, MOV to CR3, MOV to CR0 with another CD. SDM v3, "PDPTE Registers": "the MOV to CR instruction causes a
 * general-protection exception (#GP(0)) and the PDPTEs are not loaded". With nested paging SVM has no such registers (APM v2, "Nested
 * Paging"): there the guest that never uses the entry runs on. The exit status is the step that failed.
 * Knows nothing else.
 *
 * Verdict on *-svm: guest exit status 1
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define CR0_PG_BIT 31
#define CR0_CD_BIT 30
#define CR4_PAE 0x20
#define CR4_PGE 0x80
#define PDPT 0x10000
#define PD_LOW 0x11000
#define PD_BYTES 0x1000
#define PDE_LARGE 0x83
#define LARGE_PAGE 0x200000
#define PRESENT 1
#define RESERVED_W 2
#define BEYOND 0x80000 /* bit 51, in the upper half */
#define MOV_CR_SIZE 3

.macro EXPECT_GP step, count
	cmp $\count, %ebx
	je .Lok\@
	EXIT \step
.Lok\@:
.endm
.macro PGE
	mov $(CR4_PAE | CR4_PGE), %eax
	mov %eax, %cr4
.endm

	HOSTILE
	CATCH VEC_GP, count
	xor %ebx, %ebx
	mov $PD_LOW, %edi
	mov $PDE_LARGE, %eax
1:	mov %eax, (%edi)
	movl $0, 4(%edi)
	add $LARGE_PAGE, %eax
	add $8, %edi
	cmp $(PD_LOW + PD_BYTES), %edi
	jb 1b
	movl $(PD_LOW + PRESENT), PDPT
	mov $PDPT, %eax
	mov %eax, %cr3
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov %cr0, %eax
	bts $CR0_PG_BIT, %eax
	mov %eax, %cr0
	movl $(PD_LOW + PRESENT + RESERVED_W), PDPT + 24
	PGE
	EXPECT_GP 1, 1
	mov %cr4, %eax
	cmp $CR4_PAE, %eax
	je 1f
	EXIT 2
1:	mov %cr3, %eax
	mov %eax, %cr3
	EXPECT_GP 3, 2
	mov %cr0, %eax
	bts $CR0_CD_BIT, %eax
	mov %eax, %cr0
	EXPECT_GP 4, 3
	movl $(PD_LOW + PRESENT), PDPT + 24
	movl $BEYOND, PDPT + 28
	PGE
	EXPECT_GP 5, 4
	movl $0, PDPT + 28
	PGE
	EXPECT_GP 6, 4
	mov %cr4, %eax
	cmp $(CR4_PAE | CR4_PGE), %eax
	je 1f
	EXIT 7
1:	EXIT 0

count:	add $4, %esp
	addl $MOV_CR_SIZE, (%esp)
	inc %ebx
	iret
