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

#define RECORD_BODY_MAX (256 * 1024)

struct record {
	struct buf text;
	bool in_trailers;
};

/* Begins a message: one line, then optional free text (foreign; it is cleaned and the last
 * RECORD_BODY_MAX bytes kept). */
void record_begin(struct record *record, const char *subject, const char *body);

/* Adds a trailer; value is cleaned to one line, NULL leaves it out. */
void record_put(struct record *record, const char *key, const char *value);
void record_put_int(struct record *record, const char *key, int64_t value);

/* The finished message, borrowed. */
const char *record_text(const struct record *record);
void record_release(struct record *record);

/* The nth (from 0) value of a trailer in the last paragraph, a new string; NULL when there is
 * none. */
char *record_get(const char *message, const char *key, unsigned nth);

/* The same as a number; -ENOENT or -EINVAL. */
int record_get_int(const char *message, const char *key, int64_t *ret);

/* The free text between subject and trailers, a new string, "" when there is none. */
char *record_body(const char *message);
