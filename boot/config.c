/* SPDX-License-Identifier: BSD-2-Clause
 * The words that configure a run, from \intack\intack.cfg and from the load options.
 * Knows nothing of files, nor of what the words do. */
#include "boot/config.h"

#include <string.h>

#include "status.h"
#include "vmm/fmt.h"

#define WORD_MAX (CONFIG_CMDLINE_SIZE + CONFIG_NAME_SIZE)

static const char *const rule_names[] = { "legacy", "stash", "boundary", "rearm", NULL };
static const char *const irqchip_names[] = { "split", "user", NULL };
static const char *const vid_names[] = { "off", "on", NULL };

_Static_assert(ARRAY_SIZE(rule_names) == IRQ_RULES + 1, "a name for every rule");
_Static_assert(IRQ_RULE_LEGACY == 0 && IRQ_RULE_REARM == 3 && IRQCHIP_SPLIT == 0 && IRQCHIP_USER == 1 &&
		       CONFIG_VID_OFF == 0 && CONFIG_VID_ON == 1,
	       "names are in the order of the enums");

struct parser {
	struct config *c;
	enum config_source source;
	const char *p;
	char *error;
	bool modules_seen;
	char word[WORD_MAX]; /* without its quotes */
};

/* One word as parsed: name, and value unless there was no '='. */
struct setting {
	const char *name;
	const char *value;
};

struct keyword {
	const char *name;
	int (*set)(struct parser *p, const struct setting *s);
};

