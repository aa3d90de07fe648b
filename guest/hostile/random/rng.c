/* SPDX-License-Identifier: BSD-2-Clause
 * Random numbers: splitmix64. The same from the same seed, everywhere.
 * Knows nothing of what they decide. */
#include "random.h"

#define GOLDEN 0x9e3779b97f4a7c15ull
#define MIX1 0xbf58476d1ce4e5b9ull
#define MIX2 0x94d049bb133111ebull

uint32_t rnd32(struct gen *g)
{
	uint64_t z = g->state += GOLDEN;

	z = (z ^ (z >> 30)) * MIX1;
	z = (z ^ (z >> 27)) * MIX2;
	return (uint32_t)((z ^ (z >> 31)) >> 32);
}

uint32_t rnd(struct gen *g, uint32_t below)
{
	return (uint32_t)(((uint64_t)rnd32(g) * below) >> 32);
}

bool one_in(struct gen *g, uint32_t n)
{
	return rnd(g, n) == 0;
}

uint32_t odd_value(struct gen *g)
{
	switch (rnd(g, 6)) {
	case 0:
		return 0;
	case 1:
		return UINT32_MAX;
	case 2:
		return 1u << rnd(g, 32);
	case 3:
		return ~(1u << rnd(g, 32));
	case 4:
		return rnd(g, 256);
	default:
		return rnd32(g);
	}
}
