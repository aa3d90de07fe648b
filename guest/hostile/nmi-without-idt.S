/* SPDX-License-Identifier: BSD-2-Clause
 * An NMI with an IDT of no entries. Needs the lab device. Knows nothing else.
 *
 * Verdict: triple fault */
#include "hostile.h"

#define LAB_NMI 0x60e

	HOSTILE
	lidt idt_none
	mov $LAB_NMI, %edx
	mov $1, %al
	out %al, %dx
	nop
	EXIT 1
