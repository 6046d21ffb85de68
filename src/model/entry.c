#include "model/entry.h"

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

/* Where the last paragraph starts; the message itself when there is only one. */
static const char *trailers_of(const char *message)
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
	return message;
}

char *entry_get(const char *message, const char *key, unsigned nth)
{
	const char *line = trailers_of(message);
	size_t n = strlen(key);

	if (line == message)
		return NULL;
	while (*line) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, key, n) == 0 && line[n] == ':' && line[n + 1] == ' ') {
			if (nth == 0)
				return strndup(line + n + 2, (size_t)(end - line) - n - 2);
			nth--;
		}
		line = *end ? end + 1 : end;
	}
	return NULL;
}

int entry_get_int(const char *message, const char *key, int64_t *ret)
{
	char *value = entry_get(message, key, 0);
	char *end = NULL;
	intmax_t n;

	if (!value)
		return -ENOENT;
	errno = 0;
	n = strtoimax(value, &end, 10);
	if (errno != 0 || end == value || *end) {
		free(value);
		return -EINVAL;
	}
	free(value);
	*ret = n;
	return 0;
}

char *entry_body(const char *message)
{
	const char *start = strstr(message, "\n\n"), *end = trailers_of(message);
	struct buf body = {};

	if (!start || end < start + 2)
		return buf_take(&body);
	start += 2;
	while (end > start && end[-1] == '\n')
		end--;
	buf_add(&body, start, (size_t)(end - start));
	return buf_take(&body);
}
