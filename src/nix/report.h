/*
 * What Nix says while it works (--log-format internal-json), line by line as text for people.
 * All of it is foreign: the builders and the flakes of agents speak here.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define REPORT_LINE_MAX 65536
#define REPORT_ERROR_MAX 8192

struct report {
	struct buf line;  /* not yet ended */
	bool cut;         /* the line is too long: its rest is dropped */
	struct buf error; /* the first error, cleaned, without colours */
};

/* Takes bytes of standard error; the text for the log is added to out, whole lines only. */
void report_take(struct report *report, const char *data, size_t size, struct buf *out);

/* The last line, when no newline ended it. */
void report_end(struct report *report, struct buf *out);

/* Why it failed, as Nix put it; "" when it did not say. Borrowed. */
const char *report_error(const struct report *report);
void report_release(struct report *report);
