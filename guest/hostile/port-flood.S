/* SPDX-License-Identifier: BSD-2-Clause
 * All 64 Ki ports: byte reads and writes of 0; the first 2 Ki also by words and doublewords and with REP INSB and OUTSB.
 * The exit port is spared. An NMI may come of it (the lab device has a port for that). Knows nothing else.
 *
 * Verdict: guest exit status 0 */
#include "hostile.h"

#define PORTS 0x10000
#define WIDE_PORTS 0x800
#define SPARED_FIRST (EXIT_PORT - 3) /* a doubleword there would reach the exit port */
#define SPARED_LAST (EXIT_PORT + 3)
#define BURST 2

	HOSTILE
	CATCH VEC_NMI, ignore
	xor %ebx, %ebx
port:	cmp $SPARED_FIRST, %ebx
	jb 1f
	cmp $SPARED_LAST, %ebx
	jbe 2f
1:	mov %ebx, %edx
	in %dx, %al
	xor %eax, %eax
	out %al, %dx
	cmp $WIDE_PORTS, %ebx
	jae 2f
	in %dx, %ax
	in %dx, %eax
	xor %eax, %eax
	out %ax, %dx
	out %eax, %dx
	mov $buffer, %edi
	mov $BURST, %ecx
	rep insb
	movl $0, buffer
	mov $buffer, %esi
	mov $BURST, %ecx
	rep outsb
2:	inc %ebx
	cmp $PORTS, %ebx
	jb port
	EXIT 0
ignore:	iret

	.bss
buffer:	.skip BURST
