/* SPDX-License-Identifier: BSD-2-Clause
 * VMLOAD in a guest that has no SVM: #UD, and nothing in the hypervisor changes. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

	HOSTILE_UD vmload
