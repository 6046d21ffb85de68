#include "control/session.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "wire/answer.h"

#include <stdlib.h>

void session_send_text(struct session *s, const char *line)
{
	conn_send(s->conn, line, NULL, 0);
}

void session_send(struct session *s, json_t *line)
{
	_cleanup_free_ char *text = json_line(line);

	json_decref(line);
	if (text)
		session_send_text(s, text);
}

size_t session_queued(const struct session *s)
{
	return conn_queued(s->conn);
}

void session_answer(struct session *s, json_t *answer)
{
	session_send(s, answer);
	conn_hold(s->conn, false);
}

void session_fail(struct session *s, const struct error *err)
{
	session_answer(s, answer_error(err));
}

struct session *session_find(const struct hive *hive, uint64_t id)
{
	struct session *s = hive->sessions;

	while (s && s->id != id)
		s = s->next;
	return s;
}

void session_each(struct hive *hive, void (*fn)(struct session *session, void *data),
		  void *data)
{
	for (struct session *s = hive->sessions, *next; s; s = next) {
		next = s->next;
		fn(s, data);
	}
}

struct ref {
	const struct hive *hive;
	uint64_t id;
};

void *session_ref(const struct session *s)
{
	struct ref *ref = mem_new(1, sizeof(*ref));

	*ref = (struct ref){.hive = s->hive, .id = s->id};
	return ref;
}

struct session *session_found(void *data)
{
	struct ref ref = *(struct ref *)data;

	free(data);
	return session_find(ref.hive, ref.id);
}

struct session *session_peek(const void *data)
{
	const struct ref *ref = data;

	return session_find(ref->hive, ref->id);
}
