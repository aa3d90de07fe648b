/* SPDX-License-Identifier: BSD-2-Clause
 * Resets and the NMI gate: ports that act on the CPU itself.
 * Knows nothing of what becomes of the guest. */
#include "vmm/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PCI_ADDRESS 0xcf8

static struct machine m;

static void out(uint16_t port, unsigned size, uint32_t val)
{
	machine_pio(&m, port, size, true, &val, NSEC_PER_SEC);
}

static uint8_t inb(uint16_t port)
{
	uint32_t val = 0;

	machine_pio(&m, port, 1, false, &val, NSEC_PER_SEC);
	return (uint8_t)val;
}

static bool resets(uint16_t port, uint8_t val)
{
	bool reset;

	m.events.reset = false;
	out(port, 1, val);
	reset = m.events.reset;
	if (reset)
		assert_int_equal(m.events.reset_port, port);
	m.events.reset = false;
	return reset;
}

static int setup(void **state)
{
	(void)state;
	machine_init(&m, NSEC_PER_SEC, 0, NULL);
	return 0;
}

/* 8042: pulse output port; a 0 in the command's low bits pulses that bit, and bit 0 is the reset. */
static void the_keyboard_controller_resets_by_a_pulse_of_bit_0(void **state)
{
	(void)state;
	for (unsigned command = 0; command <= 0xff; command++)
		assert_int_equal(resets(KBC_COMMAND, (uint8_t)command), command >= KBC_PULSE && !(command & 1));
}

static void the_output_port_resets_by_its_bit_0(void **state)
{
	(void)state;
	assert_false(resets(KBC_DATA, 0));
	assert_false(resets(KBC_COMMAND, KBC_WRITE_OUTPUT_PORT));
	assert_false(resets(KBC_DATA, 0xdf)); /* A20 on, as boot loaders do */
	assert_false(resets(KBC_DATA, 0));
	assert_false(resets(KBC_COMMAND, KBC_WRITE_OUTPUT_PORT));
	assert_true(resets(KBC_DATA, 0xfe));
}

static void the_keyboard_controller_takes_commands_and_has_no_answers(void **state)
{
	(void)state;
	assert_int_equal(inb(KBC_COMMAND) & (KBC_STATUS_IBF | KBC_STATUS_OBF), 0);
	assert_int_equal(inb(KBC_COMMAND) & KBC_STATUS_SYS, KBC_STATUS_SYS);
	out(KBC_COMMAND, 1, 0xaa);
	assert_int_equal(inb(KBC_COMMAND) & (KBC_STATUS_IBF | KBC_STATUS_OBF), 0);
}

static void port_92_resets_by_the_rise_of_bit_0(void **state)
{
	(void)state;
	assert_int_equal(inb(PORT92), PORT92_A20);
	assert_false(resets(PORT92, 0));
	assert_true(resets(PORT92, PORT92_RESET));
	assert_false(resets(PORT92, PORT92_RESET | PORT92_A20));
}

static void the_reset_control_register_resets_by_the_rise_of_rcpu(void **state)
{
	(void)state;
	assert_false(resets(RESET_CONTROL, RESET_CONTROL_SRST));
	assert_int_equal(inb(RESET_CONTROL), RESET_CONTROL_SRST);
	assert_true(resets(RESET_CONTROL, RESET_CONTROL_SRST | RESET_CONTROL_RCPU));
	assert_false(resets(RESET_CONTROL, RESET_CONTROL_RCPU));
}

/* 0x80000600: bus 0, device 0, function 6. */
static void an_address_on_the_pci_bus_is_no_reset(void **state)
{
	(void)state;
	out(PCI_ADDRESS, 4, 0x80000600);
	assert_false(m.events.reset);
	assert_int_equal(inb(RESET_CONTROL), 0);
}

/* PIIX3 data sheet, "Real-Time Clock Address Register": bit 7, NMI enable. */
static void bit_7_of_port_70_holds_nmis_back_and_keeps_one(void **state)
{
	(void)state;
	out(RTC_INDEX, 1, RTC_NMI_OFF | RTC_RAM);
	out(LAB_NMI, 1, 1);
	out(LAB_NMI, 1, 1);
	assert_int_equal(m.events.nmis, 0);
	assert_false(machine_nmi_possible(&m));
	out(LAB_DELAY, 4, 10);
	out(LAB_NMI, 1, 1);
	assert_false(machine_nmi_possible(&m));
	out(RTC_DATA, 1, 0x77);
	assert_int_equal(m.events.nmis, 0);
	out(RTC_INDEX, 1, RTC_RAM);
	assert_int_equal(m.events.nmis, 1);
	out(RTC_INDEX, 1, RTC_RAM);
	assert_int_equal(m.events.nmis, 1);
	assert_int_equal(inb(RTC_DATA), 0x77);
}

#define T(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_keyboard_controller_resets_by_a_pulse_of_bit_0),
		T(the_output_port_resets_by_its_bit_0),
		T(the_keyboard_controller_takes_commands_and_has_no_answers),
		T(port_92_resets_by_the_rise_of_bit_0),
		T(the_reset_control_register_resets_by_the_rise_of_rcpu),
		T(an_address_on_the_pci_bus_is_no_reset),
		T(bit_7_of_port_70_holds_nmis_back_and_keeps_one),
	};

	return cmocka_run_group_tests_name("rst", tests, NULL, NULL);
}
