/* SPDX-License-Identifier: BSD-2-Clause
 * The ports and the memory of QEMU's device pc-testdev, which public suites of guest tests raise lines with.
 * Knows nothing of controllers and of nested page tables. */
#include "dev/testdev.h"

#include <string.h>

#include "bits.h"

#define FLOATING_BUS 0xff

static bool is_line(uint16_t port)
{
	return port >= TESTDEV_LINES && port < TESTDEV_LINES + TESTDEV_LINE_COUNT;
}

static bool is_latch(const struct testdev *t, uint16_t port)
{
	return (port >= TESTDEV_LATCH && port < TESTDEV_LATCH + sizeof(t->latch)) ||
	       (port >= TESTDEV_LATCH_BYTES && port < TESTDEV_LATCH_BYTES + sizeof(t->latch));
}

bool testdev_has_port(const struct testdev *t, uint16_t port)
{
	return t->on && (is_line(port) || is_latch(t, port));
}

uint8_t testdev_read(const struct testdev *t, uint16_t port)
{
	return is_latch(t, port) ? ((const uint8_t *)&t->latch)[port % sizeof(t->latch)] : FLOATING_BUS;
}

void testdev_write(struct testdev *t, uint16_t port, uint8_t val)
{
	uint32_t line;

	if (is_latch(t, port)) {
		((uint8_t *)&t->latch)[port % sizeof(t->latch)] = val;
		return;
	}
	line = BIT(port - TESTDEV_LINES);
	t->lines = val ? t->lines | line : t->lines & ~line;
}

uint8_t *testdev_mem(struct testdev *t, uint64_t gpa, uint32_t len)
{
	if (!t->on || gpa < TESTDEV_MEM || gpa - TESTDEV_MEM > TESTDEV_MEM_SIZE - len)
		return NULL;
	return t->mem + (gpa - TESTDEV_MEM);
}
