#include "model/entry.h"

#include "base/buf.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 8192

void entry_begin(struct entry *r, const char *subject, const char *body)
{
	*r = (struct entry){};
	text_clean(&r->text, subject, strlen(subject), 200, false);
	buf_add_char(&r->text, '\n');
	if (body && body[0]) {
		size_t size = strlen(body);

		buf_add_char(&r->text, '\n');
		if (size > ENTRY_BODY_MAX) {
			body += size - ENTRY_BODY_MAX;
			size = ENTRY_BODY_MAX;
			buf_add_str(&r->text, "[earlier text was left out]\n");
		}
		text_clean(&r->text, body, size, 2 * ENTRY_BODY_MAX, true);
		if (r->text.data[r->text.size - 1] != '\n')
			buf_add_char(&r->text, '\n');
	}
}

void entry_put(struct entry *r, const char *key, const char *value)
{
	if (!value)
		return;
	if (!r->in_trailers)
		buf_add_char(&r->text, '\n');
	r->in_trailers = true;
	buf_addf(&r->text, "%s: ", key);
	text_clean(&r->text, value, strlen(value), VALUE_MAX, false);
	buf_add_char(&r->text, '\n');
}

void entry_put_int(struct entry *r, const char *key, int64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRId64, value);
	entry_put(r, key, digits);
}

const char *entry_text(const struct entry *r)
{
	return buf_str(&r->text);
}

void entry_release(struct entry *r)
{
	buf_release(&r->text);
}

const char *entry_trailers(const char *message)
{
	size_t size = strlen(message);
	const char *newline;

	while (size > 0 && message[size - 1] == '\n')
		size--;
	/* from the end: free text can be long, trailers are a few lines */
	while ((newline = memrchr(message, '\n', size)) && newline > message) {
		if (newline[-1] == '\n')
			return newline + 1;
		size = (size_t)(newline - message);
	}
	return message + strlen(message);
}

/* The nth value and its size; NULL when there is none. */
static const char *find(const char *trailers, const char *key, unsigned nth, size_t *ret_size)
{
	size_t n = strlen(key);

	for (const char *line = trailers; *line;) {
		const char *end = strchrnul(line, '\n');

		if ((size_t)(end - line) >= n + 2 && memcmp(line, key, n) == 0 &&
		    line[n] == ':' && line[n + 1] == ' ' && nth-- == 0) {
			*ret_size = (size_t)(end - line) - n - 2;
			return line + n + 2;
		}
		line = *end ? end + 1 : end;
	}
	return NULL;
}

char *trailer_get(const char *trailers, const char *key, unsigned nth)
{
	size_t size;
	const char *value = find(trailers, key, nth, &size);

	return value ? str_dup_n(value, size) : NULL;
}

int trailer_get_int(const char *trailers, const char *key, int64_t *ret)
{
	size_t size;
	const char *value = find(trailers, key, 0, &size);
	char *end = NULL;
	intmax_t n;

	if (!value)
		return -ENOENT;
	errno = 0;
	n = strtoimax(value, &end, 10);
	if (errno != 0 || size == 0 || end != value + size)
		return -EINVAL;
	*ret = n;
	return 0;
}

char *entry_get(const char *message, const char *key, unsigned nth)
{
	return trailer_get(entry_trailers(message), key, nth);
}

int entry_get_int(const char *message, const char *key, int64_t *ret)
{
	return trailer_get_int(entry_trailers(message), key, ret);
}

char *entry_body(const char *message)
{
	const char *start = strstr(message, "\n\n"), *end = entry_trailers(message);
	struct buf body = {};

	if (!start)
		return buf_take(&body);
	start += 2;
	while (end > start && end[-1] == '\n')
		end--;
	buf_add(&body, start, (size_t)(end - start));
	return buf_take(&body);
}
