/* SPDX-License-Identifier: BSD-2-Clause
 * A hundred NMIs from within the handler of one, and no IRET for most of them. Needs the lab device. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define LAB_NMI 0x60e
#define FLOOD 100

	HOSTILE
	CATCH VEC_NMI, flood
	mov $LAB_NMI, %edx
	mov $1, %al
	out %al, %dx
	EXIT 1
flood:	mov $FLOOD, %ecx
1:	out %al, %dx
	loop 1b
	EXIT 0
