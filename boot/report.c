/* SPDX-License-Identifier: BSD-2-Clause
 * The report: kept in memory for the volume, and spoken while it grows: through the firmware's console before and after
 * the run, raw through COM1 while the machine is taken over.
 * Knows nothing of what the lines mean, but for the few that the summary picks. */
#include "boot/report.h"

#include <efi.h>
#include <string.h>

#include "vmm/fmt.h"
#include "x86/com1.h"

#define CONSOLE_CHUNK 126
/* Kept free for our own lines, so that a guest that floods the report does not push the verdict out of it. */
#define RESERVE 4096

void report_init(struct report *r, struct _SIMPLE_TEXT_OUTPUT_INTERFACE *console)
{
	*r = (struct report){ .console = console, .com1 = com1_present() };
}

void report_set_buffer(struct report *r, char *buf, size_t size)
{
	r->buf = buf;
	r->size = size;
}

void report_taken_over(struct report *r, bool taken_over)
{
	if (taken_over)
		r->from = r->len;
	r->to = r->len;
	r->taken_over = taken_over;
}

static void console_write(struct report *r, const char *text, size_t len)
{
	CHAR16 wide[CONSOLE_CHUNK + 2];
	size_t n = 0;

	if (!r->console)
		return;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			wide[n++] = '\r';
		wide[n++] = (CHAR16)(unsigned char)text[i];
		if (n < CONSOLE_CHUNK && i + 1 < len)
			continue;
		wide[n] = 0;
		r->console->OutputString(r->console, wide);
		n = 0;
	}
}

static void keep(struct report *r, const char *text, size_t len, size_t reserve)
{
	size_t room = r->size > r->len + reserve ? r->size - r->len - reserve : 0;

	if (len > room) {
		r->lost += len - room;
		len = room;
	}
	memcpy(r->buf + r->len, text, len);
	r->len += len;
}

static void speak(struct report *r, const char *text, size_t len)
{
	if (!r->taken_over && !r->serial_only)
		console_write(r, text, len);
	else if (r->com1)
		r->com1 = com1_write(text, len);
}

void report_write(struct report *r, const char *text, size_t len)
{
	keep(r, text, len, RESERVE);
	speak(r, text, len);
}

static void write_own(struct report *r, const char *text, size_t len)
{
	keep(r, text, len, 0);
	speak(r, text, len);
}

static void printf_v(struct report *r, const char *prefix, const char *suffix, const char *format, va_list ap)
{
	char line[REPORT_LINE_SIZE];
	size_t len = fmt(line, sizeof(line), "%s", prefix);

	len += fmt_v(line + len, sizeof(line) - len, format, ap);
	if (len < sizeof(line))
		len += fmt(line + len, sizeof(line) - len, "%s", suffix);
	write_own(r, line, min_u64(len, sizeof(line) - 1));
}

void report_printf(struct report *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	printf_v(r, "", "", format, ap);
	va_end(ap);
}

void report_error(struct report *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	printf_v(r, "# intack: error: ", "\n", format, ap);
	va_end(ap);
}

static bool starts_with(const char *line, size_t len, const char *prefix)
{
	for (; *prefix; prefix++, line++, len--)
		if (!len || *line != *prefix)
			return false;
	return true;
}

void report_summary(struct report *r)
{
	size_t next;

	for (size_t at = r->from; at < r->to; at = next) {
		const char *line = r->buf + at;

		for (next = at; next < r->to && r->buf[next] != '\n';)
			next++;
		if (next < r->to)
			next++;
		if (starts_with(line, next - at, "not ok ") || starts_with(line, next - at, "# intack: ") ||
		    starts_with(line, next - at, "# Totals: "))
			console_write(r, line, next - at);
	}
}
