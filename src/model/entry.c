#include "model/entry.h"

#include "base/buf.h"
#include "base/cleanup.h"
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

/* From the end: free text can be long, trailers are a few lines. */
static const char *last_paragraph(const char *message)
{
	size_t size = strlen(message), all = size;
	const char *newline;

	while (size > 0 && message[size - 1] == '\n')
		size--;
	while ((newline = memrchr(message, '\n', size)) && newline > message) {
		if (newline[-1] == '\n')
			return newline + 1;
		size = (size_t)(newline - message);
	}
	return message + all;
}

/* Takes one line; at moves to the next. A line without ": " has no key. */
static struct trailer take_line(const char **at)
{
	const char *end = strchrnul(*at, '\n'), *colon = memchr(*at, ':', (size_t)(end - *at));
	struct trailer line = {.line = *at};

	if (colon && colon[1] == ' ') {
		line.key_size = (size_t)(colon - *at);
		line.size = (size_t)(end - colon) - 2;
	}
	*at = *end ? end + 1 : end;
	return line;
}

void trailers_read(struct trailers *ret, const char *message)
{
	ret->count = 0;
	ret->message = message;
	ret->start = ret->rest = last_paragraph(message);
	while (*ret->rest && ret->count < ARRAY_SIZE(ret->lines))
		ret->lines[ret->count++] = take_line(&ret->rest);
}

static bool is_called(const struct trailer *line, const char *key, size_t size)
{
	return line->key_size == size && memcmp(line->line, key, size) == 0;
}

/* The nth value and its size; NULL when there is none. */
static const char *find(const struct trailers *trailers, const char *key, unsigned nth,
			size_t *ret_size)
{
	size_t size = strlen(key);
	const char *rest = trailers->rest;

	for (size_t i = 0; i < trailers->count || *rest; i++) {
		struct trailer line =
			i < trailers->count ? trailers->lines[i] : take_line(&rest);

		if (!is_called(&line, key, size) || nth-- > 0)
			continue;
		*ret_size = line.size;
		return line.line + size + 2;
	}
	return NULL;
}

char *trailer_get(const struct trailers *trailers, const char *key, unsigned nth)
{
	size_t size;
	const char *value = find(trailers, key, nth, &size);

	return value ? str_dup_n(value, size) : NULL;
}

int trailer_get_int(const struct trailers *trailers, const char *key, int64_t *ret)
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
	struct trailers trailers;

	trailers_read(&trailers, message);
	return trailer_get(&trailers, key, nth);
}

int entry_get_int(const char *message, const char *key, int64_t *ret)
{
	struct trailers trailers;

	trailers_read(&trailers, message);
	return trailer_get_int(&trailers, key, ret);
}

char *trailers_body(const struct trailers *trailers)
{
	const char *start = strstr(trailers->message, "\n\n"), *end = trailers->start;
	struct buf body = {};

	if (!start)
		return buf_take(&body);
	start += 2;
	while (end > start && end[-1] == '\n')
		end--;
	buf_add(&body, start, (size_t)(end - start));
	return buf_take(&body);
}

char *entry_body(const char *message)
{
	struct trailers trailers;

	trailers_read(&trailers, message);
	return trailers_body(&trailers);
}
