/* SPDX-License-Identifier: BSD-2-Clause
 * The lines that say why a CPU refused to enter a guest.
 * Knows nothing of the rules. */
#include "x86/entry_check.h"

#include "bits.h"
#include "vmm/fmt.h"

#define PAT_TYPE_BITS 8
/* UC, WC, WT, WP, WB, UC-: a bit for each value of a field of PAT. */
#define PAT_TYPES (BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7))

/* The last line is kept for the conclusion. */
static char *next_line(struct entry_check *c, unsigned max)
{
	return c->lines < max ? c->line[c->lines++] : NULL;
}

void entry_check_say(struct entry_check *c, const char *format, ...)
{
	char *line = next_line(c, ENTRY_CHECK_LINES);
	va_list ap;

	if (!line)
		return;
	va_start(ap, format);
	fmt_v(line, ENTRY_CHECK_LINE_SIZE, format, ap);
	va_end(ap);
}

void entry_check_broken(struct entry_check *c, const char *where, const char *rule, const struct entry_field *fields)
{
	char *line = next_line(c, ENTRY_CHECK_LINES - 1);
	const char *before = " (";
	size_t n;

	c->broken++;
	if (!line) {
		c->dropped++;
		return;
	}
	n = fmt(line, ENTRY_CHECK_LINE_SIZE, "invalid %s: %s", where, rule);
	for (; fields->name && n < ENTRY_CHECK_LINE_SIZE; fields++) {
		n += fmt(line + n, ENTRY_CHECK_LINE_SIZE - n, "%s%s=%#llx", before, fields->name,
			 (unsigned long long)fields->value);
		before = " ";
	}
	if (n < ENTRY_CHECK_LINE_SIZE)
		fmt(line + n, ENTRY_CHECK_LINE_SIZE - n, ")");
}

bool entry_check_pat(uint64_t pat)
{
	for (; pat; pat >>= PAT_TYPE_BITS) {
		uint64_t type = pat & UINT8_MAX;

		if (type >= PAT_TYPE_BITS || !(PAT_TYPES & BIT(type)))
			return false;
	}
	return true;
}

void entry_check_conclude(struct entry_check *c)
{
	if (!c->broken)
		entry_check_say(c, "no rule that is checked here is broken");
	else if (c->dropped)
		entry_check_say(c, "and %u more", c->dropped);
}
