/* SPDX-License-Identifier: BSD-2-Clause
 * LOCK before a move to DR7: #UD, whoever executes it. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define PREFIX_LOCK 0xf0
#define DR7_RESET 0x400

	HOSTILE
	CATCH VEC_UD, caught
	mov $DR7_RESET, %eax
	.byte PREFIX_LOCK
	mov %eax, %dr7
	EXIT 3
caught:	EXIT 0
