/* SPDX-License-Identifier: BSD-2-Clause
 * The instructions that leave a VMX guest whatever its hypervisor wants, and that this guest's CPU does not have: each is #UD.
 * SDM v3, "Instructions That Cause VM Exits Unconditionally". The exit status is the number of the one that was none.
 * Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define REGION 0x9000 /* RAM, aligned */

.macro UD insn:vararg
	inc %ebx
	mov $.Lnext\@, %edi
	\insn
	mov %bl, %al
	out %al, $EXIT_PORT
.Lnext\@:
.endm

	HOSTILE
	CATCH VEC_UD, caught
	xor %ebx, %ebx
	movl $REGION, REGION
	movl $0, REGION + 4
	mov $REGION, %esi
	mov $1, %eax
	mov $0, %ecx
	mov $0, %edx
	UD vmcall
	UD vmclear (%esi)
	UD vmlaunch
	UD vmptrld (%esi)
	UD vmptrst (%esi)
	UD vmread %eax, %ecx
	UD vmresume
	UD vmwrite %eax, %ecx
	UD vmxoff
	UD vmxon (%esi)
	UD invept (%esi), %eax
	UD invvpid (%esi), %eax
	UD vmfunc
	UD getsec
	UD xsetbv
	UD rsm
	UD monitor
	UD mwait
	EXIT 0

caught:	mov %edi, (%esp)
	iret
