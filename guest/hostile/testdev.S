/* SPDX-License-Identifier: BSD-2-Clause
 * QEMU's pc-testdev, which is there if the run says so (tests/run/runner_test.sh): the latch, the memory, and line 5 through the
 * 8259. Knows nothing else.
 *
 * Verdict: guest exit status 2 */
#include "hostile.h"

#define LATCH 0xe0
#define LATCH_BYTES 0xe8
#define LINE5 0x2005
#define TESTDEV_MEM 0xff00fffc
#define PATTERN 0x12345678
#define PATTERN_BYTE1 0x56
#define LINE5_BIT 0x20
#define OCW3_READ_IRR 0x0a

	HOSTILE
	mov $PATTERN, %eax
	out %eax, $LATCH
	in $(LATCH_BYTES + 1), %al
	cmp $PATTERN_BYTE1, %al
	je 1f
	EXIT 2
1:	movl $PATTERN, TESTDEV_MEM
	cmpl $PATTERN, TESTDEV_MEM
	je 2f
	EXIT 3
2:	PIC_IRQ0_ONLY
	mov $LINE5, %edx
	mov $1, %al
	out %al, %dx
	mov $OCW3_READ_IRR, %al
	out %al, $PIC1_CMD
	in $PIC1_CMD, %al
	test $LINE5_BIT, %al
	jnz 3f
	EXIT 4
3:	EXIT 0
