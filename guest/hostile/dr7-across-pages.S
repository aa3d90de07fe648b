/* SPDX-License-Identifier: BSD-2-Clause
 * A move to DR7 whose last byte lies in the next page. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define PAGE 4096
#define DR7_RESET 0x400

	HOSTILE
	mov $DR7_RESET, %eax
	jmp across
	.balign PAGE
	.skip PAGE - 2
across:	mov %eax, %dr7
	EXIT 0
