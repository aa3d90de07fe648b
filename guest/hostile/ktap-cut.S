/* SPDX-License-Identifier: BSD-2-Clause
 * A triple fault in the middle of a line of KTAP: the half line must not swallow the verdict. Knows nothing else.
 *
 * Verdict: triple fault */
#include "hostile.h"

	HOSTILE
	PRINT "KTAP version 1\n1..2\nok 1 first\nok 2 hal"
	lidt idt_none
	ud2
