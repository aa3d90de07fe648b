/* SPDX-License-Identifier: BSD-2-Clause
 * Proves what every word of the configuration does, and that each wrong one is named.
 * Knows nothing of files and firmware. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/config.h"
#include "status.h"

struct fixture {
	struct config c;
	char error[CONFIG_ERROR_SIZE];
};

static void start(struct fixture *f)
{
	config_init(&f->c);
	memset(f->error, 0, sizeof(f->error));
}

static int parse(struct fixture *f, enum config_source source, const char *text)
{
	return config_parse(&f->c, source, text, f->error);
}

static void accept(struct fixture *f, enum config_source source, const char *text)
{
	int err = parse(f, source, text);

	if (err)
		fail_msg("%s: refused: %s", text, f->error);
}

/* The text is refused, and the message says this. */
static void refuse(const char *text, const char *message)
{
	struct fixture f;

	start(&f);
	assert_int_equal(parse(&f, CONFIG_FILE, text), E_INVAL);
	if (!strstr(f.error, message))
		fail_msg("%s: the error is not \"%s\" but \"%s\"", text, message, f.error);
}

static void defaults(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE, "");
	accept(&f, CONFIG_LOAD_OPTIONS, " \t\r\n");
	assert_int_equal(f.c.rule, IRQ_RULE_REARM);
	assert_int_equal(f.c.irqchip, IRQCHIP_SPLIT);
	assert_int_equal(f.c.mem, 64);
	assert_int_equal(f.c.timeout, 300);
	assert_int_equal(f.c.vid, CONFIG_VID_NOT_GIVEN);
	assert_false(f.c.trace || f.c.testdev || f.c.poweroff);
	assert_true(!f.c.l0[0] && !f.c.only[0] && !f.c.guest[0] && !f.c.cmdline[0]);
	assert_true(!f.c.modules && !f.c.seed && !f.c.first && !f.c.repeat);
	assert_int_equal(f.c.each, 100);
}

static void every_word_has_its_effect(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE,
	       "rule=stash irqchip=user vid=on l0=bochs-vmx only=storm* guest=\\intack\\memtest.elf cmdline=x "
	       "module=/boot/initrd seed=0xFFFFffffFFFFffff mem=3072 timeout=86400 trace testdev poweroff first=4294967295 "
	       "repeat=1000000 each=60000");
	assert_int_equal(f.c.rule, IRQ_RULE_STASH);
	assert_int_equal(f.c.irqchip, IRQCHIP_USER);
	assert_int_equal(f.c.vid, CONFIG_VID_ON);
	assert_true(f.c.trace && f.c.testdev && f.c.poweroff);
	assert_string_equal(f.c.l0, "bochs-vmx");
	assert_string_equal(f.c.only, "storm*");
	assert_string_equal(f.c.guest, "\\intack\\memtest.elf");
	assert_string_equal(f.c.cmdline, "x");
	assert_int_equal(f.c.modules, 1);
	assert_string_equal(f.c.module[0].path, "/boot/initrd");
	assert_string_equal(f.c.module[0].args, "");
	assert_true(f.c.seed == UINT64_MAX);
	assert_int_equal(f.c.mem, 3072);
	assert_int_equal(f.c.timeout, 86400);
	assert_true(f.c.first == UINT32_MAX);
	assert_int_equal(f.c.repeat, 1000000);
	assert_int_equal(f.c.each, 60000);
}

static void rules_by_name(void **state)
{
	static const char *const words[] = { "rule=legacy", "rule=stash", "rule=boundary", "rule=rearm" };
	struct fixture f;

	(void)state;
	for (int i = 0; i < IRQ_RULES; i++) {
		start(&f);
		accept(&f, CONFIG_LOAD_OPTIONS, words[i]);
		assert_int_equal(f.c.rule, i);
		assert_string_equal(config_rule_name((enum irq_rule)i), words[i] + strlen("rule="));
	}
}

