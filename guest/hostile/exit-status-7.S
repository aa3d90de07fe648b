/* SPDX-License-Identifier: BSD-2-Clause
 * Ends with a status that is no success. Knows nothing else.
 *
 * Verdict: guest exit status 7 */
#include "hostile.h"

	HOSTILE
	EXIT 7
