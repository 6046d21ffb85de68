/* The log of one build and deploy: a bounded file, fed by a pipe and by the controller's own
 * lines. */
#pragma once

#include "control/hive.h"

struct joblog;

/* Begins (or goes on with) logs/<id>.log. */
int joblog_open(struct hive *hive, int64_t id, struct joblog **ret, struct error *err);

/* Of one agent among several that write to the same log at once: each of its lines says so. */
void joblog_of(struct joblog *log, const char *agent);

/* A descriptor to write to, given to the builder; the caller closes its copy. What comes out of
 * it is cleaned. */
int joblog_pipe(struct joblog *log, int *ret_fd, struct error *err);

/* Adds a line of the controller's. NULL log is fine. */
void joblog_line(struct joblog *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds what a program said, cleaned. NULL log and NULL text are fine. */
void joblog_said(struct joblog *log, const char *text);

/* The last max bytes, a new string. */
char *joblog_tail(struct joblog *log, size_t max);

/* Nothing more comes. NULL is fine. */
void joblog_close(struct joblog *log);

/* Called whenever the log of a proposal grows or ends, for those who follow it. */
void joblog_tell(struct hive *hive, int64_t id);
