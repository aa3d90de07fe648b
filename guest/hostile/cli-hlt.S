/* SPDX-License-Identifier: BSD-2-Clause
 * Halts with IF=0 and no NMI to come: nothing can wake it. Knows nothing else.
 *
 * Verdict: halted, and nothing is left that could wake it */
#include "hostile.h"

	HOSTILE
	cli
	hlt
	EXIT 1
