#include "base/json.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SHOWN 80

/* A value that is only half there for want of memory could be written down as if it were all.
 */
__attribute__((constructor)) static void end_without_memory(void)
{
	json_set_alloc_funcs(mem_alloc, free);
}

int json_parse(const char *data, size_t size, json_t **ret, struct error *err)
{
	json_error_t where;
	json_t *value = json_loadb(data, size, JSON_REJECT_DUPLICATES, &where);

	if (!value) {
		/* jansson quotes the token it stopped at, and that is the sender's */
		_cleanup_free_ char *clean =
			text_clean_dup(where.text, sizeof(where.text), false);

		return error_set(err, EINVAL, "not valid JSON: %s at line %d, column %d", clean,
				 where.line, where.column);
	}
	*ret = value;
	return 0;
}

char *json_line(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
}

static int wrong_type(const json_t *value, const char *key, const char *wanted,
		      struct error *err)
{
	_cleanup_free_ char *shown = json_line(value);
	_cleanup_free_ char *clean = text_clean_dup(shown ? shown : "?", MAX_SHOWN, false);

	return error_set(err, EINVAL, "'%s' must be %s, not %s", key, wanted, clean);
}

/* 1 = present, 0 = absent and that is fine */
static int find(const json_t *object, const char *key, bool required, json_t **ret,
		struct error *err)
{
	json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value)) {
		if (required)
			return error_set(err, EINVAL, "'%s' is missing", key);
		return 0;
	}
	*ret = value;
	return 1;
}

int json_get_str(const json_t *object, const char *key, bool required, const char **ret,
		 struct error *err)
{
	json_t *value = NULL;
	int r = find(object, key, required, &value, err);

	if (r <= 0)
		return r;
	if (!json_is_string(value))
		return wrong_type(value, key, "a string", err);
	*ret = json_string_value(value);
	return 0;
}

int json_get_int(const json_t *object, const char *key, bool required, int64_t min, int64_t max,
		 int64_t *ret, struct error *err)
{
	json_t *value = NULL;
	int r = find(object, key, required, &value, err);
	char wanted[96];

	if (r <= 0)
		return r;
	if (!json_is_integer(value) || json_integer_value(value) < min ||
	    json_integer_value(value) > max) {
		snprintf(wanted, sizeof(wanted), "a whole number from %" PRId64 " to %" PRId64,
			 min, max);
		return wrong_type(value, key, wanted, err);
	}
	*ret = json_integer_value(value);
	return 0;
}

int json_get_bool(const json_t *object, const char *key, bool required, bool *ret,
		  struct error *err)
{
	json_t *value = NULL;
	int r = find(object, key, required, &value, err);

	if (r <= 0)
		return r;
	if (!json_is_boolean(value))
		return wrong_type(value, key, "true or false", err);
	*ret = json_is_true(value);
	return 0;
}

int json_get_object(const json_t *object, const char *key, bool required, json_t **ret,
		    struct error *err)
{
	json_t *value = NULL;
	int r = find(object, key, required, &value, err);

	if (r <= 0)
		return r;
	if (!json_is_object(value))
		return wrong_type(value, key, "an object", err);
	*ret = value;
	return 0;
}

int json_get_array(const json_t *object, const char *key, bool required, json_t **ret,
		   struct error *err)
{
	json_t *value = NULL;
	int r = find(object, key, required, &value, err);

	if (r <= 0)
		return r;
	if (!json_is_array(value))
		return wrong_type(value, key, "a list", err);
	*ret = value;
	return 0;
}

int json_only_keys(const json_t *object, const char *const *keys, const char *what,
		   struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		_cleanup_free_ char *clean = NULL;
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (keys[i])
			continue;
		clean = text_clean_dup(key, MAX_SHOWN, false);
		return error_set(err, EINVAL, "unknown key '%s' in %s", clean, what);
	}
	return 0;
}

void json_put_str(json_t *object, const char *key, const char *value)
{
	json_t *string = value ? json_string(value) : NULL;

	if (value && !string) {
		/* bytes that are not UTF-8: shown as escapes rather than left out */
		_cleanup_free_ char *clean = text_clean_dup(value, 4 * strlen(value), true);

		string = json_string(clean);
	}
	if (string)
		json_object_set_new(object, key, string);
}

bool json_holds(const json_t *list, const char *word)
{
	json_t *value;
	size_t i;

	json_array_foreach (list, i, value)
		if (json_is_string(value) && strcmp(json_string_value(value), word) == 0)
			return true;
	return false;
}
