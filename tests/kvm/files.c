/* SPDX-License-Identifier: BSD-2-Clause
 * Files of the Linux process: images in, the trace out.
 * Knows nothing of what is in an image. */
#define _GNU_SOURCE
#include "tests/kvm/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "status.h"
#include "vmm/trace_text.h"

/* 0, or an errno. */
static int read_all(int fd, uint8_t *data, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, data + n, size - n);

		if (got < 0)
			return errno;
		if (!got)
			return EIO; /* it has become shorter */
		n += (size_t)got;
	}
	return 0;
}

static int load(int fd, uint8_t **data, size_t *size)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	*size = (size_t)st.st_size;
	*data = malloc(*size + 1);
	return *data ? read_all(fd, *data, *size) : ENOMEM;
}

int files_load(struct report *r, const char *what, const char *path, const uint8_t **data, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *bytes = NULL;
	int error = load(fd, &bytes, size);

	if (fd >= 0)
		close(fd);
	*data = bytes;
	if (!error)
		return 0;
	report_error(r, "%s=%s: %s", what, path, strerror(error));
	return E_NOENT;
}

int files_write_trace(const struct trace *t, const char *path)
{
	FILE *f = fopen(path, "w");
	char line[TRACE_TEXT_MAX];

	if (!f)
		return E_IO;
	for (uint32_t i = trace_oldest(t); i != t->next; i++) {
		trace_text(line, &t->ring[i & (t->size - 1)]);
		fputs(line, f);
	}
	return ferror(f) | fclose(f) ? E_IO : 0;
}
