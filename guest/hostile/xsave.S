/* SPDX-License-Identifier: BSD-2-Clause
 * XSAVE: XCR0 and AVX where CPUID shows them, with registers as after reset; #UD and #GP where it hides them. The exit status is the
 * step that failed. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "try.h"

#define CPUID_FEATURES 1
#define ECX_XSAVE_BIT 26
#define ECX_OSXSAVE_BIT 27
#define ECX_AVX_BIT 28
#define CR4_OSFXSR 0x200
#define CR4_OSXSAVE 0x40000
#define XCR0_AVX 7
#define XCR0_AVX_ALONE 5

	HOSTILE
	CATCH VEC_UD, ud
	CATCH VEC_GP, gp
	ASK CPUID_FEATURES
	mov %ecx, %esi
	mov $(CR4_OSFXSR | CR4_OSXSAVE), %eax
	SHOWS %esi, ECX_XSAVE_BIT, 1f
	xor %ecx, %ecx
	xor %edx, %edx
	FAULTS 13, VEC_UD, xsetbv
	FAULTS 14, 0, mov %eax, %cr4
	ASK CPUID_FEATURES
	bt $ECX_OSXSAVE_BIT, %ecx
	jc 3f
	EXIT 15
3:	xor %ecx, %ecx
	FAULTS 16, 0, xgetbv
	cmp $1, %eax
	je 3f
	EXIT 17
3:	mov $XCR0_AVX_ALONE, %eax
	FAULTS 18, VEC_GP, xsetbv
	mov $-1, %eax
	FAULTS 19, VEC_GP, xsetbv
	mov $XCR0_AVX, %eax
	SHOWS %esi, ECX_AVX_BIT, 3f
	FAULTS 20, VEC_UD, vpxor %ymm0, %ymm0, %ymm0
	mov $XCR0_AVX, %eax
	FAULTS 21, 0, xsetbv
	FAULTS 22, 0, vmovdqu %ymm3, upper
	cmpl $0, upper + 16
	je 4f
	EXIT 23
4:	vmovdqu ones, %ymm3
	jmp 2f
3:	FAULTS 24, VEC_GP, xsetbv
	jmp 2f
1:	FAULTS 25, VEC_GP, mov %eax, %cr4
2:	EXIT 0
	FAULT_HANDLERS
	.data
	.balign 32
ones:	.fill 32, 1, -1
upper:	.fill 32, 1, -1
