/*
 * What the fuzz targets share. Each file here is one program: libFuzzer calls its one function
 * with bytes, and it ends the process when what it looks at breaks a promise.
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(), never compiled out. */
#define must(what)                                                                         \
	do {                                                                               \
		if (!(what)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                           \
		}                                                                          \
	} while (0)

/* The next field of an input, up to a 0xff byte, which is in no text of ours; a new string, cut
 * at a NUL. */
static inline char *fuzz_field(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, 0xff, *size);
	size_t n = end ? (size_t)(end - *data) : *size;
	char *text = mem_new(n + 1, 1);

	memcpy(text, *data, n);
	*data += n + (end != NULL);
	*size -= n + (end != NULL);
	return text;
}

/* Whether a text is what may be shown: UTF-8 without control or deceptive characters but tab
 * and, where they are kept, newlines. Written anew here, so that it does not lean on what it
 * judges. */
static inline bool fuzz_is_clean(const char *text, size_t size, bool newlines)
{
	for (size_t i = 0; i < size;) {
		unsigned char c = (unsigned char)text[i];
		size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		uint32_t point = n == 1 ? c : c & (0xffu >> (n + 1));

		if (c >= 0x80 && (c < 0xc2 || c > 0xf4 || i + n > size))
			return false;
		for (size_t k = 1; k < n; k++) {
			if (((unsigned char)text[i + k] & 0xc0) != 0x80)
				return false;
			point = point << 6 | ((unsigned char)text[i + k] & 0x3f);
		}
		if ((n == 3 && point < 0x800) ||
		    (n == 4 && (point < 0x10000 || point > 0x10ffff)))
			return false;
		if ((point < 0x20 && point != '\t' && !(newlines && point == '\n')) ||
		    (point >= 0x7f && point < 0xa0) || (point >= 0xd800 && point < 0xe000) ||
		    (point >= 0x200b && point <= 0x200f) ||
		    (point >= 0x202a && point <= 0x202e) ||
		    (point >= 0x2060 && point <= 0x2069) || point == 0xfeff)
			return false;
		i += n;
	}
	return true;
}
