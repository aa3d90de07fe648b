/* SPDX-License-Identifier: BSD-2-Clause
 * VMXON in a guest that has no VMX: #UD. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

	HOSTILE_UD vmxon (%eax)
