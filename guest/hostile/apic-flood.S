/* SPDX-License-Identifier: BSD-2-Clause
 * Every doubleword of the local APIC's page is read and written with ones and zeros, misaligned ones too; then self-IPIs of
 * all vectors in all delivery modes but INIT and start-up. IF=0; NMIs are taken. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define APIC 0xfee00000
#define APIC_SIZE 0x1000
#define APIC_ICR_LOW (APIC + 0x300)
#define ICR_SELF_NMI 0x44400 /* self, assert, NMI */
#define ICR_SELF_SMI 0x44200
#define ICR_SELF_LOWEST 0x44100
#define ICR_SELF_FIXED 0x44000
#define ICR_LOW_SPARED 0x300 /* all ones there would be INIT or worse */
#define PATTERN 0x55
#define VECTORS 256

	HOSTILE
	CATCH VEC_NMI, ignore
	xor %ebx, %ebx
reg:	mov APIC(%ebx), %eax
	cmp $ICR_LOW_SPARED, %ebx
	je 1f
	movl $-1, APIC(%ebx)
	movl $0, APIC(%ebx)
1:	mov APIC + 2(%ebx), %ax
	movb $PATTERN, APIC + 1(%ebx)
	add $4, %ebx
	cmp $(APIC_SIZE - 4), %ebx
	jb reg
	xor %ebx, %ebx
vector:	lea ICR_SELF_FIXED(%ebx), %eax
	mov %eax, APIC_ICR_LOW
	lea ICR_SELF_LOWEST(%ebx), %eax
	mov %eax, APIC_ICR_LOW
	lea ICR_SELF_SMI(%ebx), %eax
	mov %eax, APIC_ICR_LOW
	lea ICR_SELF_NMI(%ebx), %eax
	mov %eax, APIC_ICR_LOW
	inc %ebx
	cmp $VECTORS, %ebx
	jb vector
	EXIT 0
ignore:	iret
