/*
 * Text on its way to a person or a pipe. Everything formatted here is cleaned, so that no byte
 * an agent wrote can act on a terminal; the only escape sequences that ever leave are the
 * colours of this file.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_GOOD,
	STYLE_WARN,
	STYLE_BAD,
	STYLE_NOTE,
};

struct out {
	int fd;
	bool tty;
	bool color;
	size_t columns, rows; /* of the terminal; 0 when there is none */
	struct buf pending;
};

enum color_choice {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

/* Looks at the descriptor and, for COLOR_AUTO, at NO_COLOR, SKEP_NO_COLOR and TERM. */
void out_init(struct out *out, int fd, enum color_choice color);
void out_release(struct out *out);

/* Adds formatted text, cleaned, newlines made spaces. */
void out_add(struct out *out, enum style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Ends the line. */
void out_end(struct out *out);

/* out_add() and out_end(). */
void out_line(struct out *out, enum style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds every line of a text, cleaned, each behind indent and ended. */
void out_lines(struct out *out, enum style style, const char *indent, const char *text);

/* Adds bytes that are clean already. */
void out_raw(struct out *out, const void *data, size_t size);

/* Adds count spaces. */
void out_pad(struct out *out, size_t count);

/*
 * Writes what is pending. A reader that went away (EPIPE) ends the process by SIGPIPE, as it
 * would without our handling; other failures are returned.
 */
int out_flush(struct out *out);

/* Ends the process by SIGPIPE, quietly. */
_Noreturn void out_broken_pipe(void);
