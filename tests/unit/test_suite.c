/* SPDX-License-Identifier: BSD-2-Clause
 * Proves what becomes of a run of guests: verdicts, fresh guests, totals, status.
 * Knows nothing of real vCPUs and of who reads the report. */
#include "unit/vmm_fixture.h"

#include "boot/suite.h"

#define MEMORY 0x200000u
#define HEADER_MAGIC 0x1badb002u
#define ADDRESSES_GIVEN BIT(16)
#define LOAD_AT 0x100000u
#define REPORT_MAX 8192

static struct fake f;
static struct suite s;
static struct config config;
static struct suite_input input;
static struct report report;
static uint8_t ram[MEMORY];
static char said[REPORT_MAX];
/* A multiboot image that gives its addresses in the header, and nothing else. */
static const uint32_t image[] = { HEADER_MAGIC, ADDRESSES_GIVEN, 0u - HEADER_MAGIC - ADDRESSES_GIVEN, LOAD_AT, LOAD_AT, 0, 0,
				  LOAD_AT };

static void say(const char *format, va_list ap)
{
	size_t n = strlen(said);

	vsnprintf(said + n, sizeof(said) - n, format, ap);
}

void report_printf(struct report *r, const char *format, ...)
{
	va_list ap;

	(void)r;
	va_start(ap, format);
	say(format, ap);
	va_end(ap);
}

void report_error(struct report *r, const char *format, ...)
{
	va_list ap;

	(void)r;
	va_start(ap, format);
	say(format, ap);
	va_end(ap);
}

static void begin(bool built_in)
{
	memset(&f, 0, sizeof(f));
	memset(ram, 0, sizeof(ram));
	said[0] = '\0';
	f.now = NSEC_PER_SEC;
	f.dump.rip = 0x1000;
	config_init(&config);
	config.timeout = 60;
	input = (struct suite_input){ .config = &config,
				   .guest = (const uint8_t *)image,
				   .guest_size = sizeof(image),
				   .guest_built_in = built_in,
				   .ram = ram,
				   .ram_size = MEMORY };
	suite_init(&s, &input, &report, f.now);
}

/* The guest of the script so far. */
static void run(void)
{
	struct vmm_config vcpu = { .api = &fake_api, .h = &f, .run = &f.run };

	suite_run(&s, &vcpu);
	suite_verdict(&s);
	f.count = f.at = 0;
}

/* The memory is the guest's own: what it announces lies there already. */
static void announce(uint32_t index, uint32_t ms)
{
	struct lab_scenario scenario = { .index = index, .deadline_ms = ms };
	uint32_t at = SCENARIO_AT + index * (uint32_t)sizeof(scenario);

	snprintf(scenario.name, sizeof(scenario.name), "group.s%u", index);
	memcpy(ram + at, &scenario, sizeof(scenario));
	out(&f, 4, LAB_SCENARIO, at, false);
}

static void end_scenario(const char *line)
{
	out(&f, 4, LAB_SCENARIO, 0, false);
	print(&f, line);
}

static void leave_by_itself(uint8_t status)
{
	out(&f, 1, EXIT_PORT, status, false);
}

static bool memory_holds(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i + n <= MEMORY; i++)
		if (!memcmp(ram + i, text, n))
			return true;
	return false;
}

#define assert_said(text) assert_non_null(strstr(said, text))
#define assert_not_said(text) assert_null(strstr(said, text))

static void lines_are_relayed_and_counted(void **state)
{
	(void)state;
	begin(true);
	print(&f, "1..2\nok 1 a\n");
	print(&f, "ok 2 b # SKIP no\n");
	leave_by_itself(0);
	run();
	assert_false(suite_next(&s));
	assert_int_equal(suite_conclude(&s), EMULATOR_OK);
	assert_said("1..2\nok 1 a\nok 2 b # SKIP no\n");
	assert_said("# intack: guest exit status 0\n# Totals: pass:1 fail:0 xfail:0 skip:1 error:0\n");
}

