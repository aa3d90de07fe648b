/* SPDX-License-Identifier: BSD-2-Clause
 * The friendly one: a line on COM1, then success. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

	HOSTILE
	PRINT "a line from the guest\n"
	EXIT 0
