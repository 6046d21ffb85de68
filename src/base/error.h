/* What went wrong, in the user's words, carried on the caller's stack. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A failed function returns a negative errno and fills this once, where the cause is known.
 * `code` is one of the protocol's stable codes when errno alone does not say it (static string,
 * never freed), else NULL.
 */
struct error {
	int err;
	const char *code;
	int retry_after_s; /* when to ask again; 0: nobody knows */
	char text[480];
	char hint[160];
};

/*
 * Fills err (which may be NULL) with a positive errno and a text; returns -|errnum|, to be
 * returned at once.
 */
int error_set(struct error *err, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with ": " and strerror(errnum) after the text. */
int error_set_errno(struct error *err, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Like error_set() with a protocol code, for what errno cannot tell apart ("needs_ack",
 * "wrong_state").
 */
int error_set_code(struct error *err, int errnum, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* What the user can do next; shown after the text. */
void error_hint(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether the fault passes by itself: the same again may succeed a little later. */
bool error_passes(const struct error *err);

/* When that may be, in seconds. */
void error_retry(struct error *err, int after_s);

/* Puts "context: " before the text. Returns err->err, negative. */
int error_prefix(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The stable protocol code of a filled error: its own, or the one its errno stands for. Never
 * NULL.
 */
const char *error_code(const struct error *err);

/* The text, or "unknown error" for an error nobody filled. */
const char *error_text(const struct error *err);
