/* SPDX-License-Identifier: BSD-2-Clause
 * The four functions of the C library that a freestanding compiler may call on its own.
 * Knows nothing else. */
#include <string.h>

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

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
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
