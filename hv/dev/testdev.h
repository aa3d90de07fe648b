/* SPDX-License-Identifier: BSD-2-Clause
 * The ports and the memory of QEMU's device pc-testdev, which public suites of guest tests raise lines with.
 * Knows nothing of controllers and of nested page tables. */
#pragma once

#include "types.h"

#define TESTDEV_LATCH 0xe0      /* four bytes, read and written in any width */
#define TESTDEV_FLUSH 0xe4      /* w32: an address in a page whose nested translation is dropped */
#define TESTDEV_LATCH_BYTES 0xe8 /* the latch again, byte by byte */
#define TESTDEV_LINES 0x2000    /* w8 at 0x2000 + n: line n is high unless 0 is written */
#define TESTDEV_LINE_COUNT 24
#define TESTDEV_MEM 0xff000000
#define TESTDEV_MEM_SIZE 0x10000

struct testdev {
	bool on;        /* it is there */
	uint32_t lines;
	uint32_t latch;
	uint8_t mem[TESTDEV_MEM_SIZE];
};

/* Is this port of one byte the device's? TESTDEV_FLUSH is none. */
bool testdev_has_port(const struct testdev *t, uint16_t port);
uint8_t testdev_read(const struct testdev *t, uint16_t port);
void testdev_write(struct testdev *t, uint16_t port, uint8_t val);
/* Its memory behind [gpa, gpa + len), NULL if it is not all there. */
uint8_t *testdev_mem(struct testdev *t, uint64_t gpa, uint32_t len);
