/*
 * When the hive looks at what runs: at the start, when skep-exec says that something happened,
 * when files change, when an operation has ended, and every so many seconds. What it finds is
 * drift; what is done about it is control/heal.h.
 */
#pragma once

#include "control/hive.h"

/* Begins; containers were looked at once and clients may be served. */
void reconcile_start(struct hive *hive);

/* Something may have changed: a look within moments. Does nothing before reconcile_start(). */
void reconcile_soon(struct hive *hive);

/* The same, because a file changed that skep alone writes. */
void reconcile_files(struct hive *hive);

/* Whether what differs of this agent is put right, or only told. */
bool reconcile_applies(const struct agent *agent);

/* Rows of what is there and nobody wants, and of the hive's own record. Borrowed; may be NULL.
 */
json_t *reconcile_strays(const struct hive *hive);

/* Wall time of the last look that went well (0: none yet), and why the one after it did not
 * ("").
 */
int64_t reconcile_looked_at(const struct hive *hive);
const char *reconcile_problem(const struct hive *hive);
