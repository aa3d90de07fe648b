/* SPDX-License-Identifier: BSD-2-Clause
 * Waits until the keyboard controller takes a command, and has it reset the machine. Knows nothing else.
 *
 * Verdict: reset by port 0x64 */
#include "hostile.h"

#define KBC_COMMAND 0x64
#define KBC_IBF 0x02
#define RESET 0xfe

	HOSTILE
1:	in $KBC_COMMAND, %al
	test $KBC_IBF, %al
	jnz 1b
	mov $KBC_COMMAND, %edx
	mov $RESET, %al
	out %al, %dx
	EXIT 1
