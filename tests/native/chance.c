/* SPDX-License-Identifier: BSD-2-Clause
 * Random numbers, the same from the same seed.
 * Knows nothing of what they are for. */
#include "maker.h"

#include "x86.h"

static uint64_t state;

void generate_seed(uint64_t seed) { state = seed ? seed : 1; }

uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

unsigned below(unsigned n) { return (unsigned)((rnd() >> 32) % n); }
bool one_in(unsigned n) { return below(n) == 0; }

uint64_t rnd_value(void)
{
	static const uint64_t edge[] = {
		0, 1, UINT64_MAX, INT8_MAX, BIT64(7), INT16_MAX, BIT64(15), INT32_MAX, BIT64(31), UINT32_MAX,
		INT64_MAX, BIT64(63), MASK(3, 0), BIT64(4), UINT16_MAX, UINT8_MAX,
	};

	return below(2) ? rnd() : edge[below(ARRAY_SIZE(edge))];
}
