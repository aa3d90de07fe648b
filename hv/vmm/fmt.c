/* SPDX-License-Identifier: BSD-2-Clause
 * The one formatter: a subset of printf into a buffer.
 * Knows nothing of where the text goes. */
#include "vmm/fmt.h"

#define DIGITS_MAX 20 /* of 2^64 - 1 in base 10 */

struct out {
	char *buf;
	size_t size, len;
};

struct directive {
	bool left, zero, alternate, wide;
	size_t width;
	size_t precision; /* of %s: SIZE_MAX if none */
};

/* A va_list in a struct: as a bare parameter it may decay to a pointer. */
struct args {
	va_list ap;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_repeated(struct out *o, char c, size_t from, size_t to)
{
	for (; from < to; from++)
		put(o, c);
}

static void put_padded(struct out *o, const struct directive *d, const char *text, size_t len)
{
	if (!d->left)
		put_repeated(o, ' ', len, d->width);
	for (size_t i = 0; i < len; i++)
		put(o, text[i]);
	if (d->left)
		put_repeated(o, ' ', len, d->width);
}

static void put_string(struct out *o, const struct directive *d, const char *s)
{
	size_t len = 0;

	if (!s)
		s = "(null)";
	while (len < d->precision && s[len])
		len++;
	put_padded(o, d, s, len);
}

static void put_number(struct out *o, const struct directive *d, const char *prefix, uint64_t v, unsigned base)
{
	char digits[DIGITS_MAX];
	size_t n = 0, total;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	for (total = n; prefix[total - n];)
		total++;
	if (!d->left && !d->zero)
		put_repeated(o, ' ', total, d->width);
	for (; *prefix; prefix++)
		put(o, *prefix);
	if (!d->left && d->zero)
		put_repeated(o, '0', total, d->width);
	while (n)
		put(o, digits[--n]);
	if (d->left)
		put_repeated(o, ' ', total, d->width);
}

static void put_signed(struct out *o, const struct directive *d, struct args *a)
{
	int64_t v = d->wide ? va_arg(a->ap, int64_t) : va_arg(a->ap, int);

	/* Negated as unsigned: the most negative number has no positive twin. */
	put_number(o, d, v < 0 ? "-" : "", v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
}

static void put_unsigned(struct out *o, const struct directive *d, struct args *a, unsigned base)
{
	uint64_t v = d->wide ? va_arg(a->ap, uint64_t) : va_arg(a->ap, unsigned);

	put_number(o, d, base == 16 && d->alternate && v ? "0x" : "", v, base);
}

static void put_char(struct out *o, const struct directive *d, struct args *a)
{
	char c = (char)va_arg(a->ap, int);

	put_padded(o, d, &c, 1);
}

static const char *parse_number(const char *p, struct args *a, size_t *n)
{
	if (*p == '*') {
		int v = va_arg(a->ap, int);

		*n = v < 0 ? 0 : (size_t)v;
		return p + 1;
	}
	for (*n = 0; *p >= '0' && *p <= '9'; p++)
		*n = *n * 10 + (size_t)(*p - '0');
	return p;
}

static const char *parse_flags(const char *p, struct directive *d)
{
	for (;; p++) {
		if (*p == '-')
			d->left = true;
		else if (*p == '0')
			d->zero = true;
		else if (*p == '#')
			d->alternate = true;
		else
			return p;
	}
}

/* Returns the place of the conversion letter. */
static const char *parse_directive(const char *p, struct args *a, struct directive *d)
{
	*d = (struct directive){ .precision = SIZE_MAX };
	p = parse_number(parse_flags(p, d), a, &d->width);
	if (*p == '.')
		p = parse_number(p + 1, a, &d->precision);
	/* In LP64 long, long long and size_t are all 64 bits. */
	for (; *p == 'l' || *p == 'z'; p++)
		d->wide = true;
	return p;
}

static bool convert(struct out *o, const struct directive *d, char letter, struct args *a)
{
	switch (letter) {
	case 'd':
		put_signed(o, d, a);
		return true;
	case 'u':
		put_unsigned(o, d, a, 10);
		return true;
	case 'x':
		put_unsigned(o, d, a, 16);
		return true;
	case 'p':
		put_number(o, d, "0x", (uintptr_t)va_arg(a->ap, void *), 16);
		return true;
	case 'c':
		put_char(o, d, a);
		return true;
	case 's':
		put_string(o, d, va_arg(a->ap, const char *));
		return true;
	case '%':
		put(o, '%');
		return true;
	default:
		return false;
	}
}

size_t fmt_v(char *buf, size_t size, const char *format, va_list ap)
{
	struct out o = { .buf = buf, .size = size };
	struct args a;

	va_copy(a.ap, ap);
	for (const char *p = format; *p; p++) {
		const char *start = p;
		struct directive d;

		if (*p != '%') {
			put(&o, *p);
			continue;
		}
		p = parse_directive(p + 1, &a, &d);
		if (convert(&o, &d, *p, &a))
			continue;
		for (; start < p; start++)
			put(&o, *start);
		p--;
	}
	va_end(a.ap);
	if (size)
		buf[o.len < size ? o.len : size - 1] = '\0';
	return o.len;
}

size_t fmt(char *buf, size_t size, const char *format, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, format);
	len = fmt_v(buf, size, format, ap);
	va_end(ap);
	return len;
}
