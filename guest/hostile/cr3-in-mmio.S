/* SPDX-License-Identifier: BSD-2-Clause
 * Paging is switched on with page tables where no RAM is. Knows nothing else.
 *
 * Verdict: instruction fetch from gpa=0xd0000 */
#include "hostile.h"

#define CR0_PG_BIT 31

	HOSTILE
	mov $NOWHERE, %eax
	mov %eax, %cr3
	mov %cr0, %eax
	bts $CR0_PG_BIT, %eax
	mov %eax, %cr0
	EXIT 1
