/*
 * Text that is not what it seems. Invisible and reordering characters are those of base/text.h
 * and control characters; scripts whose letters look alike are told apart by ranges of
 * Unicode's Scripts.txt. A word that takes letters of two of them is what a person would write
 * by accident only.
 */
#include "git/risk_text.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLACES 20 /* of each kind in one file; more tell nothing new */

enum script {
	SCRIPT_LATIN = 1,
	SCRIPT_CYRILLIC = 2,
	SCRIPT_GREEK = 4,
	SCRIPT_ARMENIAN = 8,
	SCRIPT_CHEROKEE = 16,
	SCRIPT_STYLED = 32, /* mathematical and full-width doubles of Latin letters */
};

/* Letters only; Greek without those that nobody takes for Latin (mu, pi, Delta, Omega, …). */
static const struct {
	uint32_t first, last;
	unsigned script;
} ranges[] = {
	{'A', 'Z', SCRIPT_LATIN},          {'a', 'z', SCRIPT_LATIN},
	{0xc0, 0xd6, SCRIPT_LATIN},        {0xd8, 0xf6, SCRIPT_LATIN},
	{0xf8, 0x24f, SCRIPT_LATIN},       {0x250, 0x2af, SCRIPT_LATIN},
	{0x37f, 0x37f, SCRIPT_GREEK},      {0x391, 0x392, SCRIPT_GREEK},
	{0x395, 0x397, SCRIPT_GREEK},      {0x399, 0x39a, SCRIPT_GREEK},
	{0x39c, 0x39d, SCRIPT_GREEK},      {0x39f, 0x39f, SCRIPT_GREEK},
	{0x3a1, 0x3a1, SCRIPT_GREEK},      {0x3a4, 0x3a5, SCRIPT_GREEK},
	{0x3a7, 0x3a7, SCRIPT_GREEK},      {0x3b1, 0x3b1, SCRIPT_GREEK},
	{0x3b3, 0x3b3, SCRIPT_GREEK},      {0x3b9, 0x3ba, SCRIPT_GREEK},
	{0x3bd, 0x3bd, SCRIPT_GREEK},      {0x3bf, 0x3bf, SCRIPT_GREEK},
	{0x3c1, 0x3c1, SCRIPT_GREEK},      {0x3c3, 0x3c3, SCRIPT_GREEK},
	{0x3c5, 0x3c5, SCRIPT_GREEK},      {0x3c7, 0x3c7, SCRIPT_GREEK},
	{0x3f2, 0x3f3, SCRIPT_GREEK},      {0x3f9, 0x3fa, SCRIPT_GREEK},
	{0x400, 0x52f, SCRIPT_CYRILLIC},   {0x531, 0x587, SCRIPT_ARMENIAN},
	{0x13a0, 0x13fd, SCRIPT_CHEROKEE}, {0x1c80, 0x1c88, SCRIPT_CYRILLIC},
	{0x1e00, 0x1eff, SCRIPT_LATIN},    {0x2c60, 0x2c7f, SCRIPT_LATIN},
	{0xa640, 0xa69f, SCRIPT_CYRILLIC}, {0xa722, 0xa7ff, SCRIPT_LATIN},
	{0xab70, 0xabbf, SCRIPT_CHEROKEE}, {0xff21, 0xff3a, SCRIPT_STYLED},
	{0xff41, 0xff5a, SCRIPT_STYLED},   {0x1d400, 0x1d7ff, SCRIPT_STYLED},
};

static unsigned script_of(uint32_t c)
{
	size_t low = 0, high = ARRAY_SIZE(ranges);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c < ranges[middle].first)
			high = middle;
		else if (c > ranges[middle].last)
			low = middle + 1;
		else
			return ranges[middle].script;
	}
	return 0;
}

/* What a word goes on over without a script of its own: digits, "_", combining marks. */
static bool joins_words(uint32_t c)
{
	return (c >= '0' && c <= '9') || c == '_' || (c >= 0x300 && c <= 0x36f) ||
	       (c >= 0x483 && c <= 0x489);
}

