/* SPDX-License-Identifier: BSD-2-Clause
 * Proves how a trace reads.
 * Knows nothing of where the records come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/trace_text.h"

static void assert_text(const struct trace_rec *rec, const char *text)
{
	char buf[TRACE_TEXT_MAX];

	assert_int_equal(trace_text(buf, rec), strlen(text));
	assert_string_equal(buf, text);
}

static void a_record_is_number_time_name_and_values(void **state)
{
	const struct trace_rec rec = { .time = 12 * NSEC_PER_SEC + 34, .event = TRACE_dm_stash, .seq = 7, .a = 0x25,
				       .b = (uint64_t)-2ll };
	(void)state;

	assert_text(&rec, "7 12.000000034 dm_stash: vector=0x25 result=-2\n");
}

static void an_event_of_another_version_is_still_a_line(void **state)
{
	const struct trace_rec rec = { .event = TRACE_MAX };
	char text[64];
	(void)state;

	snprintf(text, sizeof(text), "0 0.000000000 event %u\n", TRACE_MAX);
	assert_text(&rec, text);
}

static void every_event_fits_with_its_largest_values(void **state)
{
	char buf[TRACE_TEXT_MAX];
	(void)state;

	for (uint32_t e = 0; e < TRACE_MAX; e++) {
		const struct trace_rec rec = { UINT64_MAX, e, UINT32_MAX, UINT64_MAX, UINT64_MAX };

		assert_in_range(trace_text(buf, &rec), 1, TRACE_TEXT_MAX - 1);
		assert_int_equal(buf[strlen(buf) - 1], '\n');
	}
}

static void a_full_ring_begins_with_the_oldest_that_is_left(void **state)
{
	struct trace_rec ring[4];
	struct trace t = { .ring = ring, .size = 4 };
	(void)state;

	assert_int_equal(trace_oldest(&t), 0);
	for (uint64_t i = 0; i < 4; i++)
		trace_add(&t, TRACE_kvm_eoi, i, 0);
	assert_int_equal(trace_oldest(&t), 0);
	trace_add(&t, TRACE_kvm_eoi, 4, 0);
	assert_int_equal(trace_oldest(&t), 1);
	assert_int_equal(ring[trace_oldest(&t) & 3].a, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_number_time_name_and_values),
		cmocka_unit_test(an_event_of_another_version_is_still_a_line),
		cmocka_unit_test(every_event_fits_with_its_largest_values),
		cmocka_unit_test(a_full_ring_begins_with_the_oldest_that_is_left),
	};

	return cmocka_run_group_tests_name("trace_text", tests, NULL, NULL);
}
