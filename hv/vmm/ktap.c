/* SPDX-License-Identifier: BSD-2-Clause
 * KTAP results: counted as they are printed, and made for scenarios that cannot print their own.
 * Knows nothing of guests: it sees lines. */
#include "vmm/ktap.h"

#include "bits.h"
#include "vmm/fmt.h"

#define DECIMAL 10
#define SEEN_BITS 32
#define FIRST_PRINTABLE ' '
#define LAST_PRINTABLE '~'

/* Past `word` if the text begins with it, NULL if not. */
static const char *after(const char *text, const char *word)
{
	while (*word) {
		if (*text++ != *word++)
			return NULL;
	}
	return text;
}

/* A number and its end; NULL if there is none or it is too large for any plan. */
static const char *number(const char *text, uint32_t *out)
{
	uint64_t n = 0;

	if (*text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++) {
		n = n * DECIMAL + (uint64_t)(*text - '0');
		if (n > UINT32_MAX)
			return NULL;
	}
	*out = (uint32_t)n;
	return text;
}

static bool word_ends(char c)
{
	return c == '\0' || c == ' ' || c == '\t' || c == ':';
}

/* Is the directive of this result line `word`? */
static bool has_directive(const char *text, const char *word)
{
	const char *end;

	for (; *text; text++) {
		end = after(text, " #");
		if (!end)
			continue;
		while (*end == ' ')
			end++;
		end = after(end, word);
		return end && word_ends(*end);
	}
	return false;
}

static void count(struct ktap *k, bool ok, const char *text)
{
	if (has_directive(text, "SKIP"))
		k->skip++;
	else if (has_directive(text, "ERROR"))
		k->error++;
	else if (has_directive(text, "XPASS") || !ok)
		k->fail++;
	else if (has_directive(text, "XFAIL"))
		k->xfail++;
	else
		k->pass++;
}

static void result(struct ktap *k, bool ok, const char *text)
{
	uint32_t n, bit;

	text = number(text, &n);
	if (!text || !word_ends(*text))
		return;
	if (n == 0 || n > KTAP_MAX) {
		k->error++;
		return;
	}
	n--;
	bit = BIT(n % SEEN_BITS);
	if (k->seen[n / SEEN_BITS] & bit)
		k->error++;
	k->seen[n / SEEN_BITS] |= bit;
	count(k, ok, text);
}

/* A guest that is started again announces its plan again: the largest counts. */
static void plan(struct ktap *k, const char *text)
{
	uint32_t n;

	text = number(text, &n);
	if (text && word_ends(*text) && n > k->plan)
		k->plan = n;
}

void ktap_line(struct ktap *k, const char *line)
{
	const char *rest;

	if ((rest = after(line, "ok ")))
		result(k, true, rest);
	else if ((rest = after(line, "not ok ")))
		result(k, false, rest);
	else if ((rest = after(line, "1..")))
		plan(k, rest);
	else if (after(line, "Bail out!"))
		k->error++;
}

uint32_t ktap_errors(const struct ktap *k)
{
	uint32_t have = 0, beyond = 0;

	for (uint32_t n = 0; n < KTAP_MAX; n++) {
		if (!(k->seen[n / SEEN_BITS] & BIT(n % SEEN_BITS)))
			continue;
		if (n < k->plan)
			have++;
		else
			beyond++;
	}
	/* Without a plan there is nothing to be missing or too much. */
	return k->plan ? k->error + (k->plan - have) + beyond : k->error;
}

void ktap_totals(const struct ktap *k, char *buf, size_t size)
{
	fmt(buf, size, "# Totals: pass:%u fail:%u xfail:%u skip:%u error:%u", k->pass, k->fail, k->xfail, k->skip,
	    ktap_errors(k));
}

void ktap_clean(char *text, size_t size)
{
	bool ended = false;

	for (size_t i = 0; i < size; i++) {
		ended |= text[i] == '\0' || i == size - 1;
		if (ended)
			text[i] = '\0';
		else if (text[i] < FIRST_PRINTABLE || text[i] > LAST_PRINTABLE || text[i] == '#')
			text[i] = '?'; /* a '#' could pass for a directive */
	}
}

static const char *verdict(const struct vmm_end *end)
{
	switch (end->end) {
	case RUN_END_LIVELOCK:
		return "livelock";
	case RUN_END_HUNG:
	case RUN_END_DEADLINE:
		return "hung";
	case RUN_END_EXIT:
		return "ERROR"; /* the test itself left in the middle */
	case RUN_END_RESET:
		return "reset";
	case RUN_END_FAIL_ENTRY:
		return end->if0 ? "if0" : "crash";
	case RUN_END_SHUTDOWN:
	case RUN_END_CRASH:
		break;
	}
	return "crash";
}

void ktap_verdict_line(char *buf, size_t size, const struct lab_scenario *s, const struct vmm_end *end)
{
	const char *word = verdict(end);
	const char *text = end->message + end->detail;
	struct lab_scenario clean = *s;
	const char *rest;

	ktap_clean(clean.name, sizeof(clean.name));
	ktap_clean(clean.expect, sizeof(clean.expect));
	rest = after(clean.expect, word);
	if (end->end != RUN_END_EXIT && rest && !*rest)
		fmt(buf, size, "ok %u %s # XFAIL %s: %s", clean.index, clean.name, word, text);
	else
		fmt(buf, size, "not ok %u %s # %s: %s", clean.index, clean.name, word, text);
}
