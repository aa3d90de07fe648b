/* SPDX-License-Identifier: BSD-2-Clause
 * CLGI in a guest that has no SVM: #UD. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

	HOSTILE_UD clgi
