/* JSON objects read with errors that name the field. jansson does the work. */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Parses one value; duplicate keys, NUL and anything after the value are errors. The caller
 * owns *ret.
 */
int json_parse(const char *data, size_t size, json_t **ret, struct error *err);

/* One line, keys in insertion order. The caller frees it. */
char *json_line(const json_t *value);

/*
 * Typed reads from an object. An absent key (or JSON null) is -EINVAL naming the key when
 * required, else leaves *ret untouched. A value of the wrong type or out of range is always
 * -EINVAL, naming key and value. Strings are borrowed from the object.
 */
int json_get_str(const json_t *object, const char *key, bool required, const char **ret,
		 struct error *err);
int json_get_int(const json_t *object, const char *key, bool required, int64_t min, int64_t max,
		 int64_t *ret, struct error *err);
int json_get_bool(const json_t *object, const char *key, bool required, bool *ret,
		  struct error *err);
int json_get_object(const json_t *object, const char *key, bool required, json_t **ret,
		    struct error *err);
int json_get_array(const json_t *object, const char *key, bool required, json_t **ret,
		   struct error *err);

/* -EINVAL naming the first key of the object that is not in the NULL-terminated list. */
int json_only_keys(const json_t *object, const char *const *keys, const char *what,
		   struct error *err);

/*
 * Sets key to a string unless value is NULL: absent and null are the same to our readers, so
 * null is never written. A value that is not UTF-8 is cleaned first.
 */
void json_put_str(json_t *object, const char *key, const char *value);

/* Whether a list of strings holds this one. NULL is an empty list. */
bool json_holds(const json_t *list, const char *word);