static void load_options_win_over_the_file(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE, "rule=legacy vid=on seed=1 trace");
	accept(&f, CONFIG_LOAD_OPTIONS, "rule=boundary vid=off");
	assert_int_equal(f.c.rule, IRQ_RULE_BOUNDARY);
	assert_int_equal(f.c.vid, CONFIG_VID_OFF);
	assert_true(f.c.seed == 1 && f.c.trace);
}

static void later_word_wins_within_one_source(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE, "mem=8\nmem=16");
	assert_int_equal(f.c.mem, 16);
}

static void comments_are_of_the_file_alone(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE, "#a\n\n#b");
	accept(&f, CONFIG_FILE, "# rule=stash\r\nseed=7 # trace 'unclosed\r\n#\n  mem=5");
	assert_int_equal(f.c.rule, IRQ_RULE_REARM);
	assert_true(f.c.seed == 7 && f.c.mem == 5 && !f.c.trace);
	assert_int_equal(parse(&f, CONFIG_LOAD_OPTIONS, "# rule=stash"), E_INVAL);
	assert_non_null(strstr(f.error, "unknown word #"));
}

static void hash_within_a_word_is_no_comment(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE, "cmdline=a#b only=c#");
	assert_string_equal(f.c.cmdline, "a#b");
	assert_string_equal(f.c.only, "c#");
}

static void quotes_hold_blanks_and_each_other(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE, "cmdline='console=ttyS0 name=\"x y\"  # z' only=\"irq?*\" 'guest=/a b.elf'");
	assert_string_equal(f.c.cmdline, "console=ttyS0 name=\"x y\"  # z");
	assert_string_equal(f.c.only, "irq?*");
	assert_string_equal(f.c.guest, "/a b.elf");
	accept(&f, CONFIG_FILE, "cmdline=''");
	assert_string_equal(f.c.cmdline, "");
	accept(&f, CONFIG_FILE, "cmdline=a' 'b\"'\"c");
	assert_string_equal(f.c.cmdline, "a b'c");
}

static void modules_gather_in_order(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE, "module=/a module='  /b  one two '");
	assert_int_equal(f.c.modules, 2);
	assert_string_equal(f.c.module[0].path, "/a");
	assert_string_equal(f.c.module[1].path, "/b");
	assert_string_equal(f.c.module[1].args, "one two ");
}

static void modules_of_load_options_replace_those_of_the_file(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE, "module='/longer/path args' module=/b");
	accept(&f, CONFIG_LOAD_OPTIONS, "seed=1");
	assert_int_equal(f.c.modules, 2);
	accept(&f, CONFIG_LOAD_OPTIONS, "module=/c");
	assert_int_equal(f.c.modules, 1);
	assert_string_equal(f.c.module[0].path, "/c");
	assert_string_equal(f.c.module[0].args, "");
}

static void image_name_is_skipped_in_load_options(void **state)
{
	static const char *const texts[] = {
		"intack.efi rule=stash", "INTACK.EFI rule=stash",  "FS0:\\intack.efi rule=stash", "intack rule=stash",
		"FS0:\\intack rule=stash", "./Intack rule=stash", "\"FS0:\\a b\\x.efi\" rule=stash",
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		start(&f);
		accept(&f, CONFIG_LOAD_OPTIONS, texts[i]);
		assert_int_equal(f.c.rule, IRQ_RULE_STASH);
	}
}

static void image_name_is_skipped_only_there(void **state)
{
	struct fixture f;

	(void)state;
	refuse("intack.efi rule=stash", "unknown word intack.efi");
	start(&f);
	assert_int_equal(parse(&f, CONFIG_LOAD_OPTIONS, "trace intack.efi"), E_INVAL);
	assert_int_equal(parse(&f, CONFIG_LOAD_OPTIONS, "a.efi b.efi"), E_INVAL);
	assert_int_equal(parse(&f, CONFIG_LOAD_OPTIONS, "attack"), E_INVAL);
	assert_int_equal(parse(&f, CONFIG_LOAD_OPTIONS, "noninintack"), E_INVAL);
}

