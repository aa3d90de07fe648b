/* SPDX-License-Identifier: BSD-2-Clause
 * INIT and start-up IPIs to itself and to everybody: the only CPU of this machine goes on, or is reset and ends as the
 * firmware would; the hypervisor stays. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define APIC_ICR_LOW 0xfee00300
#define ICR_ALL_INIT 0x84500
#define ICR_ALL_STARTUP 0x84608

	HOSTILE
	movl $ICR_ALL_INIT, APIC_ICR_LOW
	movl $ICR_ALL_STARTUP, APIC_ICR_LOW
	EXIT 0
