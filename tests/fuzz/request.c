/*
 * The socket protocol: bytes in chunks become lines, whatever the chunks, and a line that is
 * taken is a request of the table's that its speaker may make.
 */
#include "fuzz.h"

#include "base/conn.h"
#include "base/json.h"
#include "base/sock.h"
#include "wire/answer.h"
#include "wire/verb.h"

#include <sys/socket.h>

#define LINE_MAX_BYTES 4096

static const enum principal principals[] = {PRINCIPAL_OPERATOR, PRINCIPAL_READER,
					    PRINCIPAL_MANAGER, PRINCIPAL_AGENT, PRINCIPAL_WEB};

static bool has_key(const char *keys, const char *key)
{
	_cleanup_free_ char *list = str_dup(keys);
	char *rest = NULL;

	for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (strcmp(word, key) == 0)
			return true;
	return false;
}

static void look_at_keys(const struct verb *verb, json_t *request, enum principal who)
{
	const char *key;
	json_t *value;

	json_object_foreach (request, key, value)
		must(strcmp(key, "cmd") == 0 || has_key(verb->keys, key) ||
		     (who == PRINCIPAL_WEB && has_key("session key", key)));
}

static void refused(const struct error *err)
{
	json_auto_t *answer = answer_error(err);
	_cleanup_free_ char *line = json_line(answer);

	must(err->err && line && !strchr(line, '\n'));
	must(json_is_false(json_object_get(answer, "ok")) && json_object_get(answer, "code"));
}

static void try_line(const char *line, size_t size, enum principal who)
{
	json_auto_t *request = NULL, *again = NULL;
	_cleanup_free_ char *written = NULL;
	const struct verb *verb = NULL, *verb_again = NULL;
	struct error err = {};

	if (verb_parse_request(line, size, who, &request, &verb, &err) < 0) {
		must(!request && !verb);
		refused(&err);
		return;
	}
	must(verb == &verb_table()[verb->id] && (verb->allowed & (unsigned)who));
	must(strcmp(json_string_value(json_object_get(request, "cmd")), verb->name) == 0);
	if (verb->strict)
		look_at_keys(verb, request, who);
	written = json_line(request);
	must(written && !strchr(written, '\n'));
	must(verb_parse_request(written, strlen(written), who, &again, &verb_again, &err) == 0);
	must(verb == verb_again && json_equal(request, again));
}

struct listener {
	struct buf seen;
	bool ended;
	int fd;
};

static void on_line(struct conn *conn, const char *line, size_t size, void *data)
{
	struct listener *l = data;

	(void)conn;
	must(line[size] == '\0' && size <= LINE_MAX_BYTES && !memchr(line, '\n', size));
	buf_add(&l->seen, line, size);
	buf_add_char(&l->seen, '\n');
}

static void on_overlong(struct conn *conn, void *data)
{
	(void)conn;
	(void)data;
	must(!"no line here is too long");
}

static void on_close(struct conn *conn, void *data)
{
	struct listener *l = data;

	(void)conn;
	l->ended = true;
}

static void on_turn(void *data)
{
	loop_stop(data);
}

/* Sends data in chunks and wants each of its lines but the empty ones, once, in order. */
static void try_chunks(const uint8_t *data, size_t size, size_t chunk)
{
	static const struct conn_limits limits = {.max_line = LINE_MAX_BYTES,
						  .max_queued = 65536};
	static const struct conn_ops ops = {on_line, on_overlong, on_close, NULL};
	static struct loop *loop;
	struct listener l = {};
	struct error err = {};
	_cleanup_buf_ struct buf wanted = {};
	int fds[2];

	if (!loop)
		loop = loop_new();
	must(sock_pair(SOCK_STREAM, fds, &err) == 0);
	(void)conn_new(loop, fds[0], &limits, &ops, &l);
	for (size_t at = 0; at < size; at += chunk) {
		size_t n = size - at < chunk ? size - at : chunk;

		must(write(fds[1], data + at, n) == (ssize_t)n);
		if (at / chunk % 4 == 3) {
			(void)loop_timer(loop, 0, on_turn, loop);
			must(loop_run(loop) == 0);
		}
	}
	(void)close(fds[1]);
	for (int turn = 0; !l.ended; turn++) {
		must(turn < 1000);
		(void)loop_timer(loop, 0, on_turn, loop);
		must(loop_run(loop) == 0);
	}
	for (const uint8_t *at = data, *end;
	     (end = memchr(at, '\n', size - (size_t)(at - data))); at = end + 1)
		if (end > at)
			buf_add(&wanted, at, (size_t)(end - at) + 1);
	must(l.seen.size == wanted.size);
	must(wanted.size == 0 || memcmp(l.seen.data, wanted.data, wanted.size) == 0);
	buf_release(&l.seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t chunk;

	if (size < 2 || size > LINE_MAX_BYTES)
		return 0;
	chunk = (size_t)data[0] + 1;
	data++;
	size--;
	for (size_t i = 0; i < ARRAY_SIZE(principals); i++)
		try_line((const char *)data, size, principals[i]);
	if (size / chunk < 64)
		try_chunks(data, size, chunk);
	return 0;
}
