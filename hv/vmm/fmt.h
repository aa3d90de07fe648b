/* SPDX-License-Identifier: BSD-2-Clause
 * The one formatter: a subset of printf into a buffer.
 * Knows nothing of where the text goes. */
#pragma once

#include <stdarg.h>

#include "types.h"

/* Writes at most size bytes including the NUL (none if size is 0) and returns the length of the whole text, as
 * snprintf does. Knows %d %u %x %c %s %p %%, the flags '-', '0' and '#', a width, a precision for %s (both may be '*'),
 * and the sizes l, ll and z. A directive that it does not know is copied as it stands. */
size_t fmt_v(char *buf, size_t size, const char *format, va_list ap) __attribute__((format(printf, 3, 0)));
size_t fmt(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
