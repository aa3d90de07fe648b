/* SPDX-License-Identifier: BSD-2-Clause
 * Loads from where neither RAM nor a device is give all ones, stores there are dropped, in each width.
 * Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

	HOSTILE
	mov $NOWHERE, %ebx
	xor %eax, %eax
	mov %al, (%ebx)
	mov %ax, 2(%ebx)
	mov %eax, 4(%ebx)
	mov (%ebx), %al
	cmp $0xff, %al
	jne bad
	mov 2(%ebx), %ax
	cmp $0xffff, %ax
	jne bad
	mov 4(%ebx), %eax
	cmp $0xffffffff, %eax
	jne bad
	movzbl (%ebx), %eax
	cmp $0xff, %eax
	jne bad
	EXIT 0
bad:	EXIT 1
