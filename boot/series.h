/* SPDX-License-Identifier: BSD-2-Clause
 * One image many times over, each time as another guest: `i=K` in its command line says which. A guest of a series may do
 * whatever it likes but cost us the machine, so nearly every end is a good one; what is not is told apart here. Behind each
 * hundred, and behind the last, our own suite has to pass one scenario.
 * Knows nothing of what the guests do. */
#pragma once

#include "types.h"
#include "vmm/ktap.h"
#include "vmm/multiboot.h"

#define SERIES_TITLE 96

struct suite;

struct series {
	uint32_t at;              /* the present guest's number; 0: none yet */
	bool good;                /* the suite's turn, behind it */
	bool titled;
	char title[SERIES_TITLE]; /* the first line that the guest has printed */
	uint64_t began;
	struct ktap ktap;         /* what the suite says in its turn */
};

/* What of these the suite's functions of the same names do in a series (suite.h). */
void series_init(struct suite *s);
void series_load(struct suite *s, struct mb_request *req, char *cmdline, size_t size);
/* When the present guest has to be at its end. */
uint64_t series_deadline(struct suite *s, uint64_t now);
void series_line(struct suite *s, const char *line);
/* False: this end should not have been possible. */
bool series_verdict(struct suite *s);
bool series_next(struct suite *s);
