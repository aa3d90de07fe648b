/* SPDX-License-Identifier: BSD-2-Clause
 * A task switch by a far jump to a TSS. "Task switches are not allowed in VMX non-root operation" (SDM v3, "Treatment of Task
 * Switches"): each exits, and would have to be emulated. With SVM they are intercepted, but TCG does not look. Knows nothing
 * else.
 *
 * Verdict on tcg-svm: guest exit status 0
 * Verdict on *-vmx: exit without a handler, code=0x9
 * Verdict: exit without a handler, code=0x7d */
#include "hostile.h"

#define SEL_OLD 0x18
#define SEL_NEW 0x20
#define TSS_AVAILABLE 0x89
#define TSS_SIZE 104
#define TSS_EIP 0x20
#define TSS_ESP 0x38
#define TSS_SEGMENTS 0x48 /* ES, CS, SS, DS, FS, GS: four bytes each */
#define EFLAGS_RESERVED 2
#define TSS_EFLAGS 0x24

.macro DESCRIPTOR tss, selector
	mov $\tss, %eax
	movw $(TSS_SIZE - 1), gdt_tasks + \selector
	mov %ax, gdt_tasks + \selector + 2
	shr $16, %eax
	mov %al, gdt_tasks + \selector + 4
	movb $TSS_AVAILABLE, gdt_tasks + \selector + 5
.endm

	HOSTILE
	DESCRIPTOR old, SEL_OLD
	DESCRIPTOR new, SEL_NEW
	lgdt gdt_tasks_pointer
	mov $SEL_OLD, %eax
	ltr %ax
	movl $there, new + TSS_EIP
	movl $EFLAGS_RESERVED, new + TSS_EFLAGS
	mov %esp, new + TSS_ESP
	mov $SEL_DATA, %eax
	mov $5, %ecx
1:	mov %eax, new + TSS_SEGMENTS(, %ecx, 4)
	dec %ecx
	jns 1b
	movl $SEL_CODE, new + TSS_SEGMENTS + 4
	ljmp $SEL_NEW, $0
	EXIT 1
there:	str %ax
	cmp $SEL_NEW, %ax
	jne 1f
	EXIT 0
1:	EXIT 2

	.data
	.balign 8
gdt_tasks:
	.quad 0, DESC_CODE32, DESC_DATA, 0, 0
gdt_tasks_pointer:
	.word . - gdt_tasks - 1
	.long gdt_tasks
	.balign 128
old:	.skip TSS_SIZE
	.balign 128
new:	.skip TSS_SIZE
