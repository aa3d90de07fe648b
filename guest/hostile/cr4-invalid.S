/* SPDX-License-Identifier: BSD-2-Clause
 * CR4 with a reserved bit, then with VMXE, which the guest does not have: #GP each time. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define CR4_RESERVED 0x80000000
#define CR4_VMXE 0x2000
#define MOV_CR_SIZE 3

	HOSTILE
	CATCH VEC_GP, count
	xor %ebx, %ebx
	mov $CR4_RESERVED, %eax
	mov %eax, %cr4
	mov $CR4_VMXE, %eax
	mov %eax, %cr4
	cmp $2, %ebx
	jne 1f
	EXIT 0
1:	EXIT 1

count:	add $4, %esp
	addl $MOV_CR_SIZE, (%esp)
	inc %ebx
	iret
