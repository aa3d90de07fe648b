/* SPDX-License-Identifier: BSD-2-Clause
 * The report of boot/report.h for a Linux process: to standard output, line by line.
 * Knows nothing of what the lines mean. */
#include "boot/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "vmm/fmt.h"

static void write_v(const char *format, va_list ap)
{
	char line[REPORT_LINE_SIZE];

	fmt_v(line, sizeof(line), format, ap);
	fputs(line, stdout);
}

void report_printf(struct report *r, const char *format, ...)
{
	va_list ap;

	(void)r;
	va_start(ap, format);
	write_v(format, ap);
	va_end(ap);
	fflush(stdout);
}

void report_error(struct report *r, const char *format, ...)
{
	va_list ap;

	(void)r;
	fputs("# intack: error: ", stdout);
	va_start(ap, format);
	write_v(format, ap);
	va_end(ap);
	fputs("\n", stdout);
	fflush(stdout);
}
