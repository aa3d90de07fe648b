/* SPDX-License-Identifier: BSD-2-Clause
 * A data breakpoint on the stack, where the CPU writes the frame of an exception. Whatever becomes of the trap, the exception is
 * delivered. Knows nothing else.
 *
 * Not on tcg-svm: a frame that is written over a data breakpoint ends QEMU 7.2 (docs/findings.md)
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define VEC_DB 1
#define DR7_WATCH_WRITES 0xd0001 /* DR0, four bytes */

	HOSTILE
	CATCH VEC_UD, caught
	CATCH VEC_DB, ignore
	lea -12(%esp), %eax
	mov %eax, %dr0
	mov $DR7_WATCH_WRITES, %eax
	mov %eax, %dr7
	ud2
	EXIT 1

ignore:	xor %eax, %eax
	mov %eax, %dr7
	iret
caught:	xor %eax, %eax
	mov %eax, %dr7
	EXIT 0
