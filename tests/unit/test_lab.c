/* SPDX-License-Identifier: BSD-2-Clause
 * What guest_abi.h promises of the lab device.
 * Knows nothing of the controllers behind its lines. */
#include "dev/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bits.h"

#define NOW NSEC_PER_SEC
#define US NSEC_PER_USEC

static struct lab ready(void)
{
	struct lab l;

	lab_reset(&l);
	return l;
}

static void assert_effect(struct lab_effect e, uint32_t fall, uint32_t rise)
{
	assert_int_equal(e.fall, fall);
	assert_int_equal(e.rise, rise);
	assert_int_equal(e.request, LAB_REQ_NONE);
}

static void assert_nothing_due(struct lab *l, uint64_t now)
{
	struct lab_effect e;

	assert_false(lab_due(l, now, &e));
}

static struct lab_effect due(struct lab *l, uint64_t now)
{
	struct lab_effect e = { 0 };

	assert_true(lab_due(l, now, &e));
	return e;
}

/* "a read of LAB_MAGIC_PORT tells whether the device is there" */
static void magic_tells_that_the_device_is_there(void **state)
{
	struct lab l = ready();
	(void)state;

	assert_int_equal(lab_read(&l, LAB_MAGIC_PORT, 4), LAB_MAGIC);
	assert_int_equal(lab_read(&l, LAB_UP, 4), UINT32_MAX);
}

/* "All ports take the width named here" */
static void another_width_reads_all_ones_and_is_dropped(void **state)
{
	static const struct {
		uint16_t port;
		unsigned size;
	} ports[] = {
		{ LAB_UP, 2 }, { LAB_DOWN, 2 }, { LAB_PULSE, 2 }, { LAB_IOAPIC_UP, 2 }, { LAB_IOAPIC_DOWN, 2 },
		{ LAB_NMI, 1 }, { LAB_DROP_BEFORE_INTA, 2 }, { LAB_DELAY, 4 }, { LAB_UNMAP, 4 },
		{ LAB_COUNTER_SELECT, 1 }, { LAB_NOP, 1 }, { LAB_SCENARIO, 4 }, { LAB_AT_INTA, 4 },
	};
	struct lab l = ready(), untouched = ready();
	(void)state;

	assert_int_equal(lab_read(&l, LAB_MAGIC_PORT, 2), UINT32_MAX);
	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		for (unsigned size = 1; size <= 4; size *= 2) {
			if (size != ports[i].size)
				assert_effect(lab_write(&l, ports[i].port, size, 17, NOW), 0, 0);
		}
	}
	assert_memory_equal(&l, &untouched, sizeof(l));
	assert_effect(lab_write(&l, LAB_MAGIC_PORT, 4, 17, NOW), 0, 0);
	assert_effect(lab_write(&l, LAB_COUNTER, 4, 17, NOW), 0, 0);
	assert_memory_equal(&l, &untouched, sizeof(l));
}

static void up_and_down_move_the_lines_of_a_mask(void **state)
{
	struct lab l = ready();
	(void)state;

	assert_effect(lab_write(&l, LAB_UP, 2, BIT(3) | BIT(15), NOW), 0, BIT(3) | BIT(15));
	assert_int_equal(l.lines, BIT(3) | BIT(15));
	assert_effect(lab_write(&l, LAB_DOWN, 2, BIT(3), NOW), BIT(3), 0);
	assert_int_equal(l.lines, BIT(15));
}

/* "low, then high: a new edge each; they stay high" */
static void a_pulse_falls_first_and_stays_high(void **state)
{
	struct lab l = ready();
	(void)state;

	assert_effect(lab_write(&l, LAB_PULSE, 2, BIT(4), NOW), BIT(4), BIT(4));
	assert_int_equal(l.lines, BIT(4));
}

