/* SPDX-License-Identifier: BSD-2-Clause
 * What the guest is told and what it measures at its start: the words of the command line, the lab device, the TSC.
 * Knows nothing of scenarios. */
#include "rt_private.h"

#define MULTIBOOT_MAGIC 0x2badb002u
#define MULTIBOOT_INFO_CMDLINE BIT(2)
#define CMDLINE_MAX 512

#define PIT_CH2_PORT 0x42
#define PIT_CMD_PORT 0x43
#define PIT_CH2_MODE0 0xb0 /* counter 2, low then high byte, mode 0 */
#define PORT61 0x61
#define P61_GATE2 BIT(0)
#define P61_SPEAKER BIT(1)
#define P61_OUT2 BIT(5)
#define PIT_TICKS_5MS 5966
#define CALIBRATION_MS 5
#define CALIBRATIONS 3
/* Only if counter 2 does not count at all: better a wrong deadline than none. */
#define TSC_PER_MS_GUESS 1000000
#define TSC_PER_CALIBRATION_MAX (TSC_PER_MS_GUESS * 1000ull)

struct env env;

bool on_platform(const char *globs)
{
	return globs[0] == '!' ? !glob_match(globs + 1, env.l0) : glob_match(globs, env.l0);
}

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

struct word {
	const char *name;
	uint32_t value;
};

static const struct word rules[] = {
	{ "legacy", RULE_LEGACY }, { "stash", RULE_STASH }, { "boundary", RULE_BOUNDARY }, { "rearm", RULE_REARM }, { 0 }
};
static const struct word modes[] = { { "split", MODE_SPLIT }, { "user", MODE_USER }, { 0 } };
static const struct word vids[] = { { "off", VID_OFF }, { "on", VID_ON }, { 0 } };

static uint32_t word_value(const struct word *w, const char *option, const char *s)
{
	for (; w->name; w++)
		if (str_cmp(w->name, s) == 0)
			return w->value;
	bail_out("%s=%s: no such word", option, s);
}

static void parse_word(const char *w, struct options *opt)
{
	const char *eq = w;

	while (*eq && *eq != '=')
		eq++;
	if (str_has_prefix(w, "rule="))
		env.rule = word_value(rules, "rule", eq + 1);
	else if (str_has_prefix(w, "irqchip="))
		env.mode = word_value(modes, "irqchip", eq + 1);
	else if (str_has_prefix(w, "vid="))
		env.vid = word_value(vids, "vid", eq + 1);
	else if (str_has_prefix(w, "l0="))
		rt_snprintf(env.l0, sizeof(env.l0), "%s", eq + 1);
	else if (str_has_prefix(w, "seed="))
		env.seed = str_to_u64(eq + 1);
	else if (str_has_prefix(w, "only="))
		opt->only = eq + 1;
	else if (str_has_prefix(w, "first="))
		opt->first = (uint32_t)str_to_u64(eq + 1);
	else if (str_cmp(w, "list") == 0)
		opt->list = true;
	/* Anything else belongs to the loader: the image's path is the first word. */
}

static void parse_cmdline(const char *s, struct options *opt)
{
	static char line[CMDLINE_MAX];
	char *p = line;

	rt_snprintf(line, sizeof(line), "%s", s);
	while (*p) {
		char *word = p;

		while (*p && *p != ' ')
			p++;
		if (*p)
			*p++ = '\0';
		parse_word(word, opt);
	}
}

/* TSC ticks while counter 2 counts 5 ms down; polled, so that no interrupt is needed. */
static uint64_t tsc_of_5ms(void)
{
	uint8_t port61 = (uint8_t)((inb(PORT61) & ~P61_SPEAKER) | P61_GATE2);
	uint64_t start;

	outb(PORT61, port61);
	outb(PIT_CMD_PORT, PIT_CH2_MODE0);
	outb(PIT_CH2_PORT, (uint8_t)GET_FIELD(7, 0, PIT_TICKS_5MS));
	outb(PIT_CH2_PORT, (uint8_t)GET_FIELD(15, 8, PIT_TICKS_5MS));
	start = rdtsc();
	while (!(inb(PORT61) & P61_OUT2))
		if (rdtsc() - start > TSC_PER_CALIBRATION_MAX)
			return TSC_PER_MS_GUESS * CALIBRATION_MS;
	return rdtsc() - start;
}

/* The shortest of a few: whatever disturbs a measurement makes it longer. */
static uint64_t tsc_calibrate(void)
{
	uint64_t best = TIME_NEVER;

	for (unsigned i = 0; i < CALIBRATIONS; i++)
		best = min_u64(best, tsc_of_5ms());
	return best / CALIBRATION_MS;
}

void env_init(uint32_t magic, uint32_t multiboot_info, struct options *opt)
{
	const struct multiboot_info *mbi = (const struct multiboot_info *)(uintptr_t)multiboot_info;

	env = (struct env){ .rule = RULE_REARM, .mode = MODE_SPLIT, .vid = VID_OFF, .l0 = "bare", .seed = 1 };
	*opt = (struct options){ .first = 1 };
	if (magic == MULTIBOOT_MAGIC && mbi->flags & MULTIBOOT_INFO_CMDLINE)
		parse_cmdline((const char *)(uintptr_t)mbi->cmdline, opt);
	env.lab = inl(LAB_MAGIC_PORT) == LAB_MAGIC;
	env.tsc_per_ms = tsc_calibrate();
}
