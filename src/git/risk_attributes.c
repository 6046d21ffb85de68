/* .gitattributes read for one question. */
#include "git/risk_attributes.h"

#include "base/cleanup.h"

#include <string.h>

static const char *const converting[] = {
	"export-ignore", "export-subst", "filter", "text",
	"eol",           "crlf",         "ident",  "working-tree-encoding",
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_converting(const char *word, size_t size)
{
	const char *equals = memchr(word, '=', size);
	size_t name = equals ? (size_t)(equals - word) : size;

	for (size_t i = 0; i < ARRAY_SIZE(converting); i++)
		if (strlen(converting[i]) == name && memcmp(converting[i], word, name) == 0)
			return true;
	return false;
}

/* Where the attributes begin: behind the pattern, which may be quoted as in C. */
static size_t skip_pattern(const char *line, size_t size)
{
	size_t i = 0;

	while (i < size && is_blank(line[i]))
		i++;
	if (i < size && line[i] == '"') {
		for (i++; i < size && line[i] != '"'; i++)
			if (line[i] == '\\')
				i++;
		return i < size ? i + 1 : size;
	}
	while (i < size && !is_blank(line[i]))
		i++;
	return i;
}

static bool line_converts(const char *line, size_t size)
{
	size_t i = 0;

	while (i < size && is_blank(line[i]))
		i++;
	if (i < size && line[i] == '#')
		return false;
	for (i = skip_pattern(line, size); i < size;) {
		size_t start;

		while (i < size && is_blank(line[i]))
			i++;
		start = i;
		while (i < size && !is_blank(line[i]))
			i++;
		if (is_converting(line + start, i - start))
			return true;
	}
	return false;
}

bool risk_attributes_convert(const char *text, size_t size)
{
	for (const char *at = text, *end = text + size; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);

		if (line_converts(at, n))
			return true;
		at += n + 1;
	}
	return false;
}
