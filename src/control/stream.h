/* Answers of many lines: event subscriptions and build logs. */
#pragma once

#include "control/session.h"

/* The log of a proposal grew or ended. */
void stream_log_grew(struct hive *hive, int64_t id);

/* Sends what there is of a session's log while its queue is short; the last line once nothing
 * more can come. */
void stream_log_pump(struct session *session);
