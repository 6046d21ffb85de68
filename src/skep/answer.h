/* What comes back: the envelope, refusals as errors, exit statuses, results as JSON. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* Exit statuses that are spoken of elsewhere; answer_exit_status() has them all. */
#define EXIT_CHECK_FAILED 1
#define EXIT_MOVED 5
#define EXIT_HELD_BACK 8

/*
 * Whether the answer says ok. Otherwise the error is filled from it, cleaned, with its code and
 * hint, and -EREMOTEIO comes back. An answer that is no envelope is an error too.
 */
int answer_check(const json_t *answer, struct error *err);

/* Whether it speaks of a newer protocol than ours. */
bool answer_is_newer(const json_t *answer);

/* What a program wants of it: the value of key, or the answer without its envelope when key is
 * NULL or absent. New reference. */
json_t *answer_result(const json_t *answer, const char *key);

/* Adds JSON on one line in which no byte can act on a terminal: what must not be shown is a \u
 * escape. */
void answer_print(struct buf *out, const json_t *value);

/* The exit status for a failure. */
int answer_exit_status(const struct error *err);

/* Reads that never fail: "" or 0 or false when the key is absent or of another type. Strings
 * are borrowed and not cleaned. */
const char *field_str(const json_t *object, const char *key);
int64_t field_int(const json_t *object, const char *key);
bool field_bool(const json_t *object, const char *key);
