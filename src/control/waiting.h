/* Answering a request when its operation ends, or at once. */
#pragma once

#include "control/dispatch.h"
#include "control/op.h"

/*
 * With wait: the session is answered when op ends. Without: now. touched (an agent's name) and
 * the operation's number go into the answer; proposal id > 0 adds its row. A NULL op is
 * answered now. already marks a repeated verdict.
 */
int answer_for(struct session *session, struct op *op, bool wait, const char *touched,
	       int64_t proposal, bool already);
