/* SPDX-License-Identifier: BSD-2-Clause
 * An exception without an IDT. Knows nothing else.
 *
 * Verdict: triple fault */
#include "hostile.h"

	HOSTILE
	lidt idt_none
	ud2
