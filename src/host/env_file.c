#include "host/env_file.h"

#include <string.h>

static bool is_newline(char c)
{
	return c == '\n' || c == '\r';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || is_newline(c);
}

static void step_between(struct env_reader *r, char c)
{
	if (!is_blank(c))
		r->state = c == '#' || c == ';' ? ENV_COMMENT : ENV_KEY;
}

static void step_value_start(struct env_reader *r, char c)
{
	if (is_newline(c))
		r->state = ENV_BETWEEN;
	else if (c == '\'')
		r->state = ENV_SINGLE;
	else if (c == '"')
		r->state = ENV_DOUBLE;
	else if (!is_blank(c))
		r->state = ENV_VALUE;
	r->escaped = c == '\\';
}

void env_reader_step(struct env_reader *r, char c)
{
	bool escaped = r->escaped;

	r->escaped = false;
	switch (r->state) {
	case ENV_BETWEEN:
		step_between(r, c);
		break;
	case ENV_COMMENT:
		if (is_newline(c) && !(escaped && r->comments_go_on))
			r->state = ENV_BETWEEN;
		r->escaped = c == '\\' && !escaped;
		break;
	case ENV_KEY:
		if (is_newline(c))
			r->state = ENV_BETWEEN;
		else if (c == '=')
			r->state = ENV_VALUE_START;
		break;
	case ENV_VALUE_START:
		step_value_start(r, c);
		break;
	case ENV_VALUE:
		if (is_newline(c) && !escaped)
			r->state = ENV_BETWEEN;
		r->escaped = c == '\\' && !escaped;
		break;
	case ENV_SINGLE:
		if (c == '\'')
			r->state = ENV_VALUE_START;
		break;
	case ENV_DOUBLE:
		if (c == '"' && !escaped)
			r->state = ENV_VALUE_START;
		r->escaped = c == '\\' && !escaped;
		break;
	}
}

void env_file_end(struct buf *text, bool comments_go_on)
{
	struct env_reader r = {.comments_go_on = comments_go_on};

	for (size_t i = 0; i < text->size; i++)
		env_reader_step(&r, text->data[i]);
	while (r.state != ENV_BETWEEN ||
	       (text->size > 0 && text->data[text->size - 1] != '\n')) {
		char c = r.state == ENV_SINGLE                 ? '\''
			 : r.state == ENV_DOUBLE && !r.escaped ? '"'
							       : '\n';

		buf_add_char(text, c);
		env_reader_step(&r, c);
	}
}
