/* SPDX-License-Identifier: BSD-2-Clause
 * The PIT at its shortest period in mode 2, two ticks or 1.7 us, and a handler that takes longer: IRET meets the next
 * interrupt, and the code below it need not come forward any more. The hypervisor must: 2000 interrupts are served, in
 * their handler the guest ends. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define PIT_MODE2 0x34
#define PERIOD 2
#define EOI 0x20
#define INTERRUPTS 2000

	HOSTILE
	CATCH ICW2, tick
	xor %ebx, %ebx
	PIC_IRQ0_ONLY
	mov $PIT_MODE2, %al
	out %al, $PIT_CMD
	mov $PERIOD, %al
	out %al, $PIT_CH0
	xor %eax, %eax
	out %al, $PIT_CH0
	sti
1:	jmp 1b
tick:	inc %ebx
	mov $EOI, %al
	out %al, $PIC1_CMD
	cmp $INTERRUPTS, %ebx
	jae 1f
	iret
1:	EXIT 0