void config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->rule = IRQ_RULE_REARM;
	c->irqchip = IRQCHIP_SPLIT;
	c->vid = CONFIG_VID_NOT_GIVEN;
	c->mem = CONFIG_MEM_DEFAULT;
	c->timeout = CONFIG_TIMEOUT_DEFAULT;
	c->each = CONFIG_EACH_DEFAULT;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static bool same(const char *a, const char *b)
{
	size_t n = length(a);

	return n == length(b) && !memcmp(a, b, n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int bad_value(struct parser *p, const struct setting *s, const char *wanted)
{
	fmt(p->error, CONFIG_ERROR_SIZE, "%s=%.64s: bad value, must be %s", s->name, s->value, wanted);
	return E_INVAL;
}

static int too_long(struct parser *p, const char *name, size_t max)
{
	fmt(p->error, CONFIG_ERROR_SIZE, "%.32s: too long, at most %zu characters", name, max);
	return E_INVAL;
}

static int copy_string(struct parser *p, const struct setting *s, char *dst, size_t size)
{
	size_t n = length(s->value);

	if (n >= size)
		return too_long(p, s->name, size - 1);
	memcpy(dst, s->value, n + 1);
	return 0;
}

/* The index of the value among the names, E_INVAL if it is none. */
static int choose(const struct setting *s, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (same(s->value, names[i]))
			return i;
	return E_INVAL;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return E_INVAL;
}

/* Decimal, or hexadecimal after 0x. */
static bool parse_u64(const char *s, uint64_t *out)
{
	int base = 10;
	uint64_t v = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (!*s)
		return false;
	for (; *s; s++) {
		int d = digit(*s);

		if (d < 0 || d >= base || v > (UINT64_MAX - (uint64_t)d) / (uint64_t)base)
			return false;
		v = v * (uint64_t)base + (uint64_t)d;
	}
	*out = v;
	return true;
}

static int set_u32(struct parser *p, const struct setting *s, uint32_t min, uint32_t max, uint32_t *out)
{
	char wanted[64];
	uint64_t v;

	if (!parse_u64(s->value, &v) || v < min || v > max) {
		fmt(wanted, sizeof(wanted), "a number from %u to %u", min, max);
		return bad_value(p, s, wanted);
	}
	*out = (uint32_t)v;
	return 0;
}

static int set_rule(struct parser *p, const struct setting *s)
{
	int i = choose(s, rule_names);

	if (i < 0)
		return bad_value(p, s, "legacy, stash, boundary or rearm");
	p->c->rule = (enum irq_rule)i;
	return 0;
}

static int set_irqchip(struct parser *p, const struct setting *s)
{
	int i = choose(s, irqchip_names);

	if (i < 0)
		return bad_value(p, s, "split or user");
	p->c->irqchip = (enum irqchip_mode)i;
	return 0;
}

static int set_vid(struct parser *p, const struct setting *s)
{
	int i = choose(s, vid_names);

	if (i < 0)
		return bad_value(p, s, "on or off");
	p->c->vid = (enum config_vid)i;
	return 0;
}

static int set_l0(struct parser *p, const struct setting *s)
{
	for (const char *v = s->value; *v; v++)
		if (is_blank(*v))
			return bad_value(p, s, "one word");
	return copy_string(p, s, p->c->l0, sizeof(p->c->l0));
}

static int set_only(struct parser *p, const struct setting *s)
{
	/* It travels on to the suite's command line, which has blanks between words and no quotes. */
	for (const char *v = s->value; *v; v++)
		if (is_blank(*v) || *v == '\'' || *v == '"')
			return bad_value(p, s, "a pattern without blanks and quotes");
	return copy_string(p, s, p->c->only, sizeof(p->c->only));
}

static int set_guest(struct parser *p, const struct setting *s)
{
	return copy_string(p, s, p->c->guest, sizeof(p->c->guest));
}

static int set_cmdline(struct parser *p, const struct setting *s)
{
	return copy_string(p, s, p->c->cmdline, sizeof(p->c->cmdline));
}

static const char *skip_blanks(const char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

static int set_module(struct parser *p, const struct setting *s)
{
	const char *path = skip_blanks(s->value), *end = path;
	struct config_module *m;
	struct setting args = { s->name, NULL };

	if (!p->modules_seen)
		p->c->modules = 0;
	p->modules_seen = true;
	if (p->c->modules == CONFIG_MODULES) {
		fmt(p->error, CONFIG_ERROR_SIZE, "module=%.64s: too many modules, at most %d", s->value, CONFIG_MODULES);
		return E_INVAL;
	}
	while (*end && !is_blank(*end))
		end++;
	if (end == path)
		return bad_value(p, s, "a path, and then its arguments");
	m = &p->c->module[p->c->modules];
	if ((size_t)(end - path) >= sizeof(m->path))
		return too_long(p, "path of module", sizeof(m->path) - 1);
	memset(m->path, 0, sizeof(m->path));
	memcpy(m->path, path, (size_t)(end - path));
	p->c->modules++;
	args.value = skip_blanks(end);
	return copy_string(p, &args, m->args, sizeof(m->args));
}

static int set_seed(struct parser *p, const struct setting *s)
{
	return parse_u64(s->value, &p->c->seed) ? 0 : bad_value(p, s, "a number of at most 64 bits");
}

static int set_mem(struct parser *p, const struct setting *s)
{
	return set_u32(p, s, CONFIG_MEM_MIN, CONFIG_MEM_MAX, &p->c->mem);
}

static int set_timeout(struct parser *p, const struct setting *s)
{
	return set_u32(p, s, 1, CONFIG_TIMEOUT_MAX, &p->c->timeout);
}

static int set_first(struct parser *p, const struct setting *s)
{
	return set_u32(p, s, 1, UINT32_MAX, &p->c->first);
}

static int set_repeat(struct parser *p, const struct setting *s)
{
	return set_u32(p, s, 1, CONFIG_REPEAT_MAX, &p->c->repeat);
}

static int set_each(struct parser *p, const struct setting *s)
{
	return set_u32(p, s, 1, CONFIG_EACH_MAX, &p->c->each);
}

static int set_trace(struct parser *p, const struct setting *s)
{
	(void)s;
	p->c->trace = true;
	return 0;
}

static int set_testdev(struct parser *p, const struct setting *s)
{
	(void)s;
	p->c->testdev = true;
	return 0;
}

static int set_poweroff(struct parser *p, const struct setting *s)
{
	(void)s;
	p->c->poweroff = true;
	return 0;
}

static int apply_word(struct parser *p)
{
	static const struct keyword with_value[] = {
		{ "rule", set_rule },     { "irqchip", set_irqchip }, { "vid", set_vid },         { "l0", set_l0 },
		{ "only", set_only },     { "guest", set_guest },     { "cmdline", set_cmdline }, { "module", set_module },
		{ "seed", set_seed },     { "mem", set_mem },         { "timeout", set_timeout }, { "first", set_first },
		{ "repeat", set_repeat }, { "each", set_each },
	};
	static const struct keyword flags[] = { { "trace", set_trace }, { "testdev", set_testdev }, { "poweroff", set_poweroff } };
	struct setting s = { .name = p->word };
	const struct keyword *table = flags;
	size_t n = ARRAY_SIZE(flags);

	for (char *w = p->word; *w && !s.value; w++) {
		if (*w != '=')
			continue;
		*w = '\0';
		s.value = w + 1;
		table = with_value;
		n = ARRAY_SIZE(with_value);
	}
	for (size_t i = 0; i < n; i++)
		if (same(s.name, table[i].name))
			return table[i].set(p, &s);
	fmt(p->error, CONFIG_ERROR_SIZE, "unknown word %.64s%s%.64s", s.name, s.value ? "=" : "", s.value ? s.value : "");
	return E_INVAL;
}

static void skip_to_word(struct parser *p)
{
	for (p->p = skip_blanks(p->p); *p->p == '#' && p->source == CONFIG_FILE; p->p = skip_blanks(p->p))
		while (*p->p && *p->p != '\n')
			p->p++;
}

/* Quotes may open anywhere in a word; within them blanks and the other quote are plain characters. */
static int read_word(struct parser *p)
{
	const char *start = p->p;
	size_t n = 0;
	char quote = '\0';

	for (; *p->p && (quote || !is_blank(*p->p)); p->p++) {
		char c = *p->p;

		if (quote ? c == quote : c == '\'' || c == '"') {
			quote = quote ? '\0' : c;
			continue;
		}
		if (n == sizeof(p->word) - 1)
			return too_long(p, start, sizeof(p->word) - 1);
		p->word[n++] = c;
	}
	p->word[n] = '\0';
	if (!quote)
		return 0;
	fmt(p->error, CONFIG_ERROR_SIZE, "no closing %c in %.64s", quote, start);
	return E_INVAL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = length(s), m = length(suffix);

	if (n < m)
		return false;
	for (size_t i = 0; i < m; i++)
		if (lower(s[n - m + i]) != suffix[i])
			return false;
	return true;
}

/* The shell passes its whole command line: "intack.efi rule=legacy", "FS0:\intack.efi", or just "intack". */
static bool is_image_name(const char *word)
{
	const char *base = word;

	for (const char *w = word; *w; w++)
		if (*w == '\\' || *w == '/' || *w == ':')
			base = w + 1;
	return ends_with(word, ".efi") || (length(base) == length("intack") && ends_with(base, "intack"));
}

int config_parse(struct config *c, enum config_source source, const char *text, char error[CONFIG_ERROR_SIZE])
{
	struct parser p = { .c = c, .source = source, .p = text, .error = error };
	bool first = true;
	int err;

	for (skip_to_word(&p); *p.p; skip_to_word(&p)) {
		err = read_word(&p);
		if (err)
			return err;
		if (first && source == CONFIG_LOAD_OPTIONS && is_image_name(p.word)) {
			first = false;
			continue;
		}
		first = false;
		err = apply_word(&p);
		if (err)
			return err;
	}
	return 0;
}

const char *config_rule_name(enum irq_rule rule)
{
	return rule_names[rule];
}

const char *config_irqchip_name(enum irqchip_mode mode)
{
	return irqchip_names[mode];
}

const char *config_vid_name(enum config_vid vid)
{
	return vid_names[vid];
}

void config_choose_vid(struct config *c, bool cpu_has_vid)
{
	if (c->vid == CONFIG_VID_NOT_GIVEN)
		c->vid = cpu_has_vid && c->irqchip == IRQCHIP_SPLIT ? CONFIG_VID_ON : CONFIG_VID_OFF;
}

size_t config_suite_cmdline(const struct config *c, char *buf, size_t size)
{
	size_t n = fmt(buf, size, "rule=%s irqchip=%s vid=%s seed=%lu", rule_names[c->rule], irqchip_names[c->irqchip],
		       vid_names[c->vid], c->seed);

	if (c->l0[0])
		n += fmt(buf + min_u64(n, size), size - min_u64(n, size), " l0=%s", c->l0);
	if (c->only[0])
		n += fmt(buf + min_u64(n, size), size - min_u64(n, size), " only=%s", c->only);
	if (c->first)
		n += fmt(buf + min_u64(n, size), size - min_u64(n, size), " first=%u", c->first);
	return n;
}
