/* SPDX-License-Identifier: BSD-2-Clause
 * Trace records as text, one line each.
 * Knows nothing of what the events mean, nor of where the text goes. */
#include "vmm/trace_text.h"

#include "vmm/fmt.h"

static size_t event_text(char *buf, size_t size, const struct trace_rec *rec)
{
	static const struct {
		const char *name, *format;
	} events[] = {
#define X(name, format) { #name, format },
		TRACE_EVENTS(X)
#undef X
	};
	size_t n;

	if (rec->event >= TRACE_MAX)
		return fmt(buf, size, "event %u\n", rec->event);
	n = fmt(buf, size, "%s: ", events[rec->event].name);
	n += fmt(buf + n, size - n, events[rec->event].format, rec->a, rec->b);
	return n + fmt(buf + n, size - n, "\n");
}

uint32_t trace_oldest(const struct trace *t)
{
	return t->next > t->size ? t->next - t->size : 0;
}

size_t trace_text(char buf[TRACE_TEXT_MAX], const struct trace_rec *rec)
{
	size_t n = fmt(buf, TRACE_TEXT_MAX, "%u %llu.%09llu ", rec->seq, rec->time / NSEC_PER_SEC, rec->time % NSEC_PER_SEC);

	return n + event_text(buf + n, TRACE_TEXT_MAX - n, rec);
}
