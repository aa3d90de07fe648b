/* SPDX-License-Identifier: BSD-2-Clause
 * How the lines are made that say why a CPU refused an entry.
 * Knows nothing of the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bits.h"
#include "x86/entry_check.h"
#include "x86.h"

static const struct entry_field two[] = { { "RIP", 16 }, { "CR0", 0 }, { NULL, 0 } };

static void a_line_names_the_rule_and_its_fields(void **state)
{
	struct entry_check c = { .lines = 0 };

	(void)state;
	entry_check_broken(&c, "guest state", "a rule", two);
	assert_string_equal(c.line[0], "invalid guest state: a rule (RIP=0x10 CR0=0)");
	assert_true(c.lines == 1 && c.broken == 1 && !c.dropped);
	entry_check_conclude(&c);
	assert_int_equal(c.lines, 1);
}

static void nothing_broken_is_said_too(void **state)
{
	struct entry_check c = { .lines = 0 };

	(void)state;
	entry_check_say(&c, "error %u", 7);
	entry_check_conclude(&c);
	assert_int_equal(c.lines, 2);
	assert_string_equal(c.line[0], "error 7");
	assert_string_equal(c.line[1], "no rule that is checked here is broken");
}

static void the_last_line_is_the_conclusion(void **state)
{
	struct entry_check c = { .lines = 0 };

	(void)state;
	for (unsigned i = 0; i < ENTRY_CHECK_LINES + 2; i++)
		entry_check_broken(&c, "control", "a rule", two);
	assert_int_equal(c.lines, ENTRY_CHECK_LINES - 1);
	entry_check_conclude(&c);
	assert_int_equal(c.lines, ENTRY_CHECK_LINES);
	assert_string_equal(c.line[ENTRY_CHECK_LINES - 1], "and 3 more");
	/* Full: nothing is written. */
	entry_check_say(&c, "one line too many");
	assert_int_equal(c.lines, ENTRY_CHECK_LINES);
}

static void a_long_line_is_cut(void **state)
{
	char rule[2 * ENTRY_CHECK_LINE_SIZE];
	const size_t frame = strlen("invalid control:  (RIP=0x10 CR0=0)");
	struct entry_check c;

	(void)state;
	/* Cut in the rule, in a field, at the bracket, and just not. */
	for (size_t n = ENTRY_CHECK_LINE_SIZE - frame - 1; n < sizeof(rule); n++) {
		memset(rule, 'r', n);
		rule[n] = '\0';
		memset(&c, 'x', sizeof(c));
		c.lines = c.broken = c.dropped = 0;
		entry_check_broken(&c, "control", rule, two);
		assert_int_equal(strlen(c.line[0]), ENTRY_CHECK_LINE_SIZE - 1);
		assert_int_equal(c.line[1][0], 'x');
	}
}

/* SDM v3, "Checks on Guest Control Registers, Debug Registers, and MSRs": "each of the 8 bytes in the field must have one of
 * the values 0 (UC), 1 (WC), 4 (WT), 5 (WP), 6 (WB), or 7 (UC-)." */
static void pat_holds_six_types(void **state)
{
	const unsigned valid = BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7), last = 56;

	(void)state;
	assert_true(entry_check_pat(PAT_RESET));
	for (unsigned type = 0; type <= UINT8_MAX; type++) {
		bool good = type < 8 && (valid & BIT(type));

		assert_int_equal(entry_check_pat(type), good);
		assert_int_equal(entry_check_pat((uint64_t)type << last), good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_names_the_rule_and_its_fields),
		cmocka_unit_test(nothing_broken_is_said_too),
		cmocka_unit_test(the_last_line_is_the_conclusion),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(pat_holds_six_types),
	};

	return cmocka_run_group_tests_name("entry_check", tests, NULL, NULL);
}
