/* SPDX-License-Identifier: BSD-2-Clause
 * Bytes to text: is this a configuration at all, and in which encoding?
 * Knows nothing of the words. */
#include "boot/config.h"

#include "status.h"

#define UCS2_SIZE 2
#define BOM_LO 0xff
#define BOM_HI 0xfe
#define PRINTABLE_FIRST 0x20
#define PRINTABLE_LAST 0x7e

static const uint8_t utf8_bom[] = { 0xef, 0xbb, 0xbf };

static bool is_text(uint32_t c)
{
	return (c >= PRINTABLE_FIRST && c <= PRINTABLE_LAST) || c == '\t' || c == '\r' || c == '\n';
}

/* Units of 1 or 2 bytes, up to the first NUL. */
static int to_text(const uint8_t *data, size_t size, size_t unit, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i + unit <= size; i += unit) {
		uint32_t c = unit == UCS2_SIZE ? (uint32_t)(data[i] | data[i + 1] << 8) : data[i];

		if (!c)
			break;
		if (!is_text(c))
			return E_INVAL;
		if (n == CONFIG_TEXT_SIZE - 1)
			return E_NOMEM;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return 0;
}

int config_text_from_load_options(const uint8_t *data, size_t size, char *out)
{
	out[0] = '\0';
	return size % UCS2_SIZE ? E_INVAL : to_text(data, size, UCS2_SIZE, out);
}

int config_text_from_file(const uint8_t *data, size_t size, char *out)
{
	out[0] = '\0';
	if (size >= UCS2_SIZE && data[0] == BOM_LO && data[1] == BOM_HI)
		return to_text(data + UCS2_SIZE, size - UCS2_SIZE, UCS2_SIZE, out);
	if (size >= sizeof(utf8_bom) && data[0] == utf8_bom[0] && data[1] == utf8_bom[1] && data[2] == utf8_bom[2])
		return to_text(data + sizeof(utf8_bom), size - sizeof(utf8_bom), 1, out);
	return to_text(data, size, 1, out);
}
