/* SPDX-License-Identifier: BSD-2-Clause
 * The four functions of the C library that a freestanding compiler may call on its own.
 * Knows nothing else. */
#include <string.h>

#include "types.h"

#define EVERY_BYTE 0x0101010101010101ull

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the library's own are reserved */
void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the library's own are reserved */
void *memset(void *dst, int c, size_t n)
{
	void *d = dst;
	uint64_t words = n / sizeof(uint64_t), bytes = n % sizeof(uint64_t);
	uint64_t pattern = EVERY_BYTE * (unsigned char)c;

	/* Guest memory is cleared here, and an emulator takes as long for a byte as for a word. */
	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(pattern) : "memory");
	return dst;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the library's own are reserved */
void *memmove(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	while (n--) {
		d[n] = s[n];
		/* Keeps the compiler from making this loop a call of memmove. */
		__asm__ volatile("" : : : "memory");
	}
	return dst;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the library's own are reserved */
int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;

	for (size_t i = 0; i < n; i++)
		if (p[i] != q[i])
			return p[i] - q[i];
	return 0;
}