static void unknown_word_is_named(void **state)
{
	(void)state;
	refuse("rule=stash frobnicate", "unknown word frobnicate");
	refuse("frob=1", "unknown word frob=1");
	refuse("Rule=stash", "unknown word Rule=stash");
	refuse("rul=stash", "unknown word rul=stash");
	refuse("ruler=stash", "unknown word ruler=stash");
	refuse("=stash", "unknown word =stash");
	/* A flag has no value, and a word with a value is no flag. */
	refuse("trace=1", "unknown word trace=1");
	refuse("rule", "unknown word rule");
	refuse("''", "unknown word");
}

static void bad_value_is_named(void **state)
{
	(void)state;
	refuse("rule=fast", "rule=fast: bad value, must be legacy, stash, boundary or rearm");
	refuse("rule=", "rule=: bad value");
	refuse("irqchip=kernel", "irqchip=kernel: bad value, must be split or user");
	refuse("vid=1", "vid=1: bad value, must be on or off");
	refuse("l0='a b'", "l0=a b: bad value");
	refuse("only='a b'", "only=a b: bad value");
	refuse("only=\"a'b\"", "only=a'b: bad value");
	refuse("module=''", "module=: bad value");
	refuse("module='  '", "bad value");
}

static void bad_number_is_named(void **state)
{
	(void)state;
	refuse("seed=", "seed=: bad value");
	refuse("seed=0x", "seed=0x: bad value");
	refuse("seed=12a", "seed=12a: bad value");
	refuse("seed=-1", "seed=-1: bad value");
	refuse("seed=0xg", "seed=0xg: bad value");
	refuse("seed=18446744073709551616", "bad value");
	refuse("seed=0x10000000000000000", "bad value");
	refuse("mem=3", "mem=3: bad value, must be a number from 4 to 3072");
	refuse("mem=3073", "from 4 to 3072");
	refuse("timeout=0", "timeout=0: bad value, must be a number from 1 to 86400");
	refuse("timeout=86401", "timeout=86401");
	refuse("first=0", "first=0");
	refuse("first=4294967296", "first=4294967296");
	refuse("repeat=0", "repeat=0: bad value, must be a number from 1 to 1000000");
	refuse("repeat=1000001", "repeat=1000001");
	refuse("each=0", "each=0: bad value, must be a number from 1 to 60000");
	refuse("each=60001", "each=60001");
}

static void greatest_seed_is_taken(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	accept(&f, CONFIG_FILE, "seed=18446744073709551615");
	assert_true(f.c.seed == UINT64_MAX);
	accept(&f, CONFIG_FILE, "seed=0XaF");
	assert_true(f.c.seed == 0xaf);
}

static void unclosed_quote_is_named(void **state)
{
	(void)state;
	refuse("seed=1 cmdline='a b", "no closing ' in cmdline='a b");
	refuse("cmdline=\"a'", "no closing \" in");
}

/* Builds NAME=vvv... with n characters of value. */
static const char *long_word(const char *name, size_t n)
{
	static char text[CONFIG_TEXT_SIZE];
	int len = snprintf(text, sizeof(text), "%s=", name);

	memset(text + len, 'v', n);
	text[(size_t)len + n] = '\0';
	return text;
}

static void value_may_fill_its_room_and_not_more(void **state)
{
	static const struct {
		const char *name;
		size_t size;
	} words[] = { { "l0", CONFIG_NAME_SIZE },
		      { "only", CONFIG_GLOB_SIZE },
		      { "guest", CONFIG_PATH_SIZE },
		      { "module", CONFIG_PATH_SIZE },
		      { "cmdline", CONFIG_CMDLINE_SIZE } };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		start(&f);
		accept(&f, CONFIG_FILE, long_word(words[i].name, words[i].size - 1));
		refuse(long_word(words[i].name, words[i].size), words[i].name);
		refuse(long_word(words[i].name, words[i].size), "too long");
	}
	refuse(long_word("cmdline", 4 * CONFIG_CMDLINE_SIZE), "cmdline");
}

