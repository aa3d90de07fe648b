/* SPDX-License-Identifier: BSD-2-Clause
 * The trace ring as text on the volume.
 * Knows nothing of what the events mean. */
#include "boot/trace_file.h"

#include "vmm/fmt.h"

#define CHUNK_SIZE 8192
#define LINE_SIZE 256

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

static size_t record_text(char *buf, const struct trace_rec *rec)
{
	size_t n = fmt(buf, LINE_SIZE, "%u %llu.%09llu ", rec->seq, rec->time / NSEC_PER_SEC, rec->time % NSEC_PER_SEC);

	return n + event_text(buf + n, LINE_SIZE - n, rec);
}

int trace_file_write(const struct trace *t, EFI_FILE_HANDLE file)
{
	char chunk[CHUNK_SIZE];
	uint32_t first = t->next > t->size ? t->next - t->size : 0;
	size_t n = 0;
	int err = 0;

	for (uint32_t i = first; i != t->next && !err; i++) {
		n += record_text(chunk + n, &t->ring[i & (t->size - 1)]);
		if (n + LINE_SIZE <= CHUNK_SIZE)
			continue;
		err = volume_append(file, chunk, n);
		n = 0;
	}
	return err ? err : volume_append(file, chunk, n);
}
