/* SPDX-License-Identifier: BSD-2-Clause
 * The lines that say why a CPU refused to enter a guest: every rule that the guest's state broke, by name, and the fields
 * that broke it.
 * Knows nothing of the rules. */
#pragma once

#include "types.h"

#define ENTRY_CHECK_LINES 8
#define ENTRY_CHECK_LINE_SIZE 256

struct entry_check {
	unsigned lines;   /* of text */
	unsigned broken;  /* rules */
	unsigned dropped; /* rules that had no room */
	char line[ENTRY_CHECK_LINES][ENTRY_CHECK_LINE_SIZE];
};

struct entry_field {
	const char *name; /* NULL ends a list */
	uint64_t value;
};

/* One line of the CPU's own words, or about it. Dropped when there is no room. */
void entry_check_say(struct entry_check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "invalid WHERE: RULE (NAME=0x... NAME=0x...)" */
void entry_check_broken(struct entry_check *c, const char *where, const char *rule, const struct entry_field *fields);
/* Whether WRMSR would take this value for PAT: the one rule that both vendors have. */
bool entry_check_pat(uint64_t pat);
/* Behind the last rule: how many had no room, or that none is broken. */
void entry_check_conclude(struct entry_check *c);
