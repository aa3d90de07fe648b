/* SPDX-License-Identifier: BSD-2-Clause
 * QEMU's pc-testdev as the machine has it.
 * Knows nothing of the suites that use it. */
#include "vmm/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct machine m;

static void out(uint16_t port, unsigned size, uint32_t val)
{
	machine_pio(&m, port, size, true, &val, NSEC_PER_SEC);
}

static uint32_t in(uint16_t port, unsigned size)
{
	uint32_t val = 0;

	machine_pio(&m, port, size, false, &val, NSEC_PER_SEC);
	return val;
}

static int setup(void **state)
{
	(void)state;
	machine_init(&m, NSEC_PER_SEC, 0, NULL);
	out(PIT_CMD, 1, PIT_CW_RW(PIT_RW_WORD)); /* mode 0: IRQ0 is low */
	m.testdev.on = true;
	return 0;
}

static void a_line_follows_the_byte_at_its_port(void **state)
{
	(void)state;
	for (unsigned n = 0; n < TESTDEV_LINE_COUNT; n++) {
		if (n == PIC_CASCADE)
			continue;
		out((uint16_t)(TESTDEV_LINES + n), 1, 1);
		assert_int_equal(m.lines, BIT(n));
		out((uint16_t)(TESTDEV_LINES + n), 1, 0x80);
		assert_int_equal(m.lines, BIT(n));
		out((uint16_t)(TESTDEV_LINES + n), 1, 0);
		assert_int_equal(m.lines, 0);
	}
	out(TESTDEV_LINES + TESTDEV_LINE_COUNT, 1, 1);
	assert_int_equal(m.lines, 0);
}

static void a_line_of_the_lab_device_is_not_let_go(void **state)
{
	(void)state;
	out(LAB_UP, 2, BIT(5));
	out(TESTDEV_LINES + 5, 1, 1);
	out(TESTDEV_LINES + 5, 1, 0);
	assert_int_equal(m.lines, BIT(5));
	out(LAB_DOWN, 2, BIT(5));
	assert_int_equal(m.lines, 0);
}

static void the_latch_is_read_and_written_in_any_width(void **state)
{
	(void)state;
	out(TESTDEV_LATCH, 4, 0x11223344);
	out(TESTDEV_LATCH + 1, 1, 0xaa);
	assert_int_equal(in(TESTDEV_LATCH, 4), 0x1122aa44);
	assert_int_equal(in(TESTDEV_LATCH + 2, 2), 0x1122);
	out(TESTDEV_LATCH_BYTES + 2, 2, 0x5566);
	assert_int_equal(in(TESTDEV_LATCH_BYTES, 4), 0x5566aa44);
}

static void the_flush_port_unmaps_the_page(void **state)
{
	(void)state;
	out(TESTDEV_FLUSH, 4, 0x123456);
	assert_true(m.events.unmap);
	assert_int_equal(m.events.unmap_gpa, 0x123000);
	assert_int_equal(in(TESTDEV_LATCH, 4), 0);
}

static void its_memory_is_memory_to_its_end(void **state)
{
	uint8_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, got[8];
	(void)state;

	machine_mmio(&m, TESTDEV_MEM + TESTDEV_MEM_SIZE - 8, data, 8, true, NSEC_PER_SEC);
	machine_mmio(&m, TESTDEV_MEM + TESTDEV_MEM_SIZE - 8, got, 8, false, NSEC_PER_SEC);
	assert_memory_equal(data, got, 8);
	machine_mmio(&m, TESTDEV_MEM + TESTDEV_MEM_SIZE - 4, got, 8, false, NSEC_PER_SEC);
	assert_int_equal(got[0], 0xff);
	machine_mmio(&m, TESTDEV_MEM - 1, got, 1, false, NSEC_PER_SEC);
	assert_int_equal(got[0], 0xff);
}

static void where_it_is_not_wanted_nothing_is_there(void **state)
{
	uint8_t data[4] = { 0 };
	(void)state;

	m.testdev.on = false;
	out(TESTDEV_LINES + 5, 1, 1);
	assert_int_equal(m.lines, 0);
	out(TESTDEV_LATCH, 4, 0);
	assert_int_equal(in(TESTDEV_LATCH, 4), UINT32_MAX);
	out(TESTDEV_FLUSH, 4, 0x123456);
	assert_false(m.events.unmap);
	machine_mmio(&m, TESTDEV_MEM, data, 4, true, NSEC_PER_SEC);
	machine_mmio(&m, TESTDEV_MEM, data, 4, false, NSEC_PER_SEC);
	assert_int_equal(data[0], 0xff);
}

#define T(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_line_follows_the_byte_at_its_port),
		T(a_line_of_the_lab_device_is_not_let_go),
		T(the_latch_is_read_and_written_in_any_width),
		T(the_flush_port_unmaps_the_page),
		T(its_memory_is_memory_to_its_end),
		T(where_it_is_not_wanted_nothing_is_there),
	};

	return cmocka_run_group_tests_name("testdev", tests, NULL, NULL);
}
