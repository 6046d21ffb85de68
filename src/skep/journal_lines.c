#include "skep/journal_lines.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "skep/answer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (1u << 20)
#define TEXT_MAX 65536

/* A field is a string, or a list of bytes where it is no UTF-8, or null where it is too long
 * (man systemd.journal-fields, journalctl's JSON output). The caller frees. */
static char *field_text(const json_t *entry, const char *key)
{
	const json_t *field = json_object_get(entry, key), *byte;
	_cleanup_buf_ struct buf text = {};
	size_t i;

	/* a field that was given twice is a list of its values */
	if (json_is_array(field) && !json_is_integer(json_array_get(field, 0)))
		field = json_array_get(field, 0);
	if (json_is_string(field))
		buf_add(&text, json_string_value(field), json_string_length(field));
	json_array_foreach (field, i, byte)
		buf_add_char(&text, (char)json_integer_value(byte));
	if (text.size == 0)
		return NULL;
	return buf_take(&text);
}

static void put(json_t *object, const char *key, const json_t *entry, const char *field)
{
	_cleanup_free_ char *text = field_text(entry, field);

	json_put_str(object, key, text);
}

static void print_object(const json_t *entry, const char *at, struct buf *out)
{
	static const char *const fields[][2] = {
		{"unit", "_SYSTEMD_UNIT"},
		{"identifier", "SYSLOG_IDENTIFIER"},
		{"pid", "_PID"},
		{"message", "MESSAGE"},
		{"message_id", "MESSAGE_ID"},
		{"cursor", "__CURSOR"},
	};
	_cleanup_free_ char *priority = field_text(entry, "PRIORITY");
	json_auto_t *object = json_object();

	json_put_str(object, "at", at);
	if (priority)
		json_object_set_new(object, "priority", json_integer(atoi(priority)));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		put(object, fields[i][0], entry, fields[i][1]);
	answer_print(out, object);
}

static void print_text(const json_t *entry, const char *at, struct buf *out)
{
	_cleanup_free_ char *name = field_text(entry, "SYSLOG_IDENTIFIER");
	_cleanup_free_ char *pid = field_text(entry, "_PID");
	_cleanup_free_ char *message = field_text(entry, "MESSAGE");
	struct buf line = {};

	buf_addf(&line, "%s %s", at, name ? name : "unknown");
	if (pid)
		buf_addf(&line, "[%s]", pid);
	buf_addf(&line, ": %s", message ? message : "");
	text_clean(out, buf_str(&line), line.size, TEXT_MAX, true);
	buf_add_char(out, '\n');
	buf_release(&line);
}

static void take_line(struct journal_lines *lines, const char *text, size_t size,
		      struct buf *out)
{
	json_auto_t *entry = NULL;
	_cleanup_free_ char *cursor = NULL, *stamp = NULL;
	char at[CLOCK_TEXT_SIZE];

	if (json_parse(text, size, &entry, NULL) < 0 || !json_is_object(entry)) {
		text_clean(out, text, size, TEXT_MAX, false);
		buf_add_char(out, '\n');
		return;
	}
	cursor = field_text(entry, "__CURSOR");
	stamp = field_text(entry, "__REALTIME_TIMESTAMP");
	(void)clock_format(at, stamp ? strtoll(stamp, NULL, 10) / 1000000 : 0);
	if (lines->json)
		print_object(entry, at, out);
	else
		print_text(entry, at, out);
	if (cursor && strlen(cursor) < sizeof(lines->cursor))
		snprintf(lines->cursor, sizeof(lines->cursor), "%s", cursor);
}

void journal_lines_filter(void *state, const char *data, size_t size, struct buf *out)
{
	struct journal_lines *lines = state;
	const char *end = data + size;

	for (const char *newline; (newline = memchr(data, '\n', (size_t)(end - data)));
	     data = newline + 1) {
		buf_add(&lines->rest, data, (size_t)(newline - data));
		if (lines->rest.size > 0)
			take_line(lines, lines->rest.data, lines->rest.size, out);
		buf_truncate(&lines->rest, 0);
	}
	buf_add(&lines->rest, data, (size_t)(end - data));
	/* the end, or a line that nobody needs whole */
	if ((size == 0 && lines->rest.size > 0) || lines->rest.size > LINE_MAX_BYTES) {
		take_line(lines, lines->rest.data, lines->rest.size, out);
		buf_truncate(&lines->rest, 0);
	}
}

void journal_lines_release(struct journal_lines *lines)
{
	buf_release(&lines->rest);
}
