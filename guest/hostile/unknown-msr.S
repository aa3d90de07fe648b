/* SPDX-License-Identifier: BSD-2-Clause
 * Reads and writes MSRs that no CPU has, and some that are the hypervisor's business: #GP each time.
 * Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define MSR_NONE 0xdeadbeef
#define MSR_VM_HSAVE_PA 0xc0010117
#define MSR_SMM_BASE 0xc0010111
#define ACCESS_SIZE 2 /* RDMSR and WRMSR have two bytes */

	HOSTILE
	CATCH VEC_GP, count
	xor %ebx, %ebx
	mov $msrs, %esi
next:	mov (%esi), %ecx
	rdmsr
	mov (%esi), %ecx
	xor %eax, %eax
	xor %edx, %edx
	wrmsr
	add $4, %esi
	cmp $msrs_end, %esi
	jb next
	cmp $(2 * (msrs_end - msrs) / 4), %ebx
	jne 1f
	EXIT 0
1:	EXIT 1

	/* The error code first; then the RIP to send over the instruction. */
count:	add $4, %esp
	addl $ACCESS_SIZE, (%esp)
	inc %ebx
	iret

	.data
	.balign 4
msrs:	.long MSR_NONE, MSR_NONE + 1, MSR_SMM_BASE, MSR_VM_HSAVE_PA
msrs_end:
