/* SPDX-License-Identifier: BSD-2-Clause
 * Exits served, ends told, lines put together.
 * Knows nothing of real vCPUs. */
#include "unit/vmm_fixture.h"

#include "vmm/ktap.h"

static void an_in_gets_its_value(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	in(&f, 4, LAB_MAGIC_PORT);
	drive(&f);
	assert_int_equal(f.in_data, LAB_MAGIC);
}

/* guest_abi.h: "The values are a snapshot taken at the select". */
static void counters_are_a_snapshot(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	f.stats.exits = 0x1122334455667788;
	out(&f, 1, LAB_COUNTER_SELECT, LAB_EXITS, false);
	in(&f, 4, LAB_COUNTER + 4);
	drive(&f);
	assert_int_equal(f.in_data, 0x11223344);

	start(&f, IRQCHIP_SPLIT);
	f.stats.delivery_faults = 9;
	out(&f, 1, LAB_COUNTER_SELECT, LAB_DELIVERY_FAULTS, false);
	in(&f, 4, LAB_COUNTER);
	drive(&f);
	assert_int_equal(f.in_data, 9);

	start(&f, IRQCHIP_SPLIT);
	raise_line(&f, 3, true);
	out(&f, 1, LAB_COUNTER_SELECT, LAB_INTAS, false);
	out(&f, 2, LAB_DOWN, BIT(3), false);
	out(&f, 1, PIC_MASTER_CMD, OCW2_EOI, false);
	raise_line(&f, 3, true);
	in(&f, 4, LAB_COUNTER);
	drive(&f);
	assert_int_equal(f.in_data, 1);
	assert_int_equal(f.vmm.intas, 2);

	start(&f, IRQCHIP_SPLIT);
	out(&f, 1, LAB_COUNTER_SELECT, LAB_COUNTERS, false);
	in(&f, 4, LAB_COUNTER);
	drive(&f);
	assert_int_equal(f.in_data, UINT32_MAX);
}

static void unmap_names_one_page_of_ram(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	out(&f, 4, LAB_UNMAP, 3, false);
	out(&f, 4, LAB_UNMAP, RAM_SIZE / PAGE_SIZE, false);
	out(&f, 4, LAB_UNMAP, UINT32_MAX, false);
	drive(&f);
	assert_log(&f, "run|unmap 3000 1000|run|run|run|");
}

static void the_exit_port_ends_the_guest(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	out(&f, 4, EXIT_PORT, 0x2a, true);
	drive(&f);
	assert_ended(&f, RUN_END_EXIT);
	assert_int_equal(f.vmm.end.exit_status, 0x2a);
	assert_message(&f, "exit status 42");
	assert_log(&f, "run|");
	assert_int_equal(vmm_step(&f.vmm), VMM_ENDED);
	assert_int_equal(f.runs, 1);
}

static void each_end_says_what_happened(void **state)
{
	static const struct {
		enum vcpu_exit_reason reason;
		uint32_t data;
		enum run_end end;
		const char *message;
	} ends[] = {
		{ VCPU_EXIT_SHUTDOWN, 0, RUN_END_SHUTDOWN, "triple fault at rip=0x1000" },
		{ VCPU_EXIT_LIVELOCK, 0x60, RUN_END_LIVELOCK,
		  "window_exits=10000 rip=0x1234 lapic_vector=0x60 rvi=0x60 stash=-1 guest_instructions=0" },
		{ VCPU_EXIT_LIVELOCK, UINT32_MAX, RUN_END_LIVELOCK,
		  "window_exits=10000 rip=0x1234 lapic_vector=none rvi=none stash=-1 guest_instructions=0" },
		{ VCPU_EXIT_FAIL_ENTRY, 0, RUN_END_FAIL_ENTRY,
		  "the CPU refused the entry, reason=0x80000021, rip=0x1000 halted=0 IF=0" },
		{ VCPU_EXIT_INTERNAL_ERROR, VCPU_ERROR_EMULATION, RUN_END_CRASH,
		  "an instruction that is not emulated (0f ae 05) accesses gpa=0xabc, rip=0x1000 halted=0 IF=0" },
		{ VCPU_EXIT_INTERNAL_ERROR, VCPU_ERROR_FETCH, RUN_END_CRASH,
		  "instruction fetch from gpa=0xabc, which is not RAM, rip=0x1000 halted=0 IF=0" },
		{ VCPU_EXIT_INTERNAL_ERROR, VCPU_ERROR_DELIVERY, RUN_END_CRASH,
		  "event delivery needs gpa=0xabc, which is not RAM, rip=0x1000 halted=0 IF=0" },
		{ VCPU_EXIT_INTERNAL_ERROR, VCPU_ERROR_EXIT, RUN_END_CRASH,
		  "exit without a handler, code=0xabc info=0xdef, rip=0x1000 halted=0 IF=0" },
		{ VCPU_EXIT_INTERNAL_ERROR, VCPU_ERROR_CHECK, RUN_END_CRASH,
		  "the hypervisor's own fault, hv/core/x.c:42: CHECK(a < b), rip=0x1000 halted=0 IF=0" },
		{ VCPU_EXIT_UNKNOWN, 0, RUN_END_CRASH,
		  "exit of a kind that the vCPU contract does not name, rip=0x1000 halted=0 IF=0" },
		{ VCPU_EXIT_HLT, 0, RUN_END_CRASH,
		  "HLT came out of the kernel half in split mode, rip=0x1000 halted=0 IF=0" },
	};
	static struct fake f;
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
		start(&f, IRQCHIP_SPLIT);
		add(&f, ends[i].reason, false)->data = ends[i].data;
		drive(&f);
		assert_int_equal(f.runs, 1);
		assert_ended(&f, ends[i].end);
		assert_message(&f, ends[i].message);
	}
}

