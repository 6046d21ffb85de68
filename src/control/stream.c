#include "control/stream.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "control/dispatch.h"
#include "control/event.h"
#include "control/rows.h"
#include "wire/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUMP_MAX_QUEUED (128 << 10)
#define CHUNK 16384

int handle_subscribe(struct session *s, const json_t *request, struct error *err)
{
	struct subscription what = {.since = -1};
	json_t *kinds = NULL;
	int64_t heartbeat = 0;
	int r;

	if ((r = json_get_bool(request, "snapshot", false, &what.snapshot, err)) < 0 ||
	    (r = json_get_int(request, "since", false, 0, INT64_MAX, &what.since, err)) < 0 ||
	    (r = json_get_array(request, "kinds", false, &kinds, err)) < 0 ||
	    (r = json_get_int(request, "heartbeat_s", false, 1, 3600, &heartbeat, err)) < 0)
		return r;
	what.kinds = kinds;
	what.heartbeat_ms = heartbeat * 1000;
	what.extended = json_object_get(request, "snapshot") ||
			json_object_get(request, "since") || kinds || heartbeat > 0;
	s->mode = SESSION_SUBSCRIBED;
	s->subscriber = event_subscribe(s->hive, s, &what);
	return HANDLED_LATER; /* for good: nothing more is read from a subscriber */
}

/* ---- build logs ---- */

static void send_end(struct session *s)
{
	const struct proposal *p = hive_find_proposal(s->hive, s->log_id);
	json_t *line = answer_with("end", json_true());

	if (p)
		json_object_set_new(line, "proposal", row_proposal(s->hive, p));
	closep(&s->log_fd);
	s->log_fd = -1;
	s->mode = SESSION_REQUESTS;
	session_answer(s, line);
}

/* Cuts after the last newline when there is one, so that no line and no character is split. */
static size_t whole_lines(const char *data, size_t size)
{
	const char *last = memrchr(data, '\n', size);

	return last ? (size_t)(last - data) + 1 : size;
}

static bool send_chunk(struct session *s)
{
	_cleanup_buf_ struct buf clean = {};
	char chunk[CHUNK];
	ssize_t n = s->log_fd < 0 ? 0 : pread(s->log_fd, chunk, sizeof(chunk), s->log_offset);
	size_t size;

	if (n <= 0)
		return false;
	size = (size_t)n == sizeof(chunk) ? whole_lines(chunk, (size_t)n) : (size_t)n;
	s->log_offset += (int64_t)size;
	text_clean(&clean, chunk, size, 8 * CHUNK, true);
	session_send(s, answer_with("log", json_string(buf_str(&clean))));
	return true;
}

void stream_log_pump(struct session *s)
{
	const struct proposal *p = hive_find_proposal(s->hive, s->log_id);

	if (s->log_fd < 0) {
		_cleanup_free_ char *path = hive_log_path(s->hive, s->log_id);

		s->log_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	while (s->mode == SESSION_LOG && session_queued(s) < PUMP_MAX_QUEUED) {
		if (send_chunk(s))
			continue;
		if (!s->log_follow || !p || proposal_is_final(p))
			send_end(s);
		return;
	}
}

static void pump(struct session *s, void *data)
{
	if (s->mode == SESSION_LOG && s->log_id == *(int64_t *)data)
		stream_log_pump(s);
}

void stream_log_grew(struct hive *hive, int64_t id)
{
	session_each(hive, pump, &id);
}

int handle_build_log(struct session *s, const json_t *request, struct error *err)
{
	struct proposal *p;
	bool follow = false;
	int r;

	if ((r = dispatch_proposal(s, request, &p, err)) < 0 ||
	    (r = json_get_bool(request, "follow", false, &follow, err)) < 0)
		return r;
	s->mode = SESSION_LOG;
	s->log_id = p->id;
	s->log_follow = follow;
	s->log_offset = 0;
	stream_log_pump(s);
	return HANDLED_LATER;
}
