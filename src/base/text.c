#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISTANCE_MAX 64 /* longer words are compared with nothing */

size_t text_decode(const char *s, size_t size, uint32_t *ret_codepoint)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t c, least;
	size_t n;

	if (size == 0)
		return 0;
	if (u[0] < 0x80) {
		*ret_codepoint = u[0];
		return 1;
	}
	if ((u[0] & 0xe0) == 0xc0) {
		n = 2;
		c = u[0] & 0x1f;
		least = 0x80;
	} else if ((u[0] & 0xf0) == 0xe0) {
		n = 3;
		c = u[0] & 0x0f;
		least = 0x800;
	} else if ((u[0] & 0xf8) == 0xf0) {
		n = 4;
		c = u[0] & 0x07;
		least = 0x10000;
	} else {
		return 0;
	}
	if (size < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_codepoint = c;
	return n;
}

bool text_is_utf8(const char *s, size_t size)
{
	uint32_t c;

	while (size > 0) {
		size_t n = text_decode(s, size, &c);

		if (n == 0)
			return false;
		s += n;
		size -= n;
	}
	return true;
}

bool text_is_deceptive(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00ad, 0x00ad}, {0x034f, 0x034f}, {0x061c, 0x061c},   {0x115f, 0x1160},
		{0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},   {0x2028, 0x202e},
		{0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
		{0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
	};

	if (c < ranges[0].first)
		return false;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

void text_clean(struct buf *out, const char *s, size_t size, size_t max, bool keep_newlines)
{
	size_t start = out->size;

	while (size > 0) {
		char piece[16];
		size_t piece_size;
		uint32_t c = 0;
		size_t n = text_decode(s, size, &c);

		if (n == 0) {
			piece_size = (size_t)snprintf(piece, sizeof(piece), "\\x%02x",
						      (unsigned char)*s);
			n = 1;
		} else if (c == '\n') {
			piece[0] = keep_newlines ? '\n' : ' ';
			piece_size = 1;
		} else if (c == '\t') {
			piece[0] = '\t';
			piece_size = 1;
		} else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
			piece_size =
				(size_t)snprintf(piece, sizeof(piece), "\\x%02x", (unsigned)c);
		} else if (text_is_deceptive(c)) {
			piece_size =
				(size_t)snprintf(piece, sizeof(piece), "U+%04X", (unsigned)c);
		} else {
			memcpy(piece, s, n);
			piece_size = n;
		}
		if (out->size - start + piece_size > max) {
			buf_add_str(out, "…");
			return;
		}
		buf_add(out, piece, piece_size);
		s += n;
		size -= n;
	}
}

void text_keep(struct buf *out, const char *s, size_t size)
{
	while (size > 0) {
		uint32_t c = 0;
		size_t n = text_decode(s, size, &c);

		if (n == 0 || c == 0)
			buf_addf(out, "\\x%02x", (unsigned char)*s);
		else
			buf_add(out, s, n);
		s += n ? n : 1;
		size -= n ? n : 1;
	}
}

size_t text_cut_short(const char *s, size_t size)
{
	for (size_t n = 1; n <= 3 && n <= size; n++) {
		unsigned char c = (unsigned char)s[size - n];
		size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;

		if (whole > 0)
			return whole > n ? n : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

char *text_clean_dup(const char *s, size_t max, bool keep_newlines)
{
	struct buf b = {};

	text_clean(&b, s, strlen(s), max, keep_newlines);
	return buf_take(&b);
}

void text_hex(char *out, const void *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *u = data;

	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[u[i] >> 4];
		out[2 * i + 1] = digits[u[i] & 15];
	}
	out[2 * size] = '\0';
}

bool text_is_hex(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

bool text_to_number(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	const char *digits = s + (min < 0 && *s == '-');
	int64_t n;

	if (!*digits || digits[strspn(digits, "0123456789")])
		return false;
	errno = 0;
	n = strtoll(s, NULL, 10);
	if (errno != 0 || n < min || n > max)
		return false;
	*ret = n;
	return true;
}

size_t text_distance(const char *a, const char *b)
{
	size_t row[DISTANCE_MAX + 1], n = strlen(b);

	if (strlen(a) > DISTANCE_MAX || n > DISTANCE_MAX)
		return DISTANCE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

const char *text_nearest(const char *word, const char *const *words)
{
	const char *near = NULL;
	size_t least = 3; /* farther than two letters is no slip */

	for (; *words; words++) {
		size_t far = text_distance(word, *words);

		if (far < least) {
			least = far;
			near = *words;
		}
	}
	return near;
}
