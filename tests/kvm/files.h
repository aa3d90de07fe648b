/* SPDX-License-Identifier: BSD-2-Clause
 * Files of the Linux process: images in, the trace out.
 * Knows nothing of what is in an image. */
#pragma once

#include "boot/report.h"
#include "trace.h"

/* The whole file, never freed. `what` is the word that names it. E_NOENT after report_error(). */
int files_load(struct report *r, const char *what, const char *path, const uint8_t **data, size_t *size);
/* The newest records that the ring still holds, oldest first, one line each. E_IO. */
int files_write_trace(const struct trace *t, const char *path);
