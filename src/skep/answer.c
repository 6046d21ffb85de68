#include "skep/answer.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PROTOCOL_VERSION 1

/* Stable names, so the table is the one place that knows what a failure means to a script. */
static const struct {
	const char *code;
	int status;
} codes[] = {
	{"bad_request", 2},
	{"unknown_cmd", 2},
	{"too_large", 2},
	{"bad_name", 2},
	{"empty_scope", 2},
	{"unsupported", 2},
	{"not_found", 3},
	{"forbidden", 4},
	{"unauthorized", 4},
	{"step_up", 4},
	{"exists", EXIT_MOVED},
	{"wrong_state", EXIT_MOVED},
	{"stale", EXIT_MOVED},
	{"superseded", EXIT_MOVED},
	{"expired", EXIT_MOVED},
	{"idem_mismatch", EXIT_MOVED},
	{"build_failed", 6},
	{"deploy_failed", 7},
	{"needs_ack", EXIT_HELD_BACK},
	{"blocked", EXIT_HELD_BACK},
	{"busy", 75},
	{"rate_limited", 75},
	{"unavailable", 75},
	{"storage", 1},
	{"internal", 1},
	{"interrupted", 128 + SIGINT},
	{"terminated", 128 + SIGTERM},
};

static const char *known_code(const char *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].code;
	return "internal";
}

int answer_exit_status(const struct error *err)
{
	const char *code = error_code(err);

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].status;
	return 1;
}

bool answer_is_newer(const json_t *answer)
{
	return field_int(answer, "version") > PROTOCOL_VERSION;
}

int answer_check(const json_t *answer, struct error *err)
{
	_cleanup_free_ char *text = NULL, *hint = NULL;
	int64_t retry_after_s;

	if (!json_is_object(answer) || !json_is_boolean(json_object_get(answer, "ok")))
		return error_set_code(err, EBADMSG, "internal",
				      "the daemon's answer is not one of this protocol");
	if (field_bool(answer, "ok"))
		return 0;
	text = text_clean_dup(field_str(answer, "error"), sizeof(err->text) - 4, false);
	error_set_code(err, EREMOTEIO, known_code(field_str(answer, "code")), "%s",
		       text[0] ? text : "the daemon refused without a reason");
	retry_after_s = field_int(answer, "retry_after_s");
	hint = text_clean_dup(field_str(answer, "hint"), sizeof(err->hint) - 4, false);
	if (hint[0])
		error_hint(err, "%s", hint);
	else if (retry_after_s > 0)
		error_hint(err, "try again in %lld s", (long long)retry_after_s);
	return -EREMOTEIO;
}

json_t *answer_result(const json_t *answer, const char *key)
{
	json_t *value = key ? json_object_get(answer, key) : NULL;
	json_t *copy;

	if (value)
		return json_incref(value);
	copy = json_copy((json_t *)answer);
	json_object_del(copy, "version");
	json_object_del(copy, "ok");
	return copy;
}

static void add_escape(struct buf *out, uint32_t c)
{
	if (c >= 0x10000)
		buf_addf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
			 (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
	else
		buf_addf(out, "\\u%04x", (unsigned)c);
}

void answer_print(struct buf *out, const json_t *value)
{
	_cleanup_free_ char *line = json_line(value);
	size_t size = line ? strlen(line) : 0;

	/* jansson has escaped C0 already; what is left can only stand inside strings */
	for (size_t i = 0; i < size;) {
		uint32_t c = 0;
		size_t n = text_decode(line + i, size - i, &c);

		if (n == 0)
			n = 1;
		if ((c >= 0x7f && c < 0xa0) || text_is_deceptive(c))
			add_escape(out, c);
		else
			buf_add(out, line + i, n);
		i += n;
	}
	buf_add_char(out, '\n');
}

const char *field_str(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

int64_t field_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool field_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}
