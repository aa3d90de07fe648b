/* SPDX-License-Identifier: BSD-2-Clause
 * A read-modify-write of a page that may only be read, where no RAM is: a page fault for the write, and nothing is read or
 * written. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define VEC_PF 14
#define PF_PRESENT_WRITE 3
#define NOTHING 0xd0000000
#define LARGE_PAGE_SHIFT 22
#define PDE_RW 0x83 /* P, R/W, PS */
#define PDE_RO 0x81
#define CR4_PSE_BIT 0x10
#define CR0_PG_WP 0x80010000

	HOSTILE
	CATCH VEC_PF, caught
	movl $PDE_RW, directory
	movl $NOTHING + PDE_RO, directory + 4 * (NOTHING >> LARGE_PAGE_SHIFT)
	mov $CR4_PSE_BIT, %eax
	mov %eax, %cr4
	mov $directory, %eax
	mov %eax, %cr3
	mov %cr0, %eax
	or $CR0_PG_WP, %eax
	mov %eax, %cr0
	addl $1, NOTHING
	EXIT 2
caught:	pop %eax
	cmp $PF_PRESENT_WRITE, %eax
	jne 1f
	EXIT 0
1:	EXIT 3
	.bss
	.balign 4096
directory: .skip 4096
