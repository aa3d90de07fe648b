/* SPDX-License-Identifier: BSD-2-Clause
 * The trace ring as text on the volume.
 * Knows nothing of what the events mean. */
#pragma once

#include "boot/volume.h"
#include "trace.h"

/* The newest records that the ring still holds, oldest first, one line each. */
int trace_file_write(const struct trace *t, EFI_FILE_HANDLE file);
