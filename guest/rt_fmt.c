/* SPDX-License-Identifier: BSD-2-Clause
 * Strings: mem*, comparison, globs, and the subset of snprintf that reports need.
 * Knows nothing of where the text goes. */
#include "rt_private.h"

#define BASE_DEC 10
#define BASE_HEX 16
#define DIGITS_MAX 20

void *memcpy(void *to, const void *from, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
	return ret;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if (t <= f || t >= f + n)
		return memcpy(to, from, n);
	while (n--) {
		t[n] = f[n];
		barrier(); /* or the compiler makes a call of memmove out of the loop */
	}
	return to;
}

void *memset(void *to, int c, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t str_len(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int str_cmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (uint8_t)*a - (uint8_t)*b;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

/* One glob, which ends at `end`. */
static bool glob_one(const char *g, const char *end, const char *s)
{
	const char *star = NULL, *retry = NULL;

	while (*s) {
		if (g < end && *g == '*') {
			star = ++g;
			retry = s;
		} else if (g < end && (*g == '?' || *g == *s)) {
			g++, s++;
		} else if (star) {
			g = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (g < end && *g == '*')
		g++;
	return g == end;
}

bool glob_match(const char *globs, const char *s)
{
	for (;;) {
		const char *end = globs;

		while (*end && *end != ',')
			end++;
		if (glob_one(globs, end, s))
			return true;
		if (!*end)
			return false;
		globs = end + 1;
	}
}

uint64_t str_to_u64(const char *s)
{
	uint64_t val = 0, base = BASE_DEC;

	if (str_has_prefix(s, "0x") || str_has_prefix(s, "0X")) {
		base = BASE_HEX;
		s += str_len("0x");
	}
	for (;; s++) {
		if (*s >= '0' && *s <= '9')
			val = val * base + (uint64_t)(*s - '0');
		else if (base == BASE_HEX && *s >= 'a' && *s <= 'f')
			val = val * base + (uint64_t)(*s - 'a') + BASE_DEC;
		else if (base == BASE_HEX && *s >= 'A' && *s <= 'F')
			val = val * base + (uint64_t)(*s - 'A') + BASE_DEC;
		else
			return val;
	}
}

struct out {
	char *buf;
	size_t size, len;
};

static void out_char(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

struct spec {
	bool alt, zero, left;
	unsigned width;
	int precision; /* -1: none */
	unsigned longs;
	char conv;
};

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
	*s = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '#')
			s->alt = true;
		else if (*f == '0')
			s->zero = true;
		else if (*f == '-')
			s->left = true;
		else
			break;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		s->width = s->width * BASE_DEC + (unsigned)(*f - '0');
	if (*f == '.' && *++f == '*') {
		s->precision = va_arg(*ap, int);
		f++;
	}
	for (; *f == 'l' || *f == 'z'; f++)
		s->longs++;
	s->conv = *f;
	return f + 1;
}

static void out_padded(struct out *o, const struct spec *s, const char *text, size_t len)
{
	size_t pad = s->width > len ? s->width - len : 0;

	for (; pad && !s->left; pad--)
		out_char(o, s->zero ? '0' : ' ');
	for (size_t i = 0; i < len; i++)
		out_char(o, text[i]);
	for (; pad; pad--)
		out_char(o, ' ');
}

static void out_number(struct out *o, const struct spec *s, uint64_t val, bool negative)
{
	char digits[DIGITS_MAX + 3], *p = digits + sizeof(digits);
	uint64_t base = s->conv == 'x' || s->conv == 'p' ? BASE_HEX : BASE_DEC;
	bool prefix = base == BASE_HEX && val && (s->alt || s->conv == 'p');

	do {
		*--p = "0123456789abcdef"[val % base];
		val /= base;
	} while (val);
	if (prefix) {
		*--p = 'x';
		*--p = '0';
	}
	if (negative)
		*--p = '-';
	out_padded(o, s, p, (size_t)(digits + sizeof(digits) - p));
}

static void out_conversion(struct out *o, const struct spec *s, va_list *ap)
{
	if (s->conv == 's') {
		const char *text = va_arg(*ap, const char *);
		size_t len = text ? str_len(text) : 0;

		out_padded(o, s, text, s->precision >= 0 ? min_u64(len, (uint64_t)s->precision) : len);
	} else if (s->conv == 'c') {
		out_char(o, (char)va_arg(*ap, int));
	} else if (s->conv == 'd') {
		int64_t v = s->longs ? va_arg(*ap, long long) : va_arg(*ap, int);

		out_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
	} else if (s->conv == 'u' || s->conv == 'x') {
		out_number(o, s, s->longs ? va_arg(*ap, unsigned long long) : va_arg(*ap, unsigned), false);
	} else if (s->conv == 'p') {
		out_number(o, s, (uint64_t)va_arg(*ap, void *), false);
	} else {
		out_char(o, s->conv);
	}
}

int rt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { .buf = buf, .size = size };
	va_list args;

	va_copy(args, ap);
	while (*fmt) {
		struct spec s;

		if (*fmt != '%') {
			out_char(&o, *fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &s, &args);
		out_conversion(&o, &s, &args);
	}
	va_end(args);
	if (size)
		buf[min_u64(o.len, size - 1)] = '\0';
	return (int)o.len;
}

int rt_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = rt_vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
