/* SPDX-License-Identifier: BSD-2-Clause
 * The stack is where no RAM is, then an exception. Knows nothing else.
 *
 * Verdict: event delivery needs gpa=0xd0000 */
#include "hostile.h"

	HOSTILE
	mov $(NOWHERE + 4096), %esp
	ud2
	EXIT 1
