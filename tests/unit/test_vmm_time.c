/* SPDX-License-Identifier: BSD-2-Clause
 * Deadlines, halts that end and halts that do not.
 * Knows nothing of real vCPUs. */
#include "unit/vmm_fixture.h"

/* ---- halted ---- */

static void a_halted_vcpu_waits_for_its_interrupt_in_user_mode(void **state)
{
	static struct fake f;
	uint64_t t0;
	(void)state;

	start(&f, IRQCHIP_USER);
	t0 = f.now;
	out(&f, 4, LAB_DELAY, 700, false);
	raise_line(&f, 3, false);
	add(&f, VCPU_EXIT_HLT, true);
	drive(&f);
	assert_log(&f, "run|run|run|wait|intr 23|run|");
	assert_int_equal(f.now, t0 + 700 * US);
}

static void an_nmi_wakes_a_halted_vcpu_with_if_clear(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_USER);
	out(&f, 4, LAB_DELAY, 700, false);
	out(&f, 1, LAB_NMI, 1, false);
	add(&f, VCPU_EXIT_HLT, false);
	drive(&f);
	assert_log(&f, "run|run|run|wait|nmi|run|");

	/* "blocked until the next IRET": it stays halted, and nothing else can come. */
	start(&f, IRQCHIP_USER);
	f.dump.nmi_masked = true;
	out(&f, 4, LAB_DELAY, 700, false);
	out(&f, 1, LAB_NMI, 1, false);
	add(&f, VCPU_EXIT_HLT, false);
	drive(&f);
	assert_log(&f, "run|run|run|wait|nmi|");
	assert_ended(&f, RUN_END_HUNG);
}

static void a_dead_halt_is_found_at_once_in_user_mode(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_USER);
	raise_line(&f, 3, false);
	add(&f, VCPU_EXIT_HLT, false);
	drive(&f);
	assert_ended(&f, RUN_END_HUNG);
	assert_log(&f, "run|run W|");
	assert_message(&f, "halted, and nothing is left that could wake it, rip=0x1000 halted=1 IF=0");

	/* IF=1, but nothing in the machine will ever do anything. */
	start(&f, IRQCHIP_USER);
	add(&f, VCPU_EXIT_HLT, true);
	drive(&f);
	assert_ended(&f, RUN_END_HUNG);

	/* IF=0, and the timer that still runs can only interrupt. */
	start(&f, IRQCHIP_USER);
	out(&f, 1, PIT_CMD, 0x34, false);
	out(&f, 1, PIT_CH0, 0, false);
	out(&f, 1, PIT_CH0, 0, false);
	add(&f, VCPU_EXIT_HLT, false);
	drive(&f);
	assert_ended(&f, RUN_END_HUNG);
}

static void a_dead_halt_inside_the_kernel_half_is_found_by_the_poll(void **state)
{
	static struct fake f;
	uint64_t t0;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	t0 = f.now;
	f.dump.halted = true;
	add(&f, VCPU_EXIT_INTR, false)->until_deadline = true;
	drive(&f);
	assert_ended(&f, RUN_END_HUNG);
	assert_int_equal(f.now, t0 + VMM_HANG_POLL);

	/* An NMI waits. */
	start(&f, IRQCHIP_SPLIT);
	f.dump.halted = true;
	out(&f, 4, LAB_DELAY, 5000, false);
	out(&f, 1, LAB_NMI, 1, false);
	add(&f, VCPU_EXIT_INTR, false);
	drive(&f);
	assert_ended(&f, RUN_END_SHUTDOWN);

	/* IF=1: the kernel half's timer may run. */
	start(&f, IRQCHIP_SPLIT);
	f.dump.halted = true;
	add(&f, VCPU_EXIT_INTR, true);
	drive(&f);
	assert_ended(&f, RUN_END_SHUTDOWN);

	/* Not halted: it spins. */
	start(&f, IRQCHIP_SPLIT);
	add(&f, VCPU_EXIT_INTR, false);
	drive(&f);
	assert_ended(&f, RUN_END_SHUTDOWN);
}

/* ---- time ---- */

static void a_delayed_command_bounds_the_run_and_comes_in_time(void **state)
{
	static struct fake f;
	uint64_t t0;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	t0 = f.now;
	out(&f, 4, LAB_DELAY, 100, false);
	raise_line(&f, 3, false);
	add(&f, VCPU_EXIT_INTR, true)->until_deadline = true;
	drive(&f);
	assert_log(&f, "run|run|run|intr 23|run|");
	assert_int_equal(f.deadlines[2], t0 + 100 * US);
	assert_int_equal(f.deadlines[3], t0 + 100 * US + VMM_HANG_POLL);
}

static void the_pit_bounds_the_run(void **state)
{
	static struct fake f;
	uint64_t t0;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	t0 = f.now;
	out(&f, 1, PIT_CMD, 0x30, false);
	out(&f, 1, PIT_CH0, 1193 & 0xff, false);
	out(&f, 1, PIT_CH0, 1193 >> 8, false);
	add(&f, VCPU_EXIT_INTR, true)->until_deadline = true;
	drive(&f);
	assert_in_range(f.deadlines[3], t0 + MS - 2 * US, t0 + MS + 2 * US);
	assert_log(&f, "run|run|run|run|intr 20|run|");
}

