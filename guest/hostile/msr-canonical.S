/* SPDX-License-Identifier: BSD-2-Clause
 * Addresses in MSRs that are not canonical, each #GP, and canonical ones, which stay. SDM v2, "WRMSR". QEMU's TCG takes any; there we
 * look (docs/findings.md). The exit status is the step that failed. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define NOT_CANONICAL 0x8000 /* bit 47 alone, in the upper half */
#define CANONICAL 0x7fff
#define LOW_HALF 0x1000
#define WRMSR_SIZE 2

	HOSTILE
	CATCH VEC_GP, count
	xor %ebx, %ebx
	mov $msrs, %esi
1:	mov (%esi), %ecx
	mov $LOW_HALF, %eax
	mov $NOT_CANONICAL, %edx
	wrmsr
	mov $CANONICAL, %edx
	wrmsr
	xor %edx, %edx
	xor %eax, %eax
	rdmsr
	cmp $CANONICAL, %edx
	jne 2f
	cmp $LOW_HALF, %eax
	jne 2f
	add $4, %esi
	cmp $msrs_end, %esi
	jb 1b
	cmp $((msrs_end - msrs) / 4), %ebx
	jne 3f
	EXIT 0
2:	EXIT 2
3:	EXIT 3

count:	add $4, %esp
	addl $WRMSR_SIZE, (%esp)
	inc %ebx
	iret

	.data
	.balign 4
msrs:	.long MSR_LSTAR, MSR_CSTAR, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE
msrs_end:
