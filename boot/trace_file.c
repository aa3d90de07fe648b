/* SPDX-License-Identifier: BSD-2-Clause
 * The trace ring as text on the volume.
 * Knows nothing of what the events mean. */
#include "boot/trace_file.h"

#include "vmm/trace_text.h"

#define CHUNK_SIZE 8192

int trace_file_write(const struct trace *t, EFI_FILE_HANDLE file)
{
	char chunk[CHUNK_SIZE];
	size_t n = 0;
	int err = 0;

	for (uint32_t i = trace_oldest(t); i != t->next && !err; i++) {
		n += trace_text(chunk + n, &t->ring[i & (t->size - 1)]);
		if (n + TRACE_TEXT_MAX <= CHUNK_SIZE)
			continue;
		err = volume_append(file, chunk, n);
		n = 0;
	}
	return err || !n ? err : volume_append(file, chunk, n);
}
