/* SPDX-License-Identifier: BSD-2-Clause
 * Results counted from lines, and lines made for scenarios that could not print theirs.
 * Knows nothing of guests. */
#include "vmm/ktap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *totals(const char *const *lines)
{
	static char buf[128];
	struct ktap k = { 0 };

	for (; *lines; lines++)
		ktap_line(&k, *lines);
	ktap_totals(&k, buf, sizeof(buf));
	return buf;
}

#define assert_totals(text, ...) assert_string_equal(totals((const char *const[]){ __VA_ARGS__, NULL }), "# Totals: " text)

static void each_kind_of_result_has_its_count(void **state)
{
	(void)state;
	assert_totals("pass:2 fail:2 xfail:1 skip:1 error:1", "KTAP version 1", "1..7", "ok 1 a", "ok 2 b # window_exits=3",
		      "not ok 3 c", "ok 4 d # XFAIL starved: 64 windows", "ok 5 e # SKIP no lab device",
		      "not ok 6 f # ERROR broken", "not ok 7 g # XPASS");
}

/* "an unexpected pass of an expected failure is `not ok ... # XPASS`" */
static void a_directive_decides_before_ok_does(void **state)
{
	(void)state;
	assert_totals("pass:0 fail:1 xfail:0 skip:0 error:0", "ok 1 a # XPASS");
	assert_totals("pass:0 fail:1 xfail:0 skip:0 error:0", "not ok 1 a # XFAIL starved: no");
	assert_totals("pass:0 fail:0 xfail:0 skip:1 error:0", "not ok 1 a # SKIP");
	assert_totals("pass:0 fail:0 xfail:0 skip:0 error:1", "ok 1 a # ERROR: x");
}

static void only_the_first_word_behind_the_hash_is_a_directive(void **state)
{
	(void)state;
	assert_totals("pass:3 fail:2 xfail:0 skip:0 error:0", "ok 1 SKIP", "ok 2 a # n=1 SKIP", "ok 3 a# SKIP",
		      "not ok 4 a # SKIPPED", "not ok 5 a # hung: # SKIP");
	assert_totals("pass:0 fail:0 xfail:0 skip:1 error:0", "ok 1 a #SKIP");
}

static void results_that_the_plan_announced_and_that_are_missing_are_errors(void **state)
{
	(void)state;
	assert_totals("pass:1 fail:0 xfail:0 skip:0 error:4", "1..5", "ok 2 b");
	assert_totals("pass:1 fail:0 xfail:0 skip:0 error:1", "1..2", "ok 1 a");
	assert_totals("pass:0 fail:0 xfail:0 skip:0 error:2", "1..2");
}

/* After a hang the guest is started again and announces its plan again. */
static void a_plan_can_be_repeated_and_can_come_last(void **state)
{
	(void)state;
	assert_totals("pass:2 fail:0 xfail:0 skip:0 error:1", "1..3", "ok 1 a", "1..3", "ok 3 c");
	assert_totals("pass:1 fail:0 xfail:0 skip:0 error:1", "ok 1 a", "1..2");
	assert_totals("pass:1 fail:0 xfail:0 skip:0 error:2", "1..3", "ok 1 a", "1..1");
}

static void a_result_twice_or_out_of_plan_is_an_error(void **state)
{
	(void)state;
	assert_totals("pass:2 fail:0 xfail:0 skip:0 error:2", "1..2", "ok 1 a", "ok 1 a");
	assert_totals("pass:2 fail:0 xfail:0 skip:0 error:1", "1..1", "ok 1 a", "ok 2 b");
	assert_totals("pass:0 fail:0 xfail:0 skip:0 error:3", "ok 0 a", "ok 4097 a", "ok 4294967295 a");
	assert_totals("pass:2 fail:0 xfail:0 skip:0 error:0", "ok 1 a", "ok 4096 a");
}

static void other_lines_are_not_ktap(void **state)
{
	(void)state;
	assert_totals("pass:0 fail:0 xfail:0 skip:0 error:0", "", "ok", "ok then", "not ok", "not ok maybe", "okay 1",
		      "    ok 1 a nested", "# ok 1 a", "ok 99999999999999999999 a", "ok 4294967296 a", "1..", "1..x", "ok 1x a",
		      "1..2x", "1..99999999999");
	assert_totals("pass:0 fail:0 xfail:0 skip:0 error:1", "Bail out! no memory");
}

/* ---- verdicts ---- */

static const char *verdict(enum run_end why, const char *expect)
{
	static char buf[256];
	struct lab_scenario s = { .index = 12, .name = "rule.storm" };
	struct vmm_end end = { .end = why, .detail = 12, .message = "scenario x: it happened" };

	strcpy(s.expect, expect);
	ktap_verdict_line(buf, sizeof(buf), &s, &end);
	return buf;
}

