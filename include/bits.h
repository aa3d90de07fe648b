/* SPDX-License-Identifier: BSD-2-Clause
 * Bits, masks and fields, so that a shift or a bare hex number appears in definitions only.
 * Knows nothing of what the bits mean. */
#pragma once

#include <stdint.h>

#define BIT(n)           (1u << (n))
#define BIT64(n)         (1ull << (n))
#define MASK(hi, lo)     ((~0ull >> (63 - (hi))) & (~0ull << (lo)))
#define FIELD(hi, lo, v) (((uint64_t)(v) << (lo)) & MASK(hi, lo))
#define GET_FIELD(hi, lo, v) (((uint64_t)(v) & MASK(hi, lo)) >> (lo))

/* A layout fixed by a manual is asserted, naming the table. */
#define CHECK_LAYOUT(type, member, offset, table) \
	_Static_assert(__builtin_offsetof(type, member) == (offset), table)

/* Highest set bit, -1 if none. */
static inline int fls64(uint64_t v) { return v ? 63 - __builtin_clzll(v) : -1; }
/* Lowest set bit, -1 if none. */
static inline int ffs64(uint64_t v) { return v ? __builtin_ctzll(v) : -1; }
