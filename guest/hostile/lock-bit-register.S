/* SPDX-License-Identifier: BSD-2-Clause
 * LOCK before BT, and before BTS, BTR and BTC of a register: #UD each, whatever the operand. Knows nothing else.
 *
 * Not on tcg-svm: a guest's LOCK BTC of a register ends QEMU 7.2 (docs/findings.md)
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define LOCK 0xf0
#define SIZE 4 /* the prefix with them */

	HOSTILE
	CATCH VEC_UD, count
	xor %ebx, %ebx
	jmp 2f /* an emulator's block of its own, where no address has been made */
2:	.byte LOCK
	bt %eax, %edi
	.byte LOCK
	bts %eax, %edi
	.byte LOCK
	btr %eax, %edi
	.byte LOCK
	btc %eax, %edi
	cmp $4, %ebx
	jne 1f
	EXIT 0
1:	EXIT 1

count:	addl $SIZE, (%esp)
	inc %ebx
	iret
