/* SPDX-License-Identifier: BSD-2-Clause
 * IA32_APIC_BASE with the first address bit that the CPU does not have, by CPUID's word: #GP. SDM v3, "Relocating the Local APIC
 * Registers": the base is an address of MAXPHYADDR bits; those above are reserved. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define CPUID_SIZES 0x80000008
#define MSR_APIC_BASE 0x1b
#define HALF_BITS 32

	HOSTILE
	CATCH VEC_GP, gp
	mov $CPUID_SIZES, %eax
	cpuid
	movzbl %al, %ecx
	sub $HALF_BITS, %ecx
	mov $1, %edi
	shl %cl, %edi
	mov $MSR_APIC_BASE, %ecx
	rdmsr
	or %edi, %edx
	wrmsr
	EXIT 2
gp:	EXIT 0