static void a_failure_is_the_status_whatever_the_guest_says(void **state)
{
	(void)state;
	begin(true);
	print(&f, "1..1\nnot ok 1 a # fail\n");
	leave_by_itself(0);
	run();
	assert_false(suite_next(&s));
	assert_int_equal(suite_conclude(&s), EMULATOR_FAILURES);
}

static void a_missing_result_is_an_error(void **state)
{
	(void)state;
	begin(true);
	print(&f, "1..2\nok 1 a\n");
	leave_by_itself(0);
	run();
	assert_int_equal(suite_conclude(&s), EMULATOR_FAILURES);
	assert_said("error:1\n");
}

static void a_hung_scenario_gets_its_verdict_and_the_suite_goes_on_behind_it(void **state)
{
	(void)state;
	begin(true);
	print(&f, "1..3\n");
	announce(2, 50);
	out(&f, 1, LAB_NOP, 0, false)->takes = 100 * MS;
	run();
	assert_said("# intack: scenario 2 group.s2: deadline of 50 ms passed");
	assert_said("# intack: dump rip=0x1000");
	assert_said("not ok 2 group.s2 # hung: deadline of 50 ms passed");
	assert_true(suite_next(&s));
	assert_int_equal(s.first, 3);
}

static void the_next_guest_is_told_where_to_begin(void **state)
{
	struct mb_entry entry;
	(void)state;

	begin(true);
	assert_int_equal(suite_load(&s, &entry), 0);
	assert_int_equal(entry.eip, LOAD_AT);
	assert_false(memory_holds("first="));
	s.first = 3;
	assert_int_equal(suite_load(&s, &entry), 0);
	assert_true(memory_holds(" first=3"));
}

/* Another guest's words are its own. */
static void another_guest_gets_its_own_command_line(void **state)
{
	struct mb_entry entry;
	(void)state;

	begin(false);
	memcpy(config.cmdline, "its own", sizeof("its own"));
	assert_int_equal(suite_load(&s, &entry), 0);
	assert_true(memory_holds("its own"));
	assert_false(memory_holds("rule="));
}

static void behind_the_last_scenario_there_is_nothing(void **state)
{
	(void)state;
	begin(true);
	print(&f, "1..2\n");
	announce(2, 0);
	run();
	assert_said("not ok 2 group.s2 # crash: triple fault");
	assert_false(suite_next(&s));
}

static void a_scenario_that_hangs_again_is_not_begun_again(void **state)
{
	(void)state;
	begin(true);
	s.first = 3;
	print(&f, "1..4\n");
	announce(2, 0);
	run();
	assert_false(suite_next(&s));
}

/* The guest that failed is not asked to go on: what it left behind would be the next scenario's. */
static void a_fresh_guest_follows_a_failure_where_it_is_wanted(void **state)
{
	(void)state;
	begin(true);
	input.fresh_after_failure = true;
	f.stats.user_exits = 5;
	print(&f, "1..3\n");
	announce(1, 50);
	end_scenario("not ok 1 a # x\n");
	print(&f, "ok 2 b\n");
	run();
	assert_said("not ok 1 a # x\n");
	assert_not_said("ok 2 b");
	assert_not_said("dump");
	assert_true(suite_next(&s));
	assert_int_equal(s.first, 2);
	announce(3, 50);
	end_scenario("not ok 3 c # x\n");
	leave_by_itself(1);
	run();
	assert_false(suite_next(&s));
	assert_int_equal(suite_conclude(&s), EMULATOR_FAILURES);
	assert_said("user_exits=10 ");
	assert_said("fail:2 ");
	assert_said("# intack: guest exit status 1\n");
}

