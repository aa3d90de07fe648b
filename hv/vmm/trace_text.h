/* SPDX-License-Identifier: BSD-2-Clause
 * Trace records as text, one line each.
 * Knows nothing of what the events mean, nor of where the text goes. */
#pragma once

#include "trace.h"

#define TRACE_TEXT_MAX 256 /* of one record, NUL included */

/* The oldest record that the ring still holds; the newest is t->next - 1. */
uint32_t trace_oldest(const struct trace *t);
/* One record with its LF; the length without the NUL. */
size_t trace_text(char buf[TRACE_TEXT_MAX], const struct trace_rec *rec);
