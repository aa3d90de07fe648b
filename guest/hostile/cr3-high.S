/* SPDX-License-Identifier: BSD-2-Clause
 * 64-bit mode: MOV to CR3 with a bit beyond the physical addresses is #GP ("If an attempt is made to write a 1 to any reserved bit in
 * CR3"), and so is one to CR4 that ends PAE, or sets PCIDE under a CR3 that is not a page's; to CR0 that ends paging. QEMU's TCG takes
 * the first, and VMRUN refuses it then. The exit status is the step that failed. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "try.h"

#define CR4_PCIDE 0x20000
#define CPUID_FEATURES 1
#define ECX_PCID_BIT 17
#define PCID 1
#define CR3_BEYOND 0x0010000000000000 /* bit 52 */
#define MOV_CR_SIZE 3

.macro EXPECT_GP step, count
	cmp $\count, %ebx
	je .Lok\@
	mov $\step, %al
	out %al, $EXIT_PORT
.Lok\@:
.endm

	HOSTILE
	LONG_MODE gp64
	xor %ebx, %ebx
	mov $(CR3_BEYOND + PML4), %rax
	mov %rax, %cr3
	EXPECT_GP 1, 1
	mov %cr3, %rax
	cmp $PML4, %rax
	je 1f
	EXIT 2
1:	xor %eax, %eax
	mov %rax, %cr4
	EXPECT_GP 3, 2
	mov %cr0, %rax
	btr $CR0_PG_BIT, %eax
	mov %rax, %cr0
	EXPECT_GP 4, 3
	mov $(PML4 + PCID), %eax
	mov %rax, %cr3
	mov $(CR4_PAE | CR4_PCIDE), %eax
	mov %rax, %cr4
	EXPECT_GP 5, 4
	mov $PML4, %eax
	mov %rax, %cr3
	mov $CPUID_FEATURES, %eax
	cpuid
	xor %ebx, %ebx
	bt $ECX_PCID_BIT, %ecx
	jnc 2f
	mov $(CR4_PAE | CR4_PCIDE), %eax
	mov %rax, %cr4
	mov %cr4, %rax
	cmp $(CR4_PAE | CR4_PCIDE), %eax
	je 1f
	EXIT 6
1:	mov $(PML4 + PCID), %eax
	bts $63, %rax
	mov %rax, %cr3
	mov %cr3, %rax
	cmp $(PML4 + PCID), %rax
	je 2f
	EXIT 7
2:	EXPECT_GP 8, 0
	EXIT 0

gp64:	add $8, %rsp
	addq $MOV_CR_SIZE, (%rsp)
	inc %ebx
	iretq