/* "I/O APIC pin 16..23 to drive high (these have no 8259 input)" */
static void only_the_pins_above_the_isa_lines_are_named_by_number(void **state)
{
	struct lab l = ready();
	(void)state;

	assert_effect(lab_write(&l, LAB_IOAPIC_UP, 2, 16, NOW), 0, BIT(16));
	assert_effect(lab_write(&l, LAB_IOAPIC_UP, 2, 23, NOW), 0, BIT(23));
	assert_effect(lab_write(&l, LAB_IOAPIC_UP, 2, 15, NOW), 0, 0);
	assert_effect(lab_write(&l, LAB_IOAPIC_UP, 2, 24, NOW), 0, 0);
	assert_effect(lab_write(&l, LAB_IOAPIC_UP, 2, 0xffff, NOW), 0, 0);
	assert_effect(lab_write(&l, LAB_IOAPIC_DOWN, 2, 16, NOW), BIT(16), 0);
	assert_int_equal(l.lines, BIT(23));
}

/* "the next command written to UP, DOWN, PULSE, NMI happens this many microseconds later, not now" */
static void a_delay_holds_the_next_command_back_and_only_that(void **state)
{
	struct lab l = ready();
	(void)state;

	lab_write(&l, LAB_DELAY, 4, 100, NOW);
	assert_effect(lab_write(&l, LAB_UP, 2, BIT(3), NOW + US), 0, 0);
	assert_int_equal(l.lines, 0);
	assert_effect(lab_write(&l, LAB_UP, 2, BIT(4), NOW + US), 0, BIT(4));
	assert_int_equal(lab_deadline(&l), NOW + 101 * US);
	assert_nothing_due(&l, NOW + 101 * US - 1);
	assert_effect(due(&l, NOW + 101 * US), 0, BIT(3));
	assert_int_equal(l.lines, BIT(3) | BIT(4));
	assert_nothing_due(&l, TIME_NEVER - 1);
	assert_int_equal(lab_deadline(&l), TIME_NEVER);
}

static void each_command_can_be_delayed(void **state)
{
	struct lab l = ready();
	(void)state;

	lab_write(&l, LAB_DELAY, 4, 1, NOW);
	assert_effect(lab_write(&l, LAB_DOWN, 2, BIT(1), NOW), 0, 0);
	lab_write(&l, LAB_DELAY, 4, 1, NOW);
	assert_effect(lab_write(&l, LAB_PULSE, 2, BIT(2), NOW), 0, 0);
	lab_write(&l, LAB_DELAY, 4, 1, NOW);
	assert_false(lab_nmi_waits(&l));
	assert_int_equal(lab_write(&l, LAB_NMI, 1, 1, NOW).request, LAB_REQ_NONE);
	assert_true(lab_nmi_waits(&l));
	assert_effect(due(&l, NOW + US), BIT(1), 0);
	assert_effect(due(&l, NOW + US), BIT(2), BIT(2));
	assert_int_equal(due(&l, NOW + US).request, LAB_REQ_NMI);
	assert_false(lab_nmi_waits(&l));
}

static void waiting_commands_come_in_the_order_of_their_times(void **state)
{
	struct lab l = ready();
	(void)state;

	for (uint32_t i = 0; i < 4; i++) {
		static const uint32_t delays[] = { 30, 10, 20, 10 };

		lab_write(&l, LAB_DELAY, 4, delays[i], NOW);
		lab_write(&l, LAB_UP, 2, BIT(i), NOW);
	}
	assert_int_equal(lab_deadline(&l), NOW + 10 * US);
	assert_effect(due(&l, NOW + 30 * US), 0, BIT(1));
	assert_effect(due(&l, NOW + 30 * US), 0, BIT(3));
	assert_effect(due(&l, NOW + 30 * US), 0, BIT(2));
	assert_effect(due(&l, NOW + 30 * US), 0, BIT(0));
}

static void with_the_queue_full_a_command_happens_at_once(void **state)
{
	struct lab l = ready();
	(void)state;

	for (unsigned i = 0; i < LAB_QUEUE; i++) {
		lab_write(&l, LAB_DELAY, 4, 1, NOW);
		assert_effect(lab_write(&l, LAB_UP, 2, BIT(1), NOW), 0, 0);
	}
	lab_write(&l, LAB_DELAY, 4, 1, NOW);
	assert_effect(lab_write(&l, LAB_UP, 2, BIT(2), NOW), 0, BIT(2));
	for (unsigned i = 0; i < LAB_QUEUE; i++)
		assert_effect(due(&l, NOW + US), 0, BIT(1));
	assert_nothing_due(&l, TIME_NEVER - 1);
}

