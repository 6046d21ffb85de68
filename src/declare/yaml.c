#include "declare/yaml.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#ifdef SKEP_NO_YAML

int yaml_parse(const char *data, size_t size, json_t **ret, struct error *err)
{
	(void)data;
	(void)size;
	(void)ret;
	return error_set(err, EOPNOTSUPP, "this skep was built without libyaml");
}

#else

#include <yaml.h>

#define DEPTH_MAX 32
#define NODES_MAX 20000

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the one in hand */
	size_t nodes;
	struct error *err;
};

static int refuse(const struct reader *r, const char *what)
{
	return error_set(r->err, EINVAL, "line %zu: %s", r->event.start_mark.line + 1, what);
}

static int next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (yaml_parser_parse(&r->parser, &r->event))
		return 0;
	r->event = (yaml_event_t){};
	return error_set(r->err, EINVAL, "line %zu: not valid YAML: %s",
			 r->parser.problem_mark.line + 1,
			 r->parser.problem ? r->parser.problem : "it cannot be read");
}

static bool is_one_of(const char *text, const char *const *words)
{
	while (*words && strcmp(*words, text) != 0)
		words++;
	return *words != NULL;
}

/* What a plain scalar stands for; anything in quotes is a string. */
static json_t *plain_value(const char *text, size_t size)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	int64_t number = 0;

	if (is_one_of(text, nulls))
		return json_null();
	if (is_one_of(text, trues))
		return json_true();
	if (is_one_of(text, falses))
		return json_false();
	if (text_to_number(text, INT64_MIN, INT64_MAX, &number) && (size == 1 || *text != '0'))
		return json_integer(number);
	return json_stringn(text, size);
}

static int take_scalar(struct reader *r, json_t **ret)
{
	const char *text = (const char *)r->event.data.scalar.value;
	size_t size = r->event.data.scalar.length;

	if (strlen(text) != size)
		return refuse(r, "a value is not text");
	if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		*ret = plain_value(text, size);
	else
		*ret = json_stringn(text, size);
	return *ret ? 0 : refuse(r, "a value is not text");
}

static int take_node(struct reader *r, int depth, json_t **ret);

static int take_list(struct reader *r, int depth, json_t **ret)
{
	json_auto_t *list = json_array();
	int e;

	while ((e = next(r)) == 0 && r->event.type != YAML_SEQUENCE_END_EVENT) {
		json_t *value = NULL;

		e = take_node(r, depth + 1, &value);
		if (e < 0)
			return e;
		json_array_append_new(list, value);
	}
	if (e == 0)
		*ret = TAKE_PTR(list);
	return e;
}

static int take_key(struct reader *r, const json_t *object, char key[256])
{
	const char *text = (const char *)r->event.data.scalar.value;

	if (r->event.type != YAML_SCALAR_EVENT)
		return refuse(r, "a key is no plain word");
	if (r->event.data.scalar.length > 255 || strlen(text) != r->event.data.scalar.length)
		return refuse(r, "a key is longer than 255 bytes, or no text");
	snprintf(key, 256, "%s", text);
	return json_object_get(object, key) ? refuse(r, "a key is there twice") : 0;
}

static int take_map(struct reader *r, int depth, json_t **ret)
{
	json_auto_t *object = json_object();
	char key[256];
	int e;

	while ((e = next(r)) == 0 && r->event.type != YAML_MAPPING_END_EVENT) {
		json_t *value = NULL;

		if ((e = take_key(r, object, key)) < 0 || (e = next(r)) < 0 ||
		    (e = take_node(r, depth + 1, &value)) < 0)
			return e;
		json_object_set_new(object, key, value);
	}
	if (e == 0)
		*ret = TAKE_PTR(object);
	return e;
}

/* The event in hand and all that belongs to it. */
static int take_node(struct reader *r, int depth, json_t **ret)
{
	if (++r->nodes > NODES_MAX || depth > DEPTH_MAX)
		return refuse(r, "there is more in it than anybody needs");
	if (r->event.type == YAML_ALIAS_EVENT)
		return refuse(r, "aliases are not read");
	if (r->event.type == YAML_SCALAR_EVENT)
		return take_scalar(r, ret);
	if (r->event.type == YAML_SEQUENCE_START_EVENT)
		return take_list(r, depth, ret);
	if (r->event.type == YAML_MAPPING_START_EVENT)
		return take_map(r, depth, ret);
	return refuse(r, "not valid YAML");
}

static int take_document(struct reader *r, json_t **ret)
{
	json_auto_t *value = NULL;
	int e;

	if ((e = next(r)) < 0 || (e = next(r)) < 0) /* the stream, then its document */
		return e;
	if (r->event.type == YAML_STREAM_END_EVENT) {
		*ret = json_null();
		return 0;
	}
	if ((e = next(r)) < 0 || (e = take_node(r, 0, &value)) < 0 || (e = next(r)) < 0 ||
	    (e = next(r)) < 0)
		return e;
	if (r->event.type != YAML_STREAM_END_EVENT)
		return refuse(r, "there is a second document");
	*ret = TAKE_PTR(value);
	return 0;
}

int yaml_parse(const char *data, size_t size, json_t **ret, struct error *err)
{
	struct reader r = {.err = err};
	int e;

	if (!yaml_parser_initialize(&r.parser))
		return error_set(err, ENOMEM, "cannot read YAML");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)data, size);
	e = take_document(&r, ret);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	return e;
}

#endif