/* The user half has conditions too, about what the kernel half hands it. */
static void an_exit_of_an_impossible_size_is_our_own_fault(void **state)
{
	static const unsigned sizes[] = { 0, 3, 8 };
	static struct fake f;
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		start(&f, IRQCHIP_SPLIT);
		out(&f, sizes[i], UART_COM1, 'x', false);
		drive(&f);
		assert_int_equal(f.runs, 1);
		assert_ended(&f, RUN_END_CRASH);
		assert_non_null(strstr(f.vmm.end.message, "the hypervisor's own fault, hv/vmm/vmm.c:"));
	}
	start(&f, IRQCHIP_SPLIT);
	mmio_read(&f, IOAPIC_DEFAULT_PHYS, 9);
	drive(&f);
	assert_ended(&f, RUN_END_CRASH);
	assert_non_null(strstr(f.vmm.end.message, "CHECK(run->mmio.len && run->mmio.len <= sizeof(run->mmio.data))"));
}

/* A vector is accepted with IF=1, and goes to the CPU with IF=0: SVM delivers it, VMX refuses the entry. */
static struct fake *refused_entry(enum irqchip_mode mode, bool handed, bool ready_again, bool if_flag)
{
	static struct fake f;

	start(&f, mode);
	set_lvt0(&f, APIC_DM_FIELD(APIC_DM_EXTINT));
	raise_line(&f, 3, handed);
	if (ready_again)
		out(&f, 1, LAB_NOP, 0, true);
	add(&f, VCPU_EXIT_FAIL_ENTRY, false)->if_flag = if_flag;
	drive(&f);
	assert_ended(&f, RUN_END_FAIL_ENTRY);
	return &f;
}

static void an_entry_refused_for_if_0_is_if0(void **state)
{
	const struct fake *f = refused_entry(IRQCHIP_USER, true, false, false);

	(void)state;
	assert_log(f, "run|intr 23|run|");
	assert_message(f, "if0: vector 0x23 handed over with IF=0, and the CPU refused the entry (reason=0x80000021)");
	assert_true(f->vmm.end.if0);
	assert_string_equal(f->vmm.end.message + f->vmm.end.detail,
			    "vector 0x23 handed over with IF=0, and the CPU refused the entry (reason=0x80000021)");
}

static void any_other_entry_refused_is_not_if0(void **state)
{
	static const struct {
		enum irqchip_mode mode;
		bool handed, ready_again, if_flag;
	} table[] = {
		{ IRQCHIP_SPLIT, true, false, false }, /* the stash asks for IF itself */
		{ IRQCHIP_USER, false, false, false },
		{ IRQCHIP_USER, true, true, false },   /* it has been delivered */
		{ IRQCHIP_USER, true, false, true },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		const struct fake *f = refused_entry(table[i].mode, table[i].handed, table[i].ready_again, table[i].if_flag);

		assert_false(f->vmm.end.if0);
		assert_memory_equal(f->vmm.end.message, "the CPU refused the entry, reason=0x80000021, rip=", 50);
	}
}

