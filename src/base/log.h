/*
 * One line per event, to the journal with fields when stderr is the journal, else as text on
 * stderr.
 */
#pragma once

#include <syslog.h>

/*
 * Looks once where stderr goes (JOURNAL_STREAM) and what the program is called. Call first
 * thing in main.
 */
void log_open(const char *program);

/* Lines less important than this are dropped (LOG_ERR to LOG_DEBUG); LOG_INFO until called. */
void log_set_level(int level);

/*
 * Logs message with NULL-terminated pairs of journal field name and value, as in
 * log_event(LOG_INFO, "deployed", "SKEP_AGENT", agent, NULL). Values may be foreign text: they
 * are never part of a format and are shown cleaned on a terminal. A NULL value leaves its field
 * out.
 */
void log_event(int priority, const char *message, ...) __attribute__((sentinel));

/* Logs a formatted line without fields. */
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
