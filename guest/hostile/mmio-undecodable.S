/* SPDX-License-Identifier: BSD-2-Clause
 * FXSAVE to where no RAM is: no hypervisor of our size emulates that. It must say so. Knows nothing else.
 *
 * Verdict: an instruction that is not emulated (0f ae 05 00 00 00 d0 */
#include "hostile.h"

	HOSTILE
	fxsave NOWHERE
	EXIT 1
