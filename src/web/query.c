#include "web/query.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes percent-encoding (and '+', which forms write for a space): NULL and an error where
 * that is no text. The caller frees it. */
static char *decode(const char *text, size_t size, struct error *err)
{
	_cleanup_buf_ struct buf out = {};

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < size ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0) {
				error_set(err, EINVAL, "the query is not well encoded");
				return NULL;
			}
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		buf_add_char(&out, c);
	}
	if (!text_is_utf8(buf_str(&out), out.size) || strlen(buf_str(&out)) != out.size) {
		error_set(err, EINVAL, "the query is not text");
		return NULL;
	}
	return str_dup(buf_str(&out));
}

static json_t *to_list(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		size_t n = strcspn(text, ",");

		if (n > 0)
			json_array_append_new(list, json_stringn(text, n));
		text += n;
		text += *text == ',';
	}
	return list;
}

static int convert(const struct route_param *param, const char *text, json_t **ret,
		   struct error *err)
{
	int64_t number = 0;
	bool is_number = text_to_number(text, INT64_MIN, INT64_MAX, &number);

	switch (param->type) {
	case PARAM_TEXT:
		*ret = json_string(text);
		return 0;
	case PARAM_LIST:
		*ret = strcmp(text, "all") == 0 ? json_string(text) : to_list(text);
		return 0;
	case PARAM_NUMBER:
		*ret = is_number ? json_integer(number) : json_string(text);
		return 0;
	case PARAM_INT:
		if (!is_number)
			return error_set(err, EINVAL, "'%s' must be a number", param->query);
		*ret = json_integer(number);
		return 0;
	case PARAM_FLAG:
		if (*text && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
			return error_set(err, EINVAL, "'%s' is 1 or 0", param->query);
		*ret = json_boolean(strcmp(text, "0") != 0);
		return 0;
	}
	return -EINVAL;
}

static const struct route_param *find(const struct route_param *params, const char *name,
				      size_t size)
{
	for (; params && params->query; params++)
		if (strlen(params->query) == size && strncmp(params->query, name, size) == 0)
			return params;
	return NULL;
}

static int read_pair(const char *pair, size_t size, const struct route_param *params,
		     json_t *request, struct error *err)
{
	const char *equals = memchr(pair, '=', size);
	size_t n = equals ? (size_t)(equals - pair) : size;
	const struct route_param *param = find(params, pair, n);
	_cleanup_free_ char *text = NULL;
	json_t *value = NULL;
	int r;

	if (!param) {
		_cleanup_free_ char *shown = str_format("%.*s", (int)(n > 60 ? 60 : n), pair);

		return error_set(err, EINVAL, "the query has '%s', which is not taken here",
				 shown);
	}
	if (json_object_get(request, param->key))
		return error_set(err, EINVAL, "the query has '%s' twice", param->query);
	text = equals ? decode(equals + 1, size - n - 1, err) : decode("", 0, err);
	if (!text)
		return -EINVAL;
	r = convert(param, text, &value, err);
	if (r == 0)
		json_object_set_new(request, param->key, value);
	return r;
}

int query_read(const char *query, const struct route_param *params, json_t *request,
	       struct error *err)
{
	int r = 0;

	while (*query && r == 0) {
		size_t size = strcspn(query, "&");

		if (size > 0)
			r = read_pair(query, size, params, request, err);
		query += size;
		query += *query == '&';
	}
	return r;
}
