/* SPDX-License-Identifier: BSD-2-Clause
 * Jumps to where no RAM is. Knows nothing else.
 *
 * Verdict: instruction fetch from gpa=0xd0000000 */
#include "hostile.h"

	HOSTILE
	mov $NOWHERE, %eax
	jmp *%eax
