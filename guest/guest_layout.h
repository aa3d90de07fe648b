/* SPDX-License-Identifier: BSD-2-Clause
 * Selectors and sizes that assembly and C of the guest agree on.
 * Knows nothing else. */
#pragma once

#define PAGE 4096
#define RT_STACK_SIZE 32768

#define SEL_CODE64 0x08
#define SEL_DATA 0x10
#define SEL_CODE32 0x18
#define SEL_TSS 0x20
#define GDT_ENTRIES 6

/* Distance between two vector stubs. */
#define STUB_SIZE 16