static void module_arguments_have_a_limit(void **state)
{
	char text[2 * CONFIG_PATH_SIZE];

	(void)state;
	snprintf(text, sizeof(text), "module='/a %0*d'", CONFIG_PATH_SIZE, 0);
	refuse(text, "module: too long");
}

static void nine_modules_are_too_many(void **state)
{
	(void)state;
	refuse("module=/1 module=/2 module=/3 module=/4 module=/5 module=/6 module=/7 module=/8 module=/9",
	       "module=/9: too many modules, at most 8");
}

static void words_before_an_error_hold(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	assert_int_equal(parse(&f, CONFIG_FILE, "poweroff rule=fast trace"), E_INVAL);
	assert_true(f.c.poweroff);
	assert_false(f.c.trace);
}

#define BYTES(s) (const uint8_t *)(s), (sizeof(s) - 1)

static void shell_command_line_is_text(void **state)
{
	static const unsigned short text[] = { 'a', ' ', 'b', 0, 0x4711 };
	char out[CONFIG_TEXT_SIZE];

	(void)state;
	/* What is behind the NUL does not count. */
	assert_int_equal(config_text_from_load_options((const uint8_t *)text, sizeof(text), out), 0);
	assert_string_equal(out, "a b");
	/* A NUL is not asked for. */
	assert_int_equal(config_text_from_load_options((const uint8_t *)text, 2, out), 0);
	assert_string_equal(out, "a");
}

static void no_load_options_are_empty_text(void **state)
{
	char out[CONFIG_TEXT_SIZE] = "x";

	(void)state;
	assert_int_equal(config_text_from_load_options(NULL, 0, out), 0);
	assert_string_equal(out, "");
}

static void boot_entry_data_is_not_text(void **state)
{
	/* EFI_LOAD_OPTION begins with attributes 1; a GUID; 8-bit text; an odd size. */
	static const uint8_t load_option[] = { 1, 0, 0, 0, 0x62, 0 };
	static const uint8_t guid[16] = { 0xd3, 0x8a, 0x47, 0x2a, 0x15, 0xf1, 0x4e, 0x4d };
	char out[CONFIG_TEXT_SIZE];

	(void)state;
	assert_int_equal(config_text_from_load_options(load_option, sizeof(load_option), out), E_INVAL);
	assert_int_equal(config_text_from_load_options(guid, sizeof(guid), out), E_INVAL);
	assert_int_equal(config_text_from_load_options(BYTES("rule=stash"), out), E_INVAL);
	assert_int_equal(config_text_from_load_options(BYTES("a\0b"), out), E_INVAL);
}

static void file_is_read_in_three_encodings(void **state)
{
	char out[CONFIG_TEXT_SIZE];

	(void)state;
	assert_int_equal(config_text_from_file(BYTES("a=b\r\n\t"), out), 0);
	assert_string_equal(out, "a=b\r\n\t");
	assert_int_equal(config_text_from_file(BYTES("\xef\xbb\xbf" "a=b"), out), 0);
	assert_string_equal(out, "a=b");
	assert_int_equal(config_text_from_file(BYTES("\xff\xfe" "a\0=\0b\0"), out), 0);
	assert_string_equal(out, "a=b");
	assert_int_equal(config_text_from_file(NULL, 0, out), 0);
	assert_string_equal(out, "");
}

static void binary_file_is_not_text(void **state)
{
	char out[CONFIG_TEXT_SIZE];

	(void)state;
	assert_int_equal(config_text_from_file(BYTES("\x7f" "ELF"), out), E_INVAL);
	assert_int_equal(config_text_from_file(BYTES("a\x80"), out), E_INVAL);
}