static void if0_inside_a_scenario_is_the_scenarios_verdict(void **state)
{
	static struct fake f;
	char buf[256];

	(void)state;
	start(&f, IRQCHIP_USER);
	set_lvt0(&f, APIC_DM_FIELD(APIC_DM_EXTINT));
	place_scenario(&f, "user.x", 0);
	raise_line(&f, 3, true);
	add(&f, VCPU_EXIT_FAIL_ENTRY, false);
	drive(&f);
	ktap_verdict_line(buf, sizeof(buf), &f.vmm.scenario, &f.vmm.end);
	assert_string_equal(buf, "not ok 12 user.x # if0: vector 0x23 handed over with IF=0, and the CPU refused the entry "
				 "(reason=0x80000021)");
}

/* ---- lines ---- */

static void assert_line(struct fake *f, const char *text)
{
	assert_int_equal(vmm_step(&f->vmm), VMM_LINE);
	assert_string_equal(f->vmm.line, text);
}

static void lines_come_one_by_one_without_cr_and_lf(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	print(&f, "ok 1 a\r\n\nx\n");
	assert_line(&f, "ok 1 a");
	assert_line(&f, "");
	assert_line(&f, "x");
	assert_int_equal(vmm_step(&f.vmm), VMM_ENDED);
}

static void an_unfinished_line_comes_before_the_end(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	print(&f, "a\nrest");
	out(&f, 1, EXIT_PORT, 0, false);
	assert_line(&f, "a");
	assert_false(f.vmm.line_cut);
	assert_line(&f, "rest");
	assert_true(f.vmm.line_cut);
	assert_int_equal(vmm_step(&f.vmm), VMM_ENDED);
	assert_int_equal(vmm_step(&f.vmm), VMM_ENDED);
}

static void put_text(struct fake *f, char c, unsigned n)
{
	while (n--)
		uart_write(&f->vmm.machine.uart, UART_THR, (uint8_t)c);
}

static void a_long_line_comes_in_pieces(void **state)
{
	static struct fake f;
	char full[VMM_LINE_MAX + 1];
	(void)state;

	memset(full, 'y', VMM_LINE_MAX);
	full[VMM_LINE_MAX] = '\0';

	start(&f, IRQCHIP_SPLIT);
	put_text(&f, 'y', VMM_LINE_MAX + 3);
	put_text(&f, '\n', 1);
	assert_line(&f, full);
	assert_line(&f, "yyy");

	/* The LF behind a line of exactly that length makes no second, empty one. */
	start(&f, IRQCHIP_SPLIT);
	put_text(&f, 'y', VMM_LINE_MAX);
	put_text(&f, '\r', 1);
	put_text(&f, '\n', 1);
	put_text(&f, 'z', 1);
	put_text(&f, '\n', 2);
	assert_line(&f, full);
	assert_line(&f, "z");
	assert_line(&f, "");
	assert_int_equal(vmm_step(&f.vmm), VMM_ENDED);
}

static void a_nul_does_not_cut_the_line(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	put_text(&f, 'a', 1);
	put_text(&f, '\0', 1);
	put_text(&f, 'b', 1);
	put_text(&f, '\n', 1);
	assert_line(&f, "a?b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_in_gets_its_value),
		cmocka_unit_test(counters_are_a_snapshot),
		cmocka_unit_test(unmap_names_one_page_of_ram),
		cmocka_unit_test(the_exit_port_ends_the_guest),
		cmocka_unit_test(each_end_says_what_happened),
		cmocka_unit_test(an_exit_of_an_impossible_size_is_our_own_fault),
		cmocka_unit_test(an_entry_refused_for_if_0_is_if0),
		cmocka_unit_test(any_other_entry_refused_is_not_if0),
		cmocka_unit_test(if0_inside_a_scenario_is_the_scenarios_verdict),
		cmocka_unit_test(lines_come_one_by_one_without_cr_and_lf),
		cmocka_unit_test(an_unfinished_line_comes_before_the_end),
		cmocka_unit_test(a_long_line_comes_in_pieces),
		cmocka_unit_test(a_nul_does_not_cut_the_line),
	};

	return cmocka_run_group_tests_name("vmm_exits", tests, NULL, NULL);
}