static void an_end_gives_its_verdict(void **state)
{
	(void)state;
	assert_string_equal(verdict(RUN_END_HUNG, ""), "not ok 12 rule.storm # hung: it happened");
	assert_string_equal(verdict(RUN_END_DEADLINE, ""), "not ok 12 rule.storm # hung: it happened");
	assert_string_equal(verdict(RUN_END_LIVELOCK, "starved"), "not ok 12 rule.storm # livelock: it happened");
	assert_string_equal(verdict(RUN_END_SHUTDOWN, ""), "not ok 12 rule.storm # crash: it happened");
	assert_string_equal(verdict(RUN_END_CRASH, ""), "not ok 12 rule.storm # crash: it happened");
	assert_string_equal(verdict(RUN_END_RESET, ""), "not ok 12 rule.storm # reset: it happened");
	assert_string_equal(verdict(RUN_END_FAIL_ENTRY, ""), "not ok 12 rule.storm # crash: it happened");
}

/* VMX refuses an external interrupt with IF=0, SVM delivers it: one word for both. */
static void an_interrupt_refused_for_if_0_is_if0(void **state)
{
	struct lab_scenario s = { .index = 7, .name = "user.x", .expect = "if0" };
	struct vmm_end end = { .end = RUN_END_FAIL_ENTRY, .if0 = true, .message = "m" };
	char buf[64];
	(void)state;

	ktap_verdict_line(buf, sizeof(buf), &s, &end);
	assert_string_equal(buf, "ok 7 user.x # XFAIL if0: m");
	strcpy(s.expect, "crash");
	ktap_verdict_line(buf, sizeof(buf), &s, &end);
	assert_string_equal(buf, "not ok 7 user.x # if0: m");
}

static void the_expected_verdict_is_an_expected_failure(void **state)
{
	(void)state;
	assert_string_equal(verdict(RUN_END_LIVELOCK, "livelock"), "ok 12 rule.storm # XFAIL livelock: it happened");
	assert_string_equal(verdict(RUN_END_HUNG, "hung"), "ok 12 rule.storm # XFAIL hung: it happened");
	assert_string_equal(verdict(RUN_END_CRASH, "crash"), "ok 12 rule.storm # XFAIL crash: it happened");
	assert_string_equal(verdict(RUN_END_CRASH, "crashed"), "not ok 12 rule.storm # crash: it happened");
	assert_string_equal(verdict(RUN_END_CRASH, "cras"), "not ok 12 rule.storm # crash: it happened");
}

/* "ERROR (the test is broken) is not FAIL (the subject is broken)": a test must not leave in the middle. */
static void an_exit_inside_a_scenario_is_an_error(void **state)
{
	(void)state;
	assert_string_equal(verdict(RUN_END_EXIT, ""), "not ok 12 rule.storm # ERROR: it happened");
	assert_string_equal(verdict(RUN_END_EXIT, "ERROR"), "not ok 12 rule.storm # ERROR: it happened");
	assert_totals("pass:0 fail:0 xfail:0 skip:0 error:1", verdict(RUN_END_EXIT, ""));
}

static void texts_of_the_guest_cannot_forge_a_result(void **state)
{
	struct lab_scenario s = { .index = 1 };
	struct vmm_end end = { .end = RUN_END_HUNG, .message = "m" };
	char buf[256];
	(void)state;

	memset(s.name, 'n', sizeof(s.name));
	memset(s.expect, 'e', sizeof(s.expect));
	memcpy(s.name, "a # SKIP\n\177\377", 11);
	ktap_verdict_line(buf, sizeof(buf), &s, &end);
	assert_memory_equal(buf, "not ok 1 a ? SKIP???nnnn", 24);
	assert_string_equal(strchr(buf, '#'), "# hung: m");
	assert_int_equal(strlen(buf), strlen("not ok 1  # hung: m") + sizeof(s.name) - 1);
}

static void a_short_buffer_is_terminated(void **state)
{
	struct lab_scenario s = { .index = 1, .name = "abcdef" };
	struct vmm_end end = { .end = RUN_END_HUNG, .message = "m" };
	char buf[10];
	(void)state;

	ktap_verdict_line(buf, sizeof(buf), &s, &end);
	assert_string_equal(buf, "not ok 1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_result_has_its_count),
		cmocka_unit_test(a_directive_decides_before_ok_does),
		cmocka_unit_test(only_the_first_word_behind_the_hash_is_a_directive),
		cmocka_unit_test(results_that_the_plan_announced_and_that_are_missing_are_errors),
		cmocka_unit_test(a_plan_can_be_repeated_and_can_come_last),
		cmocka_unit_test(a_result_twice_or_out_of_plan_is_an_error),
		cmocka_unit_test(other_lines_are_not_ktap),
		cmocka_unit_test(an_end_gives_its_verdict),
		cmocka_unit_test(an_interrupt_refused_for_if_0_is_if0),
		cmocka_unit_test(the_expected_verdict_is_an_expected_failure),
		cmocka_unit_test(an_exit_inside_a_scenario_is_an_error),
		cmocka_unit_test(texts_of_the_guest_cannot_forge_a_result),
		cmocka_unit_test(a_short_buffer_is_terminated),
	};

	return cmocka_run_group_tests_name("ktap", tests, NULL, NULL);
}
