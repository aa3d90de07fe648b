/* SPDX-License-Identifier: BSD-2-Clause
 * The IDT is where no RAM is, then an exception. Knows nothing else.
 *
 * Verdict: event delivery needs gpa=0xd0000 */
#include "hostile.h"

	HOSTILE
	lidt 1f
	ud2
	EXIT 1

	.data
1:	.word GATES * 8 - 1
	.long NOWHERE
