/* SPDX-License-Identifier: BSD-2-Clause
 * Proves what becomes of a series of guests: which ends are theirs and which are ours, whose turn it is, numbers, totals.
 * Knows nothing of real vCPUs and of who reads the report. */
#include "unit/vmm_fixture.h"

#include "boot/suite.h"

#define MEMORY 0x200000u
#define HEADER_MAGIC 0x1badb002u
#define ADDRESSES_GIVEN BIT(16)
#define LOAD_AT 0x100000u
#define GOOD_AT 0x110000u
#define IMAGE(at) { HEADER_MAGIC, ADDRESSES_GIVEN, 0u - HEADER_MAGIC - ADDRESSES_GIVEN, at, at, 0, 0, at }
#define REPORT_MAX 65536

static struct fake f;
static struct suite s;
static struct config config;
static struct suite_input input;
static struct report report;
static uint8_t ram[MEMORY];
static char said[REPORT_MAX];
static const uint32_t image[] = IMAGE(LOAD_AT), good_image[] = IMAGE(GOOD_AT);

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
	(void)r;
	fail_msg("an error: %s", format);
}

static void begin(uint32_t first, uint32_t last)
{
	memset(&f, 0, sizeof(f));
	said[0] = '\0';
	f.now = NSEC_PER_SEC;
	f.dump.rip = 0x1000;
	config_init(&config);
	config.timeout = 60;
	config.first = first;
	config.repeat = last;
	config.seed = 7;
	memcpy(config.cmdline, "avoid=x", sizeof("avoid=x"));
	input = (struct suite_input){ .config = &config,
				   .guest = (const uint8_t *)image,
				   .guest_size = sizeof(image),
				   .good = (const uint8_t *)good_image,
				   .good_size = sizeof(good_image),
				   .ram = ram,
				   .ram_size = MEMORY };
	suite_init(&s, &input, &report, f.now);
}

/* The guest of the script so far, loaded as run.c would. Returns where it begins. */
static uint32_t run(void)
{
	struct vmm_config vcpu = { .api = &fake_api, .h = &f, .run = &f.run };
	struct mb_entry entry;

	memset(ram, 0, sizeof(ram));
	assert_int_equal(suite_load(&s, &entry), 0);
	suite_run(&s, &vcpu);
	suite_verdict(&s);
	f.count = f.at = 0;
	return entry.eip;
}

static void run_good(void)
{
	print(&f, "1..1\nok 1 a\n");
	out(&f, 1, EXIT_PORT, 0, false);
	assert_int_equal(run(), GOOD_AT);
}

static bool memory_holds(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i + n <= MEMORY; i++)
		if (!memcmp(ram + i, text, n))
			return true;
	return false;
}

static struct step *crash(enum vcpu_suberror suberror)
{
	struct step *step = out(&f, 1, LAB_NOP, suberror, false);

	step->reason = VCPU_EXIT_INTERNAL_ERROR;
	return step;
}

#define assert_said(text) assert_non_null(strstr(said, text))
#define assert_not_said(text) assert_null(strstr(said, text))

static void each_guest_is_told_which_it_is(void **state)
{
	(void)state;
	begin(4, 5);
	assert_int_equal(run(), LOAD_AT);
	assert_true(memory_holds("avoid=x seed=7 i=4"));
	assert_true(suite_next(&s));
	assert_int_equal(run(), LOAD_AT);
	assert_true(memory_holds("avoid=x seed=7 i=5"));
}

static void the_good_guest_comes_last(void **state)
{
	(void)state;
	begin(0, 2);
	assert_said("1..3\n");
	run();
	assert_true(suite_next(&s));
	run();
	assert_true(suite_next(&s));
	run_good();
	assert_true(memory_holds("only=windows.raise-if1"));
	assert_false(suite_next(&s));
	assert_int_equal(suite_conclude(&s), EMULATOR_OK);
	assert_said("ok 3 good.windows.raise-if1 # exit: exit status 0");
	assert_said("# Totals: pass:3 fail:0 xfail:0 skip:0 error:0\n");
}

static void the_good_guest_follows_each_hundred(void **state)
{
	(void)state;
	begin(0, 201);
	assert_said("1..204\n");
	for (unsigned i = 1; i <= 204; i++) {
		if (i == 101 || i == 202 || i == 204)
			run_good();
		else
			assert_int_equal(run(), LOAD_AT);
		assert_int_equal(suite_next(&s), i < 204);
	}
	assert_int_equal(suite_conclude(&s), EMULATOR_OK);
	assert_said("\nok 101 good.");
	assert_said("\nok 102 guest.7.101 ");
	assert_said("\nok 203 guest.7.201 ");
	assert_said("\nok 204 good.");
}

