/* SPDX-License-Identifier: BSD-2-Clause
 * Resets by the chipset, as it is done where no keyboard controller is. Knows nothing else.
 *
 * Verdict: reset by port 0xcf9 */
#include "hostile.h"

#define RESET_CONTROL 0xcf9
#define RESET 0x06

	HOSTILE
	mov $RESET_CONTROL, %edx
	mov $RESET, %al
	out %al, %dx
	EXIT 1