static bool is_hidden_control(const char *s, size_t left, uint32_t c)
{
	if (c == '\t' || c == '\n')
		return false;
	if (c == '\r')
		return left > 1 && s[1] != '\n'; /* it would overwrite the line on a terminal */
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

struct finding {
	bool invisible, mixed;
};

static struct finding look(const char *s, size_t size)
{
	struct finding found = {};
	unsigned scripts = 0;

	while (size > 0) {
		uint32_t c = 0;
		size_t n = text_decode(s, size, &c);
		unsigned script = n ? script_of(c) : 0;

		if (n == 0)
			n = 1; /* not UTF-8: shown as an escape, so it hides nothing */
		else if (text_is_deceptive(c) || is_hidden_control(s, size, c))
			found.invisible = true;
		/* an invisible character does not part a word for the reader */
		if (script)
			scripts |= script;
		else if (!joins_words(c) && !text_is_deceptive(c))
			scripts = 0;
		if (scripts & (scripts - 1))
			found.mixed = true;
		s += n;
		size -= n;
	}
	return found;
}

struct line {
	const char *text;
	size_t size;
};

struct lines {
	struct line *items;
	size_t count, room;
};

static int by_text(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int r = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);

	return r ? r : (x->size > y->size) - (x->size < y->size);
}

static struct line take_line(const char **at, const char *end)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));
	struct line line = {*at, (size_t)((newline ? newline + 1 : end) - *at)};

	*at += line.size;
	return line;
}

/* Nearly all lines are plain ASCII and need no second look. */
static bool is_plain(struct line line)
{
	for (size_t i = 0; i < line.size; i++) {
		unsigned char c = (unsigned char)line.text[i];

		if (c >= 0x7f || (c < 0x20 && c != '\t' && c != '\n'))
			return false;
	}
	return true;
}

/* The lines of the old text that would be flagged, sorted: they were seen before. */
static struct lines known_lines(const char *old, size_t size)
{
	struct lines known = {};

	for (const char *at = old, *end = old + size; at < end;) {
		struct line line = take_line(&at, end);

		if (is_plain(line))
			continue;
		if (known.count == known.room) {
			known.room = known.room ? 2 * known.room : 16;
			known.items = mem_grow(known.items, known.room, sizeof(*known.items));
		}
		known.items[known.count++] = line;
	}
	if (known.count > 1)
		qsort(known.items, known.count, sizeof(*known.items), by_text);
	return known;
}

static void add_place(struct flags *flags, enum flag_kind kind, const char *path, size_t line,
		      size_t *places)
{
	_cleanup_free_ char *place = str_format("%s:%zu", path, line);

	if ((*places)++ < MAX_PLACES)
		flags_add(flags, kind, place);
}

void risk_text(const char *path, const char *old, size_t old_size, const char *new,
	       size_t new_size, struct flags *flags)
{
	struct lines known = known_lines(old ? old : "", old ? old_size : 0);
	size_t number = 0, invisible = 0, mixed = 0;

	for (const char *at = new, *end = new + new_size; at < end;) {
		struct line line = take_line(&at, end);
		struct finding found;

		number++;
		if (is_plain(line) || (known.count && bsearch(&line, known.items, known.count,
							      sizeof(line), by_text)))
			continue;
		found = look(line.text, line.size);
		if (found.invisible)
			add_place(flags, FLAG_INVISIBLE_CHARACTERS, path, number, &invisible);
		if (found.mixed)
			add_place(flags, FLAG_MIXED_SCRIPT, path, number, &mixed);
	}
	free(known.items);
}

void risk_name(const char *path, struct flags *flags)
{
	struct finding found = look(path, strlen(path));

	if (found.invisible)
		flags_add(flags, FLAG_INVISIBLE_CHARACTERS, path);
	if (found.mixed)
		flags_add(flags, FLAG_MIXED_SCRIPT, path);
}
