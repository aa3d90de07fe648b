/* SPDX-License-Identifier: BSD-2-Clause
 * What the firmware leaves behind. That its code runs is hostile/bios-tick's to show.
 * Knows nothing of who starts after it. */
#include "vmm/bios.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/machine.h"

#define MIB 0x100000u
#define IRET 0xcf
#define IRQ0_PERIOD (65536 * NSEC_PER_SEC / PIT_HZ)

static uint8_t *ram;

static uint32_t get16(uint32_t at)
{
	return ram[at] | (uint32_t)ram[at + 1] << 8;
}

static int setup(void **state)
{
	(void)state;
	ram = calloc(1, MIB);
	assert_non_null(ram);
	bios_memory(ram);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(ram);
	return 0;
}

static void every_vector_leads_to_code_in_reserved_memory(void **state)
{
	(void)state;
	for (unsigned vector = 0; vector < 256; vector++) {
		uint32_t at = (get16(vector * 4 + 2) << 4) + get16(vector * 4);

		assert_in_range(at, BIOS_LOW_END, MIB - 1);
		assert_int_not_equal(ram[at], 0);
		if (vector != 0x08 && (vector & 0xf8) != 0x08 && (vector & 0xf8) != 0x70)
			assert_int_equal(ram[at], IRET);
	}
}

/* A kernel's start-up code puts its real-mode part below the lower of the two. */
static void the_data_area_says_where_conventional_memory_ends(void **state)
{
	(void)state;
	assert_int_equal(get16(0x40e) << 4, 0x9fc00);
	assert_int_equal(get16(0x413), 639);
	assert_int_equal(ram[0x9fc00], 1);
	assert_int_equal(get16(0x400), UART_COM1);
}

static void the_8259_pair_is_at_8_and_70_and_irq0_ticks(void **state)
{
	static struct machine m;
	uint64_t now = NSEC_PER_SEC;
	uint32_t ticks = 0;
	(void)state;

	machine_init(&m, now, 0, NULL);
	assert_int_equal(m.pic.master.imr, 0xb8);
	assert_int_equal(m.pic.slave.imr, 0x8e);
	assert_int_equal(m.pic.slave.base, 0x70);
	while (pic_intr(&m.pic)) { /* OUT rises with the first Control Word */
		assert_int_equal(pic_inta(&m.pic).vector, 0x08);
		pic_write(&m.pic, PIC_MASTER_CMD, OCW2_EOI);
	}
	for (uint64_t end = now + 10 * IRQ0_PERIOD; now < end; now += IRQ0_PERIOD / 8) {
		machine_advance(&m, now);
		if (!pic_intr(&m.pic))
			continue;
		assert_int_equal(pic_inta(&m.pic).vector, 0x08);
		pic_write(&m.pic, PIC_MASTER_CMD, OCW2_EOI);
		ticks++;
	}
	assert_in_range(ticks, 9, 10);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_vector_leads_to_code_in_reserved_memory),
		T(the_data_area_says_where_conventional_memory_ends),
		T(the_8259_pair_is_at_8_and_70_and_irq0_ticks),
	};

	return cmocka_run_group_tests_name("bios", tests, NULL, NULL);
}
