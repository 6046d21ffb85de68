/*
 * Where the statements of an EnvironmentFile begin and end, as systemd reads it
 * (systemd.exec(5); systemd: src/basic/env-file.c): a quote may hold newlines, a backslash
 * takes the next character along.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

struct env_reader {
	/* before systemd 254 a backslash at the end of a comment made the next line one, too */
	bool comments_go_on;
	bool escaped;
	enum {
		ENV_BETWEEN,
		ENV_COMMENT,
		ENV_KEY,
		ENV_VALUE_START, /* behind the '=', and behind a closing quote */
		ENV_VALUE,
		ENV_SINGLE,
		ENV_DOUBLE,
	} state;
};

/* Takes one character; zeroed to begin with. */
void env_reader_step(struct env_reader *reader, char c);

/* Adds what ends the last statement of text, so that whatever follows is read as its own. */
void env_file_end(struct buf *text, bool comments_go_on);
