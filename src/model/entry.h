/*
 * The text of the record's tags: a subject, free text, and a last paragraph of trailers
 * ("Skep-Seq: 12"), which is the only part machines read. Free text cannot forge a trailer
 * because ours is always the last paragraph.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define ENTRY_BODY_MAX (256 * 1024)

struct entry {
	struct buf text;
	bool in_trailers;
};

/* Begins a message: one line, then optional free text (foreign; it is cleaned and the last
 * ENTRY_BODY_MAX bytes kept). */
void entry_begin(struct entry *entry, const char *subject, const char *body);

/* Adds a trailer; value is cleaned to one line, NULL leaves it out. */
void entry_put(struct entry *entry, const char *key, const char *value);
void entry_put_int(struct entry *entry, const char *key, int64_t value);

/* The finished message, borrowed. */
const char *entry_text(const struct entry *entry);
void entry_release(struct entry *entry);

struct trailer {
	const char *line; /* "Skep-Seq: 12" */
	size_t key_size, size;
};

/* The last paragraph of a message, read once for who asks for several: the first lines of it,
 * and what follows these. */
struct trailers {
	struct trailer lines[16];
	size_t count;
	const char *message, *start, *rest; /* borrowed */
};

void trailers_read(struct trailers *ret, const char *message);

/* As entry_get(), entry_get_int() and entry_body(). */
char *trailer_get(const struct trailers *trailers, const char *key, unsigned nth);
int trailer_get_int(const struct trailers *trailers, const char *key, int64_t *ret);
char *trailers_body(const struct trailers *trailers);

/* The nth (from 0) value of a trailer in the last paragraph, a new string; NULL when there is
 * none. */
char *entry_get(const char *message, const char *key, unsigned nth);

/* The same as a number; -ENOENT or -EINVAL. */
int entry_get_int(const char *message, const char *key, int64_t *ret);

/* The free text between subject and trailers without its last newlines, a new string; "" when
 * there is none. */
char *entry_body(const char *message);
