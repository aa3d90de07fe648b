/* SPDX-License-Identifier: BSD-2-Clause
 * Proves that the formatter says what the C library's says, for the subset that it knows.
 * Knows nothing of how it is built. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/fmt.h"

#define ROOM 128

#define ASSERT_LIKE_LIBC(...)                                      \
	do {                                                       \
		char ours[ROOM], theirs[ROOM];                     \
		size_t len = fmt(ours, sizeof(ours), __VA_ARGS__); \
		int n = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		assert_string_equal(ours, theirs);                 \
		assert_int_equal(len, n);                          \
	} while (0)

/* C11, "The fprintf function": "d: The int argument is converted to signed decimal in the style [-]dddd." */
static void signed_decimal(void **state)
{
	(void)state;
	ASSERT_LIKE_LIBC("%d %d %d", 0, -1, 42);
	ASSERT_LIKE_LIBC("%d %d", INT_MIN, INT_MAX);
	ASSERT_LIKE_LIBC("%ld %lld", LONG_MIN, LLONG_MIN);
	ASSERT_LIKE_LIBC("[%5d] [%-5d] [%05d]", -42, -42, -42);
}

/* "o,u,x,X: The unsigned int argument is converted to [...] unsigned decimal (u), or unsigned hexadecimal notation" */
static void unsigned_and_hexadecimal(void **state)
{
	(void)state;
	ASSERT_LIKE_LIBC("%u %x", 0u, 0u);
	ASSERT_LIKE_LIBC("%u %lu %llu", UINT_MAX, ULONG_MAX, ULLONG_MAX);
	ASSERT_LIKE_LIBC("%x %lx %llx %zx", 0xabcu, ULONG_MAX, 0x123456789abcdefull, (size_t)7);
	ASSERT_LIKE_LIBC("[%8x] [%-8x] [%08x] [%2x]", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu);
}

/* "l: Specifies that a following d [...] conversion specifier applies to a long int": without it the upper half of
 * the register is not part of the argument. */
static void only_wide_sizes_take_64_bits(void **state)
{
	/* As the ABI passes an int: nothing says what is in the upper half. */
	size_t (*unchecked)(char *, size_t, const char *, ...) = fmt;
	char buf[ROOM];

	(void)state;
	unchecked(buf, sizeof(buf), "%u %x %d", 0xffffffff00000001ull, 0xffffffff00000002ull, 0x7fffffff80000003ll);
	assert_string_equal(buf, "1 2 -2147483645");
}

/* "0: [...] If the 0 and - flags both appear, the 0 flag is ignored." */
static void left_wins_over_zeros(void **state)
{
	size_t (*unchecked)(char *, size_t, const char *, ...) = fmt;
	char buf[ROOM];

	(void)state;
	unchecked(buf, sizeof(buf), "[%-05d] [%0-5x]", 42, 0xabu);
	assert_string_equal(buf, "[42   ] [ab   ]");
}

/* "#: [...] For x (or X) conversion, a nonzero result has 0x (or 0X) prefixed to it." */
static void alternate_form(void **state)
{
	(void)state;
	ASSERT_LIKE_LIBC("%#x %#llx %#x", 0x20u, 0xfee00000ull, 0u);
	ASSERT_LIKE_LIBC("[%#10x] [%-#10x] [%#010x]", 0x20u, 0x20u, 0x20u);
}

/* "s: [...] If the precision is specified, no more than that many bytes are written." */
static void strings(void **state)
{
	(void)state;
	ASSERT_LIKE_LIBC("%s|%s", "", "livelock");
	ASSERT_LIKE_LIBC("[%10s] [%-10s] [%3s]", "late", "late", "late");
	ASSERT_LIKE_LIBC("[%.2s] [%.*s] [%-6.2s]", "starved", 3, "starved", "starved");
	ASSERT_LIKE_LIBC("%c%c|%3c|%-3c|%%", 'o', 'k', 'x', 'y');
}

static void precision_keeps_off_what_follows(void **state)
{
	const char raw[2] = { 'a', 'b' };

	(void)state;
	ASSERT_LIKE_LIBC("%.2s", raw);
}

static void pointers_are_hexadecimal(void **state)
{
	(void)state;
	ASSERT_LIKE_LIBC("%p", (void *)(uintptr_t)0xfee00380);
}

static void null_string_has_a_name(void **state)
{
	char buf[ROOM];
	const char *volatile none = NULL;

	(void)state;
	fmt(buf, sizeof(buf), "%s", none);
	assert_string_equal(buf, "(null)");
}

/* "The snprintf function returns the number of characters that would have been written had n been sufficiently large" */
static void short_buffer_is_cut_and_terminated(void **state)
{
	char buf[8];

	(void)state;
	memset(buf, '#', sizeof(buf));
	assert_int_equal(fmt(buf, 5, "%s=%u", "window_exits", 3u), 14);
	assert_memory_equal(buf, "wind\0###", 8);
	assert_int_equal(fmt(buf, 4, "abc"), 3);
	assert_memory_equal(buf, "abc\0", 4);
	assert_int_equal(fmt(buf, 1, "abc"), 3);
	assert_int_equal(buf[0], 0);
}

/* "If n is zero, nothing is written, and s may be a null pointer." */
static void no_buffer_is_only_measured(void **state)
{
	(void)state;
	assert_int_equal(fmt(NULL, 0, "%08llx", 1ull), 8);
}

static void unknown_directive_is_copied(void **state)
{
	char buf[ROOM];
	const char *const formats[] = { "%q-", "100%", "%08k|" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
		fmt(buf, sizeof(buf), formats[i]);
#pragma GCC diagnostic pop
		assert_string_equal(buf, formats[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signed_decimal),
		cmocka_unit_test(unsigned_and_hexadecimal),
		cmocka_unit_test(only_wide_sizes_take_64_bits),
		cmocka_unit_test(left_wins_over_zeros),
		cmocka_unit_test(alternate_form),
		cmocka_unit_test(strings),
		cmocka_unit_test(precision_keeps_off_what_follows),
		cmocka_unit_test(pointers_are_hexadecimal),
		cmocka_unit_test(null_string_has_a_name),
		cmocka_unit_test(short_buffer_is_cut_and_terminated),
		cmocka_unit_test(no_buffer_is_only_measured),
		cmocka_unit_test(unknown_directive_is_copied),
	};

	return cmocka_run_group_tests_name("fmt", tests, NULL, NULL);
}