/* "every scenario has a deadline; a hang is a verdict, never a hang of the run" */
static void a_scenario_deadline_holds_while_the_guest_floods_a_port(void **state)
{
	static struct fake f;
	uint64_t t0;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	t0 = f.now;
	place_scenario(&f, "windows.x", 50);
	out(&f, 1, LAB_NOP, 0, true)->takes = 3 * US;
	f.endless = true;
	drive(&f);
	assert_ended(&f, RUN_END_DEADLINE);
	assert_in_range(f.now, t0 + 50 * MS, t0 + 50 * MS + 3 * US);
	assert_message(&f, "scenario 12 windows.x: deadline of 50 ms passed, rip=0x1000 halted=0 IF=0");
	assert_string_equal(f.vmm.end.message + f.vmm.end.detail, "deadline of 50 ms passed, rip=0x1000 halted=0 IF=0");
	assert_true(f.vmm.in_scenario);
	assert_string_equal(f.vmm.scenario.expect, "hung");
}

static void the_scenario_deadline_bounds_the_run_and_ends_with_it(void **state)
{
	static struct fake f;
	uint64_t t0;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	t0 = f.now;
	place_scenario(&f, "a", 50);
	out(&f, 4, LAB_SCENARIO, 0, false);
	out(&f, 1, LAB_NOP, 0, false)->takes = 100 * MS;
	drive(&f);
	assert_int_equal(f.deadlines[1], t0 + 50 * MS);
	assert_int_equal(f.deadlines[2], t0 + VMM_HANG_POLL);
	assert_ended(&f, RUN_END_SHUTDOWN);
	assert_false(f.vmm.in_scenario);
	assert_message(&f, "triple fault at rip=0x1000");
}

static void the_deadline_of_the_run_holds(void **state)
{
	static struct fake f;
	(void)state;

	start_until(&f, IRQCHIP_SPLIT, 5 * NSEC_PER_SEC);
	out(&f, 1, LAB_NOP, 0, true)->takes = 7 * US;
	f.endless = true;
	drive(&f);
	assert_ended(&f, RUN_END_DEADLINE);
	assert_in_range(f.now, 5 * NSEC_PER_SEC, 5 * NSEC_PER_SEC + 7 * US);
	assert_message(&f, "deadline of the run passed, rip=0x1000 halted=0 IF=0");

	start_until(&f, IRQCHIP_USER, 5 * NSEC_PER_SEC);
	out(&f, 4, LAB_DELAY, 60000000, false);
	raise_line(&f, 3, false);
	add(&f, VCPU_EXIT_HLT, true);
	drive(&f);
	assert_ended(&f, RUN_END_DEADLINE);
	assert_int_equal(f.now, 5 * NSEC_PER_SEC);
	assert_message(&f, "deadline of the run passed, rip=0x1000 halted=1 IF=0");
}

static void a_scenario_outside_memory_is_none(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	out(&f, 4, LAB_SCENARIO, RAM_SIZE - sizeof(struct lab_scenario) + 1, false);
	drive(&f);
	assert_false(f.vmm.in_scenario);

	start(&f, IRQCHIP_SPLIT);
	out(&f, 4, LAB_SCENARIO, UINT32_MAX, false);
	drive(&f);
	assert_false(f.vmm.in_scenario);

	start(&f, IRQCHIP_SPLIT);
	out(&f, 4, LAB_SCENARIO, RAM_SIZE - sizeof(struct lab_scenario), false);
	drive(&f);
	assert_true(f.vmm.in_scenario);
}

static void texts_of_a_scenario_are_made_printable(void **state)
{
	static struct fake f;
	struct lab_scenario s;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	memset(&s, 'x', sizeof(s));
	s.index = 3;
	s.name[0] = '\033';
	s.name[1] = '#';
	memcpy(f.ram + SCENARIO_AT, &s, sizeof(s));
	out(&f, 4, LAB_SCENARIO, SCENARIO_AT, false);
	drive(&f);
	assert_int_equal(strlen(f.vmm.scenario.name), sizeof(s.name) - 1);
	assert_int_equal(strlen(f.vmm.scenario.expect), sizeof(s.expect) - 1);
	assert_memory_equal(f.vmm.scenario.name, "??xx", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_halted_vcpu_waits_for_its_interrupt_in_user_mode),
		cmocka_unit_test(an_nmi_wakes_a_halted_vcpu_with_if_clear),
		cmocka_unit_test(a_dead_halt_is_found_at_once_in_user_mode),
		cmocka_unit_test(a_dead_halt_inside_the_kernel_half_is_found_by_the_poll),
		cmocka_unit_test(a_delayed_command_bounds_the_run_and_comes_in_time),
		cmocka_unit_test(the_pit_bounds_the_run),
		cmocka_unit_test(a_scenario_deadline_holds_while_the_guest_floods_a_port),
		cmocka_unit_test(the_scenario_deadline_bounds_the_run_and_ends_with_it),
		cmocka_unit_test(the_deadline_of_the_run_holds),
		cmocka_unit_test(a_scenario_outside_memory_is_none),
		cmocka_unit_test(texts_of_a_scenario_are_made_printable),
	};

	return cmocka_run_group_tests_name("vmm_time", tests, NULL, NULL);
}
