/* SPDX-License-Identifier: BSD-2-Clause
 * VMMCALL in a guest that has no SVM: #UD. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

	HOSTILE_UD vmmcall
