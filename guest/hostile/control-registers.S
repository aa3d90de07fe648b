/* SPDX-License-Identifier: BSD-2-Clause
 * CR0 bit by bit: what the CPU under us pins, the guest still sees as it wrote it, and impossible values are #GP, also where the
 * CPU would take them. The exit status is the step that failed. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define CR0_PE 0x1
#define CR0_TS 0x8
#define CR0_NE 0x20
#define CR0_NW 0x20000000
#define CR0_CD 0x40000000
#define CR0_PG 0x80000000
#define MOV_CR_SIZE 3

.macro CHECK_CR0 step, bits, value
	mov %cr0, %edx
	and $(\bits), %edx
	cmp $(\value), %edx
	je .Lok\@
	EXIT \step
.Lok\@:
.endm
.macro SET_CR0 set, clear
	mov %cr0, %eax
	and $~(\clear), %eax
	or $(\set), %eax
	mov %eax, %cr0
.endm

	HOSTILE
	CATCH VEC_GP, count
	xor %ebx, %ebx
	SET_CR0 CR0_NE, 0
	CHECK_CR0 1, CR0_NE, CR0_NE
	SET_CR0 0, CR0_NE
	CHECK_CR0 2, CR0_NE, 0
	SET_CR0 CR0_CD | CR0_NW, 0
	CHECK_CR0 3, CR0_CD | CR0_NW, CR0_CD | CR0_NW
	SET_CR0 0, CR0_NW
	CHECK_CR0 4, CR0_CD | CR0_NW, CR0_CD
	SET_CR0 0, CR0_CD
	CHECK_CR0 5, CR0_CD | CR0_NW, 0
	SET_CR0 CR0_NW, 0
	CHECK_CR0 6, CR0_CD | CR0_NW, 0
	cmp $1, %ebx
	je 1f
	EXIT 7
1:	SET_CR0 CR0_PG, CR0_PE
	CHECK_CR0 8, CR0_PG | CR0_PE, CR0_PE
	cmp $2, %ebx
	je 1f
	EXIT 9
1:	smsw %eax
	or $CR0_TS, %ax
	lmsw %ax
	CHECK_CR0 10, CR0_TS, CR0_TS
	clts
	CHECK_CR0 11, CR0_TS, 0
	EXIT 0

count:	add $4, %esp
	addl $MOV_CR_SIZE, (%esp)
	inc %ebx
	iret