/* "for the next raise commands, raise on the n-th INTA from now on instead of at once ... 0: at once again" */
static void raises_wait_for_their_inta_cycle(void **state)
{
	struct lab l = ready();
	(void)state;

	lab_write(&l, LAB_AT_INTA, 4, 2, NOW);
	assert_effect(lab_write(&l, LAB_UP, 2, BIT(3), NOW), 0, 0);
	assert_effect(lab_write(&l, LAB_PULSE, 2, BIT(4), NOW), 0, 0);
	assert_effect(lab_write(&l, LAB_DOWN, 2, BIT(5), NOW), BIT(5), 0);
	lab_write(&l, LAB_AT_INTA, 4, 0, NOW);
	assert_effect(lab_write(&l, LAB_UP, 2, BIT(6), NOW), 0, BIT(6));
	assert_int_equal(lab_deadline(&l), TIME_NEVER);
	lab_after_inta(&l);
	assert_nothing_due(&l, NOW);
	lab_after_inta(&l);
	assert_effect(due(&l, NOW), 0, BIT(3));
	assert_effect(due(&l, NOW), BIT(4), BIT(4));
	assert_nothing_due(&l, NOW);
}

/* "mask of lines that fall between the user half's look at INTR and its INTA cycle, at the next INTA" */
static void dropped_lines_fall_at_the_next_inta_and_only_there(void **state)
{
	struct lab l = ready();
	(void)state;

	lab_write(&l, LAB_UP, 2, BIT(3) | BIT(4), NOW);
	lab_write(&l, LAB_DROP_BEFORE_INTA, 2, BIT(3), NOW);
	assert_int_equal(l.lines, BIT(3) | BIT(4));
	assert_effect(lab_before_inta(&l), BIT(3), 0);
	assert_int_equal(l.lines, BIT(4));
	assert_effect(lab_before_inta(&l), 0, 0);
}

static void the_counter_reads_in_two_halves(void **state)
{
	struct lab l = ready();
	(void)state;

	l.counter = 0x1122334455667788;
	assert_int_equal(lab_read(&l, LAB_COUNTER, 4), 0x55667788);
	assert_int_equal(lab_read(&l, LAB_COUNTER + 4, 4), 0x11223344);
}

static void requests_go_to_the_owner_with_their_argument(void **state)
{
	struct lab l = ready();
	struct lab_effect e;
	(void)state;

	e = lab_write(&l, LAB_UNMAP, 4, 0x12345, NOW);
	assert_int_equal(e.request, LAB_REQ_UNMAP);
	assert_int_equal(e.arg, 0x12345);
	e = lab_write(&l, LAB_COUNTER_SELECT, 1, LAB_NMIS, NOW);
	assert_int_equal(e.request, LAB_REQ_COUNTER);
	assert_int_equal(e.arg, LAB_NMIS);
	e = lab_write(&l, LAB_SCENARIO, 4, 0x8000, NOW);
	assert_int_equal(e.request, LAB_REQ_SCENARIO);
	assert_int_equal(e.arg, 0x8000);
	e = lab_write(&l, LAB_NMI, 1, 1, NOW);
	assert_int_equal(e.request, LAB_REQ_NMI);
	assert_effect(lab_write(&l, LAB_NOP, 1, 1, NOW), 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(magic_tells_that_the_device_is_there),
		cmocka_unit_test(another_width_reads_all_ones_and_is_dropped),
		cmocka_unit_test(up_and_down_move_the_lines_of_a_mask),
		cmocka_unit_test(a_pulse_falls_first_and_stays_high),
		cmocka_unit_test(only_the_pins_above_the_isa_lines_are_named_by_number),
		cmocka_unit_test(a_delay_holds_the_next_command_back_and_only_that),
		cmocka_unit_test(each_command_can_be_delayed),
		cmocka_unit_test(waiting_commands_come_in_the_order_of_their_times),
		cmocka_unit_test(with_the_queue_full_a_command_happens_at_once),
		cmocka_unit_test(raises_wait_for_their_inta_cycle),
		cmocka_unit_test(dropped_lines_fall_at_the_next_inta_and_only_there),
		cmocka_unit_test(the_counter_reads_in_two_halves),
		cmocka_unit_test(requests_go_to_the_owner_with_their_argument),
	};

	return cmocka_run_group_tests_name("lab", tests, NULL, NULL);
}
