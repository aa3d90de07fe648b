/* SPDX-License-Identifier: BSD-2-Clause
 * A TSC above 2^63 and a deadline just below it: the timer is due at once, and its MSR reads 0 again. SDM v3, "TSC-Deadline Mode":
 * "An interrupt is generated when the logical processor's time-stamp counter equals or exceeds the target value". Knows nothing
 * else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define MSR_TSC 0x10
#define MSR_TSC_DEADLINE 0x6e0
#define TSC_HIGH 0xf0000000
#define DEADLINE_HIGH 0xefffffff
#define APIC_SVR 0xfee000f0
#define APIC_LVT_TIMER 0xfee00320
#define SVR_ENABLED 0x1ff
#define LVT_TSC_DEADLINE 0x40040
#define READS 1000

	HOSTILE
	mov $MSR_TSC, %ecx
	mov $TSC_HIGH, %edx
	xor %eax, %eax
	wrmsr
	movl $SVR_ENABLED, APIC_SVR
	movl $LVT_TSC_DEADLINE, APIC_LVT_TIMER
	mov $MSR_TSC_DEADLINE, %ecx
	mov $DEADLINE_HIGH, %edx
	mov $-1, %eax
	wrmsr
	mov $READS, %ebx
1:	rdmsr
	or %edx, %eax
	jz 2f
	dec %ebx
	jnz 1b
	EXIT 2
2:	EXIT 0
