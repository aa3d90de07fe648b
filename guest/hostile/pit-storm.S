/* SPDX-License-Identifier: BSD-2-Clause
 * The PIT at its shortest period in mode 2, two ticks or 1.7 us, and a handler that takes longer: IRET meets the next
 * interrupt, and the code below it need not come forward any more. The hypervisor must: 2000 interrupts are served, in
 * their handler the guest ends. Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define PIT_CMD 0x43
#define PIT_CH0 0x40
#define PIT_MODE2 0x34
#define PERIOD 2
#define PIC1_CMD 0x20
#define PIC1_DATA 0x21
#define ICW1 0x11
#define ICW2 0x20
#define ICW3 0x04
#define ICW4 0x01
#define ONLY_IRQ0 0xfe
#define EOI 0x20
#define INTERRUPTS 2000

	HOSTILE
	CATCH ICW2, tick
	xor %ebx, %ebx
	mov $ICW1, %al
	out %al, $PIC1_CMD
	mov $ICW2, %al
	out %al, $PIC1_DATA
	mov $ICW3, %al
	out %al, $PIC1_DATA
	mov $ICW4, %al
	out %al, $PIC1_DATA
	mov $ONLY_IRQ0, %al
	out %al, $PIC1_DATA
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
