/* SPDX-License-Identifier: BSD-2-Clause
 * Resets by system control port A. Knows nothing else.
 *
 * Verdict: reset by port 0x92 */
#include "hostile.h"

#define PORT92 0x92
#define RESET 0x01

	HOSTILE
	mov $PORT92, %edx
	mov $RESET, %al
	out %al, %dx
	EXIT 1