static void an_expected_failure_is_followed_by_a_fresh_guest_too(void **state)
{
	(void)state;
	begin(true);
	input.fresh_after_failure = true;
	print(&f, "1..2\n");
	announce(1, 50);
	end_scenario("ok 1 a # XFAIL late: x\n");
	print(&f, "ok 2 b\n");
	run();
	assert_not_said("ok 2 b");
	assert_true(suite_next(&s));
	assert_int_equal(s.first, 2);
}

static void elsewhere_the_guest_that_failed_goes_on(void **state)
{
	(void)state;
	begin(true);
	print(&f, "1..2\n");
	announce(1, 50);
	end_scenario("not ok 1 a # x\n");
	print(&f, "ok 2 b\n");
	leave_by_itself(1);
	run();
	assert_said("not ok 1 a # x\nok 2 b\n");
	assert_false(suite_next(&s));
}

static void a_foreign_guest_is_never_started_again(void **state)
{
	(void)state;
	begin(false);
	input.fresh_after_failure = true;
	print(&f, "1..2\n");
	announce(1, 0);
	end_scenario("not ok 1 a\n");
	announce(2, 0);
	run();
	assert_not_said("not ok 2");
	assert_false(suite_next(&s));
	assert_int_equal(suite_conclude(&s), EMULATOR_FAILURES);
}

static void a_foreign_guest_without_results_has_its_exit_status_for_a_verdict(void **state)
{
	(void)state;
	begin(false);
	leave_by_itself(7);
	run();
	assert_int_equal(suite_conclude(&s), EMULATOR_FAILURES);
	assert_said("# intack: guest exit status 7\n");
	assert_not_said("Totals");
	begin(false);
	leave_by_itself(0);
	run();
	assert_int_equal(suite_conclude(&s), EMULATOR_OK);
}

static void the_end_of_the_run_s_time_is_a_status_of_its_own(void **state)
{
	(void)state;
	begin(true);
	print(&f, "1..3\n");
	announce(1, 0);
	out(&f, 1, LAB_NOP, 0, false)->takes = 61 * NSEC_PER_SEC;
	run();
	assert_said("deadline of the run passed");
	assert_false(suite_next(&s));
	assert_int_equal(suite_conclude(&s), EMULATOR_DEADLINE);
}

static void counters_of_all_guests_are_added_up(void **state)
{
	(void)state;
	begin(true);
	f.stats = (struct vcpu_stats){ .user_exits = 5, .delivery_faults = 2 };
	print(&f, "1..2\n");
	announce(1, 0);
	run();
	assert_true(suite_next(&s));
	leave_by_itself(0);
	run();
	suite_conclude(&s);
	assert_said("user_exits=10 ");
	assert_said("delivery_faults=4 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_relayed_and_counted),
		cmocka_unit_test(a_failure_is_the_status_whatever_the_guest_says),
		cmocka_unit_test(a_missing_result_is_an_error),
		cmocka_unit_test(a_hung_scenario_gets_its_verdict_and_the_suite_goes_on_behind_it),
		cmocka_unit_test(the_next_guest_is_told_where_to_begin),
		cmocka_unit_test(another_guest_gets_its_own_command_line),
		cmocka_unit_test(behind_the_last_scenario_there_is_nothing),
		cmocka_unit_test(a_scenario_that_hangs_again_is_not_begun_again),
		cmocka_unit_test(a_fresh_guest_follows_a_failure_where_it_is_wanted),
		cmocka_unit_test(an_expected_failure_is_followed_by_a_fresh_guest_too),
		cmocka_unit_test(elsewhere_the_guest_that_failed_goes_on),
		cmocka_unit_test(a_foreign_guest_is_never_started_again),
		cmocka_unit_test(a_foreign_guest_without_results_has_its_exit_status_for_a_verdict),
		cmocka_unit_test(the_end_of_the_run_s_time_is_a_status_of_its_own),
		cmocka_unit_test(counters_of_all_guests_are_added_up),
	};

	return cmocka_run_group_tests_name("suite", tests, NULL, NULL);
}