static void long_file_is_refused(void **state)
{
	static uint8_t data[CONFIG_TEXT_SIZE];
	char out[CONFIG_TEXT_SIZE];

	(void)state;
	memset(data, ' ', sizeof(data));
	assert_int_equal(config_text_from_file(data, sizeof(data) - 1, out), 0);
	assert_int_equal(config_text_from_file(data, sizeof(data), out), E_NOMEM);
}

static void vid_that_is_not_given_is_what_the_cpu_can(void **state)
{
	static const struct {
		const char *text;
		bool cpu_has_vid;
		const char *vid;
	} cases[] = {
		{ "", true, "on" },
		{ "", false, "off" },
		{ "irqchip=user", true, "off" },
		{ "irqchip=user", false, "off" },
		/* What is given stays, whether the CPU can or not: that is an error of its own. */
		{ "vid=off", true, "off" },
		{ "vid=on", false, "on" },
		{ "vid=on irqchip=user", true, "on" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(&f);
		accept(&f, CONFIG_FILE, cases[i].text);
		config_choose_vid(&f.c, cases[i].cpu_has_vid);
		assert_string_equal(config_vid_name(f.c.vid), cases[i].vid);
	}
}

static void suite_gets_the_words_it_shares(void **state)
{
	struct fixture f;
	char line[256];

	(void)state;
	start(&f);
	config_choose_vid(&f.c, false);
	assert_int_equal(config_suite_cmdline(&f.c, line, sizeof(line)), strlen("rule=rearm irqchip=split vid=off seed=0"));
	assert_string_equal(line, "rule=rearm irqchip=split vid=off seed=0");
	accept(&f, CONFIG_FILE, "rule=legacy irqchip=user vid=on l0=kvm only=storm* seed=9 first=3 mem=8 trace");
	config_suite_cmdline(&f.c, line, sizeof(line));
	assert_string_equal(line, "rule=legacy irqchip=user vid=on seed=9 l0=kvm only=storm* first=3");
	assert_true(config_suite_cmdline(&f.c, line, 8) > 8);
	assert_string_equal(line, "rule=le");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_word_has_its_effect),
		cmocka_unit_test(rules_by_name),
		cmocka_unit_test(load_options_win_over_the_file),
		cmocka_unit_test(later_word_wins_within_one_source),
		cmocka_unit_test(comments_are_of_the_file_alone),
		cmocka_unit_test(hash_within_a_word_is_no_comment),
		cmocka_unit_test(quotes_hold_blanks_and_each_other),
		cmocka_unit_test(modules_gather_in_order),
		cmocka_unit_test(modules_of_load_options_replace_those_of_the_file),
		cmocka_unit_test(image_name_is_skipped_in_load_options),
		cmocka_unit_test(image_name_is_skipped_only_there),
		cmocka_unit_test(unknown_word_is_named),
		cmocka_unit_test(bad_value_is_named),
		cmocka_unit_test(bad_number_is_named),
		cmocka_unit_test(greatest_seed_is_taken),
		cmocka_unit_test(unclosed_quote_is_named),
		cmocka_unit_test(value_may_fill_its_room_and_not_more),
		cmocka_unit_test(module_arguments_have_a_limit),
		cmocka_unit_test(nine_modules_are_too_many),
		cmocka_unit_test(words_before_an_error_hold),
		cmocka_unit_test(shell_command_line_is_text),
		cmocka_unit_test(no_load_options_are_empty_text),
		cmocka_unit_test(boot_entry_data_is_not_text),
		cmocka_unit_test(file_is_read_in_three_encodings),
		cmocka_unit_test(binary_file_is_not_text),
		cmocka_unit_test(long_file_is_refused),
		cmocka_unit_test(vid_that_is_not_given_is_what_the_cpu_can),
		cmocka_unit_test(suite_gets_the_words_it_shares),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
