/* SPDX-License-Identifier: BSD-2-Clause
 * Spins with IF=0: only the preemption of the hypervisor gets it out. Knows nothing else.
 *
 * Verdict: deadline of the run passed
 * Timeout: short */
#include "hostile.h"

	HOSTILE
	cli
1:	jmp 1b
