#include "git/commitcheck.h"

#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define HEX_ID_SIZE (2 * RAW_ID_SIZE)
/* The last second of the year 9999: what every reader of dates can still print. */
#define LAST_SECOND 253402300799LL
#define SECOND_MAX_DIGITS 12

/* The part of the object not read yet, and who to blame. */
struct cursor {
	const char *p, *end;
	const char *commit;
	struct error *err;
};

static int refuse(const struct cursor *c, const char *rule)
{
	return error_set(c->err, EINVAL, "commit %.12s %s", c->commit, rule);
}

/* The line at the cursor without its newline; moves past it. False when no newline follows. */
static bool next_line(struct cursor *c, const char **ret, size_t *ret_size)
{
	const char *newline = memchr(c->p, '\n', (size_t)(c->end - c->p));

	if (!newline)
		return false;
	*ret = c->p;
	*ret_size = (size_t)(newline - c->p);
	c->p = newline + 1;
	return true;
}

static bool starts_with(const struct cursor *c, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(c->end - c->p) >= n && memcmp(c->p, word, n) == 0;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* "WORD 40 digits"; the word was looked at. */
static bool parse_id_line(struct cursor *c, size_t word_size, unsigned char ret[RAW_ID_SIZE])
{
	static const unsigned char null_id[RAW_ID_SIZE];
	const char *line;
	size_t size;

	if (!next_line(c, &line, &size) || size != word_size + HEX_ID_SIZE)
		return false;
	line += word_size;
	for (size_t i = 0; i < RAW_ID_SIZE; i++) {
		int high = hex_value(line[2 * i]), low = hex_value(line[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (unsigned char)(high << 4 | low);
	}
	return memcmp(ret, null_id, RAW_ID_SIZE) != 0;
}

static size_t count_digits(const char *s, size_t size)
{
	size_t n = 0;

	while (n < size && s[n] >= '0' && s[n] <= '9')
		n++;
	return n;
}

/* "1757000000 +0200" and nothing after it */
static bool is_time(const char *s, size_t size)
{
	size_t n = count_digits(s, size);
	int64_t second = 0;

	if (n == 0 || n > SECOND_MAX_DIGITS || (n > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++)
		second = second * 10 + (s[i] - '0');
	return second <= LAST_SECOND && size == n + 6 && s[n] == ' ' &&
	       (s[n + 1] == '+' || s[n + 1] == '-') && count_digits(s + n + 2, 4) == 4;
}

/* "Name <mail> time zone"; the name may be empty, git writes the space all the same. */
static bool is_identity(const char *s, size_t size)
{
	const char *open = memchr(s, '<', size);
	const char *close = open ? memchr(open, '>', (size_t)(s + size - open)) : NULL;
	size_t rest;

	if (!close || open == s || open[-1] != ' ' || memchr(s, '>', (size_t)(open - s)) ||
	    memchr(open + 1, '<', (size_t)(close - open - 1)))
		return false;
	rest = (size_t)(s + size - close - 1);
	return rest > 1 && close[1] == ' ' && is_time(close + 2, rest - 1);
}

static int parse_identity(struct cursor *c, const char *word, const char *absent,
			  const char *malformed)
{
	size_t n = strlen(word), size;
	const char *line;

	if (!starts_with(c, word))
		return refuse(c, absent);
	if (!next_line(c, &line, &size) || !is_identity(line + n, size - n))
		return refuse(c, malformed);
	return 0;
}

static int parse_parents(struct cursor *c, size_t max_parents, struct commit_ids *ret)
{
	if (max_parents > COMMIT_MAX_PARENTS)
		max_parents = COMMIT_MAX_PARENTS;
	while (starts_with(c, "parent ")) {
		if (ret->n_parents == max_parents)
			return error_set(c->err, E2BIG,
					 "commit %.12s has more than %zu parents", c->commit,
					 max_parents);
		if (!parse_id_line(c, strlen("parent "), ret->parents[ret->n_parents]))
			return refuse(c, "has a malformed parent line");
		ret->n_parents++;
	}
	return 0;
}

/* What may follow the committer, up to the blank line. */
static int parse_extras(struct cursor *c)
{
	static const char *const known[] = {"gpgsig ", "gpgsig-sha256 ", "mergetag "};
	static const char *const utf8[] = {"encoding UTF-8", "encoding utf-8", "encoding UTF8",
					   "encoding utf8"};
	bool may_continue = false, has_encoding = false;
	const char *line;
	size_t size;

	while (next_line(c, &line, &size)) {
		bool ok = size > 0 && line[0] == ' ' && may_continue;

		if (size == 0)
			return 0;
		for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]) && !ok; i++)
			ok = size == strlen(utf8[i]) && memcmp(line, utf8[i], size) == 0;
		if (size >= 9 && memcmp(line, "encoding ", 9) == 0) {
			if (!ok)
				return refuse(c, "is not in UTF-8");
			/* libgit2 1.5 never frees the first of two */
			if (has_encoding)
				return refuse(c, "names its encoding twice");
			has_encoding = true;
		}
		if (line[0] != ' ')
			may_continue = false;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !ok; i++)
			if (size >= strlen(known[i]) &&
			    memcmp(line, known[i], strlen(known[i])) == 0)
				ok = may_continue = true;
		if (!ok)
			return refuse(c, "has a header that is not known here");
	}
	return refuse(c, "ends within its headers");
}

int commitcheck(const char *commit, const void *data, size_t size, size_t max_parents,
		struct commit_ids *ret, struct error *err)
{
	struct cursor c = {.p = data,
			   .end = (const char *)data + size,
			   .commit = commit,
			   .err = err};
	struct commit_ids ids = {};
	int r;

	if (memchr(data, '\0', size))
		return refuse(&c, "contains a NUL byte");
	if (!starts_with(&c, "tree ") || !parse_id_line(&c, strlen("tree "), ids.tree))
		return refuse(&c, "does not begin with a tree line");
	r = parse_parents(&c, max_parents, &ids);
	if (r < 0)
		return r;
	r = parse_identity(&c, "author ", "has no author where one belongs",
			   "has a malformed author line");
	if (r < 0)
		return r;
	r = parse_identity(&c, "committer ", "has no committer where one belongs",
			   "has a malformed committer line");
	if (r < 0)
		return r;
	r = parse_extras(&c);
	if (r < 0)
		return r;
	*ret = ids;
	return 0;
}
