/* SPDX-License-Identifier: BSD-2-Clause
 * EFER with a reserved bit, then with SVME, which is the hypervisor's: #GP each time. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define MSR_EFER 0xc0000080
#define EFER_RESERVED 0x02
#define EFER_SVME 0x1000
#define WRMSR_SIZE 2

	HOSTILE
	CATCH VEC_GP, count
	xor %ebx, %ebx
	mov $MSR_EFER, %ecx
	xor %edx, %edx
	mov $EFER_RESERVED, %eax
	wrmsr
	mov $EFER_SVME, %eax
	wrmsr
	cmp $2, %ebx
	jne 1f
	EXIT 0
1:	EXIT 1

count:	add $4, %esp
	addl $WRMSR_SIZE, (%esp)
	inc %ebx
	iret
