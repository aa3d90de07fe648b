/* SPDX-License-Identifier: BSD-2-Clause
 * PAE paging: a change of a PDPTE in memory is seen with the next MOV to CR3 or to CR4 with another PGE, whoever executes it.
 * SDM v3, "PDPTE Registers": they "are loaded from the PDPTEs in memory as part of certain operations". The exit status is
 * the step that failed. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define CR0_PG_BIT 31
#define CR4_PAE 0x20
#define CR4_PGE 0x80
#define PDPT 0x10000
#define PD_LOW 0x11000
#define PD_A 0x12000
#define PD_B 0x13000
#define PDE_LARGE 0x83
#define LARGE_PAGE 0x200000
#define PD_BYTES 0x1000
#define PRESENT 1
#define HIGH 0x40000000 /* PDPTE 1 */
#define PAGE_A 0x400000
#define PAGE_B 0x600000
#define IS_A 0xa
#define IS_B 0xb

.macro CHECK step, location, value
	cmpl $(\value), \location
	je .Lok\@
	EXIT \step
.Lok\@:
.endm
.macro MAP_HIGH directory
	movl $(\directory + PRESENT), PDPT + 8
.endm
.macro SET_CR4 bits
	mov $(\bits), %eax
	mov %eax, %cr4
.endm
.macro SET_PG set
	mov %cr0, %eax
	\set $CR0_PG_BIT, %eax
	mov %eax, %cr0
.endm

	HOSTILE
	/* The low GiB as it is, and one large page at HIGH. */
	mov $PD_LOW, %edi
	mov $PDE_LARGE, %eax
1:	mov %eax, (%edi)
	movl $0, 4(%edi)
	add $LARGE_PAGE, %eax
	add $8, %edi
	cmp $(PD_LOW + PD_BYTES), %edi
	jb 1b
	movl $(PAGE_A + PDE_LARGE), PD_A
	movl $(PAGE_B + PDE_LARGE), PD_B
	movl $(PD_LOW + PRESENT), PDPT
	MAP_HIGH PD_A
	movl $IS_A, PAGE_A
	movl $IS_B, PAGE_B
	mov $PDPT, %eax
	mov %eax, %cr3
	SET_CR4 CR4_PAE
	SET_PG bts
	CHECK 1, HIGH, IS_A
	MAP_HIGH PD_B
	SET_CR4 CR4_PAE | CR4_PGE
	CHECK 2, HIGH, IS_B
	MAP_HIGH PD_A
	SET_CR4 CR4_PAE
	CHECK 3, HIGH, IS_A
	MAP_HIGH PD_B
	mov %cr3, %eax
	mov %eax, %cr3
	CHECK 4, HIGH, IS_B
	SET_PG btr
	SET_CR4 0
	mov %cr4, %eax
	test %eax, %eax
	jz 1f
	EXIT 5
1:	EXIT 0
