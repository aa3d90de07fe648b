/* SPDX-License-Identifier: BSD-2-Clause
 * The report: kept in memory for the volume, and spoken while it grows: through the firmware's console before and after
 * the run, raw through COM1 while the machine is taken over.
 * Knows nothing of what the lines mean, but for the few that the summary picks. */
#pragma once

#include "types.h"

struct _SIMPLE_TEXT_OUTPUT_INTERFACE;

struct report {
	char *buf;
	size_t size, len;
	size_t lost;       /* bytes that had no room */
	size_t from, to;   /* the part of buf that was spoken during the run: the console has not seen it */
	bool taken_over;
	bool serial_only;  /* the firmware's console is not to be used */
	bool com1;         /* there is a UART, and it has taken every character so far */
	struct _SIMPLE_TEXT_OUTPUT_INTERFACE *console;
};

#define REPORT_LINE_SIZE 1024 /* of one report_printf() */

/* buf may be NULL until there is memory. */
void report_init(struct report *r, struct _SIMPLE_TEXT_OUTPUT_INTERFACE *console);
void report_set_buffer(struct report *r, char *buf, size_t size);
/* Call with true right after the machine is taken over and with false right after it is given back. */
void report_taken_over(struct report *r, bool taken_over);
/* Text as it comes, lines or parts of lines. */
void report_write(struct report *r, const char *text, size_t len);
void report_printf(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `# intack: error: ...` on a line of its own. */
void report_error(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Shows on the firmware's console what a reader wants of the lines spoken during the run: failures, our own lines and
 * the totals. */
void report_summary(struct report *r);
