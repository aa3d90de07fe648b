/* SPDX-License-Identifier: BSD-2-Clause
 * What CPUID shows works, and what it hides is not there: RDTSCP and TSC_AUX, RDPID, INVPCID, UMIP; the counters of leaf
 * 0AH; AMD's K7 counters and configuration. The exit status is the step that failed. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "try.h"

#define CPUID_COUNTERS 0xa
#define CPUID_EXT_FEATURES 7
#define CPUID_AMD_FEATURES 0x80000001
#define EDX_RDTSCP_BIT 27
#define ECX_RDPID_BIT 22
#define ECX_UMIP_BIT 2
#define EBX_INVPCID_BIT 10
#define CR4_UMIP 0x800
#define MSR_TSC_AUX 0xc0000103
#define MSR_K7_EVNTSEL0 0xc0010000
#define MSR_HWCR 0xc0010015
#define MSR_INT_PENDING 0xc0010055
#define MSR_DE_CFG 0xc0011029
#define AUX 0x1234
#define NAME_AUTH 0x68747541 /* the first four letters of AMD's name */

	HOSTILE
	CATCH VEC_UD, ud
	CATCH VEC_GP, gp
	/* RDTSCP, RDPID and their MSR */
	ASK CPUID_AMD_FEATURES
	mov $MSR_TSC_AUX, %ecx
	SHOWS %edx, EDX_RDTSCP_BIT, 1f
	FAULTS 1, 0, rdmsr
	test %eax, %eax
	jnz 3f
	mov $AUX, %eax
	xor %edx, %edx
	FAULTS 2, 0, wrmsr
	FAULTS 3, 0, rdtscp
	cmp $AUX, %ecx
	je 2f
3:	EXIT 4
1:	FAULTS 5, VEC_UD, rdtscp
	mov $MSR_TSC_AUX, %ecx
	FAULTS 6, VEC_GP, rdmsr
2:	ASK CPUID_EXT_FEATURES
	mov %ebx, %esi
	mov %ecx, %edi
	SHOWS %edi, ECX_RDPID_BIT, 1f
	FAULTS 7, 0, rdpid %eax
	cmp $AUX, %eax
	je 1f
	EXIT 8
	/* INVPCID, of everything */
1:	mov $2, %eax
	SHOWS %esi, EBX_INVPCID_BIT, 1f
	FAULTS 9, 0, invpcid zeros, %eax
	jmp 2f
1:	FAULTS 10, VEC_UD, invpcid zeros, %eax
	/* UMIP */
2:	mov $CR4_UMIP, %eax
	SHOWS %edi, ECX_UMIP_BIT, 1f
	FAULTS 11, 0, mov %eax, %cr4
	jmp 2f
1:	FAULTS 12, VEC_GP, mov %eax, %cr4
	/* No counters */
2:	ASK CPUID_COUNTERS
	or %ebx, %eax
	or %ecx, %eax
	or %edx, %eax
	jz 1f
	EXIT 26
1:	xor %ecx, %ecx
	xor %eax, %eax
	cpuid
	cmp $NAME_AUTH, %ebx
	jne 1f
	mov $MSR_K7_EVNTSEL0, %ecx
	xor %eax, %eax
	xor %edx, %edx
	FAULTS 27, 0, wrmsr
	mov $MSR_HWCR, %ecx
	FAULTS 28, 0, rdmsr
	mov $MSR_INT_PENDING, %ecx
	FAULTS 29, 0, rdmsr
	mov $MSR_DE_CFG, %ecx
	FAULTS 30, 0, rdmsr
	EXIT 0
1:	mov $MSR_HWCR, %ecx
	FAULTS 31, VEC_GP, rdmsr
	EXIT 0

	FAULT_HANDLERS
	.data
	.balign 16
zeros:	.fill 16, 1, 0