static void a_good_guest_that_does_not_pass_is_a_failure(void **state)
{
	(void)state;
	begin(0, 1);
	run();
	assert_true(suite_next(&s));
	print(&f, "1..1\nnot ok 1 a\n");
	out(&f, 1, EXIT_PORT, 0, false);
	run();
	assert_said("not ok 2 good.");
	assert_int_equal(suite_conclude(&s), EMULATOR_FAILURES);
}

static void a_good_guest_that_says_nothing_is_a_failure(void **state)
{
	(void)state;
	begin(0, 1);
	run();
	assert_true(suite_next(&s));
	out(&f, 1, EXIT_PORT, 0, false);
	run();
	assert_said("not ok 2 good.");
}

/* What the guest prints counts for nothing, but the first line is its title. */
static void a_guest_speaks_for_nobody(void **state)
{
	(void)state;
	begin(0, 1);
	print(&f, "long64 \x01# cr\nnot ok 1 x\n1..5\n# Totals: pass:9\n");
	run();
	assert_said("\nok 1 guest.7.1 long64 ?? cr # shutdown: triple fault at rip=0x1000 ms=0\n");
	assert_not_said("not ok");
	assert_not_said("pass:9");
}

static void these_ends_are_the_guest_s_own(void **state)
{
	(void)state;
	begin(0, 10);
	out(&f, 1, EXIT_PORT, 5, false);
	run();
	assert_said("\nok 1 guest.7.1  # exit: exit status 5");
	suite_next(&s);
	out(&f, 1, LAB_NOP, 0, false)->takes = 200 * MS;
	run();
	assert_said("\nok 2 guest.7.2  # hung: deadline of the run passed");
	for (unsigned error = VCPU_ERROR_EMULATION; error <= VCPU_ERROR_DELIVERY; error++) {
		suite_next(&s);
		crash((enum vcpu_suberror)error);
		run();
	}
	assert_said("\nok 5 guest.7.5  # crash: event delivery needs gpa=0xabc");
	assert_not_said("not ok");
	assert_not_said("dump");
}

static void these_are_ours(void **state)
{
	(void)state;
	begin(0, 10);
	crash(VCPU_ERROR_EXIT);
	run();
	assert_said("\nnot ok 1 guest.7.1  # crash: exit without a handler");
	assert_said("# intack: dump rip=0x1000");
	suite_next(&s);
	crash((enum vcpu_suberror)99);
	run();
	assert_said("\nnot ok 2 ");
	suite_next(&s);
	crash(VCPU_ERROR_EXIT)->reason = VCPU_EXIT_FAIL_ENTRY;
	run();
	assert_said("\nnot ok 3 guest.7.3  # refused: ");
	suite_next(&s);
	crash(VCPU_ERROR_EXIT)->reason = VCPU_EXIT_LIVELOCK;
	run();
	assert_said("\nnot ok 4 guest.7.4  # livelock: ");
	suite_next(&s);
	/* The user half's own word, behind an internal error that was not this guest's. */
	f.run.internal.suberror = VCPU_ERROR_EMULATION;
	crash(VCPU_ERROR_EXIT)->reason = VCPU_EXIT_UNKNOWN;
	run();
	assert_said("\nnot ok 5 ");
	assert_int_equal(suite_conclude(&s), EMULATOR_FAILURES);
	assert_said("fail:5 ");
}

static void a_guest_has_as_long_as_the_words_say(void **state)
{
	(void)state;
	begin(0, 2);
	config.each = 50;
	out(&f, 1, LAB_NOP, 0, false)->takes = 40 * MS;
	out(&f, 1, EXIT_PORT, 0, false);
	run();
	assert_said("ok 1 guest.7.1  # exit: exit status 0 ms=40\n");
	suite_next(&s);
	out(&f, 1, LAB_NOP, 0, false)->takes = 60 * MS;
	out(&f, 1, EXIT_PORT, 0, false);
	run();
	assert_said("ok 2 guest.7.2  # hung: ");
}

static void when_the_run_s_time_is_over_nobody_follows(void **state)
{
	(void)state;
	begin(0, 2);
	out(&f, 1, LAB_NOP, 0, false)->takes = 61 * NSEC_PER_SEC;
	run();
	assert_false(suite_next(&s));
	assert_int_equal(suite_conclude(&s), EMULATOR_DEADLINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_guest_is_told_which_it_is),
		cmocka_unit_test(the_good_guest_comes_last),
		cmocka_unit_test(the_good_guest_follows_each_hundred),
		cmocka_unit_test(a_good_guest_that_does_not_pass_is_a_failure),
		cmocka_unit_test(a_good_guest_that_says_nothing_is_a_failure),
		cmocka_unit_test(a_guest_speaks_for_nobody),
		cmocka_unit_test(these_ends_are_the_guest_s_own),
		cmocka_unit_test(these_are_ours),
		cmocka_unit_test(a_guest_has_as_long_as_the_words_say),
		cmocka_unit_test(when_the_run_s_time_is_over_nobody_follows),
	};

	return cmocka_run_group_tests_name("series", tests, NULL, NULL);
}
