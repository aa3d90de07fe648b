/* SPDX-License-Identifier: BSD-2-Clause
 * CR0 with PG and without PE, then with NW and without CD: #GP, says SDM v2, "MOV-Move to/from Control Registers". QEMU's TCG
 * checks neither, Bochs not the first in an SVM guest (docs/findings.md): there we do. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define CR0_PG_ALONE 0x80000011
#define CR0_PE 0x01
#define CR0_NW_ALONE 0x20000011
#define MOV_CR_SIZE 3

	HOSTILE
	CATCH VEC_GP, count
	xor %ebx, %ebx
	mov $(CR0_PG_ALONE & ~CR0_PE), %eax
	mov %eax, %cr0
	mov $CR0_NW_ALONE, %eax
	mov %eax, %cr0
	cmp $2, %ebx
	jne 1f
	EXIT 0
1:	EXIT 1

count:	add $4, %esp
	addl $MOV_CR_SIZE, (%esp)
	inc %ebx
	iret
