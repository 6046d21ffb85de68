#include "nix/report.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

#define PREFIX "@nix "
#define LEVEL_ERROR 0
#define LEVEL_INFO 3
#define RESULT_LOG_LINE 101
#define RESULT_POST_LINE 107

/* Without terminal sequences: ESC [ ... letter. */
static void add_plain(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (s[0] != '\033' || s[1] != '[') {
			buf_add_char(out, *s);
			continue;
		}
		s += 2 + strspn(s + 2, "0123456789;?");
		if (!*s)
			break;
	}
}

static void add_line(struct buf *out, const char *text)
{
	_cleanup_buf_ struct buf plain = {};

	add_plain(&plain, text);
	if (plain.size == 0)
		return;
	text_clean(out, plain.data, plain.size, 2 * REPORT_LINE_MAX, true);
	if (out->data[out->size - 1] != '\n')
		buf_add_char(out, '\n');
}

static void keep_error(struct report *r, const char *text)
{
	_cleanup_buf_ struct buf plain = {};

	if (r->error.size > 0)
		return;
	add_plain(&plain, text);
	while (plain.size > 0 && plain.data[plain.size - 1] == '\n')
		buf_truncate(&plain, plain.size - 1);
	text_clean(&r->error, buf_str(&plain), plain.size, REPORT_ERROR_MAX, true);
}

static void take_json(struct report *r, const json_t *event, struct buf *out)
{
	const char *action = json_string_value(json_object_get(event, "action"));
	const char *text = json_string_value(json_object_get(event, "msg"));
	json_int_t level = json_integer_value(json_object_get(event, "level"));
	json_int_t type = json_integer_value(json_object_get(event, "type"));

	if (!action)
		return;
	if (strcmp(action, "msg") == 0 && text) {
		add_line(out, text);
		if (level == LEVEL_ERROR)
			keep_error(r, text);
	} else if (strcmp(action, "result") == 0 &&
		   (type == RESULT_LOG_LINE || type == RESULT_POST_LINE)) {
		text = json_string_value(json_array_get(json_object_get(event, "fields"), 0));
		if (text)
			add_line(out, text);
	} else if (strcmp(action, "start") == 0 && level <= LEVEL_INFO) {
		text = json_string_value(json_object_get(event, "text"));
		if (text)
			add_line(out, text);
	}
}

static void take_line(struct report *r, struct buf *out)
{
	const char *line = buf_str(&r->line);
	json_t *event = NULL;

	if (strncmp(line, PREFIX, strlen(PREFIX)) == 0 &&
	    json_parse(line + strlen(PREFIX), r->line.size - strlen(PREFIX), &event, NULL) == 0)
		take_json(r, event, out);
	else
		add_line(out, line);
	json_decref(event);
	buf_truncate(&r->line, 0);
	r->cut = false;
}

void report_take(struct report *r, const char *data, size_t size, struct buf *out)
{
	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;
		size_t room = REPORT_LINE_MAX - r->line.size;

		if (!r->cut)
			buf_add(&r->line, data, n < room ? n : room);
		r->cut |= n > room;
		if (!end)
			return;
		take_line(r, out);
		data = end + 1;
		size -= n + 1;
	}
}

void report_end(struct report *r, struct buf *out)
{
	if (r->line.size > 0)
		take_line(r, out);
}

const char *report_error(const struct report *r)
{
	return buf_str(&r->error);
}

void report_release(struct report *r)
{
	buf_release(&r->line);
	buf_release(&r->error);
}
