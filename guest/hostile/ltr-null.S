/* SPDX-License-Identifier: BSD-2-Clause
 * LTR of a null selector: #GP, says SDM v2, "LTR-Load Task Register". Where it is not, an exception at CPL 3 follows, for which
 * there is no stack then. Knows nothing else.
 *
 * Not on tcg-svm: QEMU 7.2 takes the null selector, and the exception ends it (docs/findings.md)
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define SEL_USER_CODE 0x1b
#define SEL_USER_DATA 0x23
#define DESC_USER_CODE32 0x00cffb000000ffff
#define DESC_USER_DATA 0x00cff3000000ffff
#define EFLAGS_RESERVED1 2

	HOSTILE
	CATCH VEC_GP, caught
	lgdt gdt_user_pointer
	xor %eax, %eax
	ltr %ax
	mov %esp, %ebx
	push $SEL_USER_DATA
	push %ebx
	push $EFLAGS_RESERVED1
	push $SEL_USER_CODE
	push $1f
	iret
1:	ud2

caught:	EXIT 0

	.data
	.balign 8
gdt_user:
	.quad 0, DESC_CODE32, DESC_DATA, DESC_USER_CODE32, DESC_USER_DATA
gdt_user_pointer:
	.word . - gdt_user - 1
	.long gdt_user
