/* SPDX-License-Identifier: BSD-2-Clause
 * KTAP results: counted as they are printed, and made for scenarios that cannot print their own.
 * Knows nothing of guests: it sees lines. */
#pragma once

#include "guest_abi.h"
#include "types.h"
#include "vmm/vmm.h"

/* Results with a higher number are errors. */
#define KTAP_MAX 4096

struct ktap {
	uint32_t plan; /* N of 1..N; 0: none seen */
	uint32_t pass, fail, xfail, skip, error;
	uint32_t seen[KTAP_MAX / 32]; /* a bit per number that has its result */
};

/* Counts one line. Only unindented `1..N`, `ok N ...`, `not ok N ...` and `Bail out!` count; the directive is the first
 * word after the first " #" that follows a space. A second result for a number is an error. */
void ktap_line(struct ktap *k, const char *line);
/* Errors, with those that the plan announced and that have no result. */
uint32_t ktap_errors(const struct ktap *k);
/* "# Totals: pass:N fail:N xfail:N skip:N error:N" */
void ktap_totals(const struct ktap *k, char *buf, size_t size);
/* The result line of a scenario that was open when the guest ended: its verdict is the end's, and it is an expected
 * failure if the scenario said so. The texts of `s` may be anything. */
void ktap_verdict_line(char *buf, size_t size, const struct lab_scenario *s, const struct vmm_end *end);
/* Makes a text from a guest printable and terminated. */
void ktap_clean(char *text, size_t size);
