/* SPDX-License-Identifier: BSD-2-Clause
 * The record of what did not hold in our own code.
 * Knows nothing of what is done about it. */
#include "check.h"

bool check_failed(struct check *c, const char *file, uint32_t line, const char *text)
{
	/* What fails after it is a consequence. */
	if (!c->line)
		*c = (struct check){ .file = file, .text = text, .line = line };
	return false;
}
