#include "control/journal_stream.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "wire/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 16384
#define QUEUE_MAX                                                                  \
	(128 << 10) /* more than this waits in the pipe, and then in the container \
		     */

struct journal_stream {
	struct session *session;
	int fd;
	struct watch *watch;
	struct buf rest;  /* a line that has not come whole */
	json_t *answer;   /* skep-exec's */
	struct error err; /* or how it failed */
	journal_stream_end end;
	json_t *data;
};

static void send_text(struct journal_stream *j, const char *text, size_t size)
{
	_cleanup_buf_ struct buf kept = {};

	if (size == 0)
		return;
	text_keep(&kept, text, size);
	session_send(j->session,
		     answer_with("log", json_stringn_nocheck(buf_str(&kept), kept.size)));
}

static void drop_front(struct buf *b, size_t size)
{
	memmove(b->data, b->data + size, b->size - size);
	buf_truncate(b, b->size - size);
}

/* Whole lines; of a line that does not end soon, whole characters. */
static void send_ready(struct journal_stream *j)
{
	const char *last = memrchr(buf_str(&j->rest), '\n', j->rest.size);
	size_t size = last ? (size_t)(last - j->rest.data) + 1 : 0;

	if (size == 0 && j->rest.size >= CHUNK)
		size = j->rest.size - text_cut_short(j->rest.data, j->rest.size);
	if (size == 0)
		return;
	send_text(j, j->rest.data, size);
	drop_front(&j->rest, size);
}

/* Both have to be over: what was written, and who wrote it. */
static void finish(struct journal_stream *j)
{
	struct session *s = j->session;
	struct error err = j->err;
	json_t *last = NULL;

	if (j->fd >= 0 || (!j->answer && !err.err))
		return;
	s->journal = NULL;
	s->mode = SESSION_REQUESTS;
	if (j->answer)
		last = j->end ? j->end(s, j->answer, j->data, &err)
			      : answer_with("end", json_true());
	journal_stream_free(j);
	if (last)
		session_answer(s, last);
	else
		session_fail(s, &err);
}

static void end_pipe(struct journal_stream *j)
{
	watch_free(j->watch);
	j->watch = NULL;
	closep(&j->fd);
	j->fd = -1;
	send_text(j, buf_str(&j->rest), j->rest.size);
	buf_truncate(&j->rest, 0);
	finish(j);
}

static void on_readable(int fd, bool readable, bool writable, void *data)
{
	struct journal_stream *j = data;
	char chunk[CHUNK];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	(void)readable;
	(void)writable;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_pipe(j);
		return;
	}
	buf_add(&j->rest, chunk, (size_t)n);
	send_ready(j);
	if (session_queued(j->session) > QUEUE_MAX)
		watch_set(j->watch, false, false);
}

void journal_stream_go_on(struct journal_stream *j)
{
	if (j && j->watch)
		watch_set(j->watch, true, false);
}

static void on_answer(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct session *s = session_found(data);

	(void)fds;
	(void)n_fds;
	if (!s || !s->journal)
		return;
	s->call = 0;
	if (answer)
		s->journal->answer = json_incref((json_t *)answer);
	else
		s->journal->err = *err;
	if (!answer && s->journal->err.err == 0)
		s->journal->err.err = -EIO;
	finish(s->journal);
}

int journal_stream_begin(struct session *s, const char *verb, json_t *arguments,
			 journal_stream_end end, json_t *data, struct error *err)
{
	struct journal_stream *j;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0) {
		json_decref(arguments);
		json_decref(data);
		return error_set_errno(err, errno, "cannot make a pipe");
	}
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	j = mem_new(1, sizeof(*j));
	j->session = s;
	j->fd = fds[0];
	j->watch = loop_watch(s->hive->loop, fds[0], true, false, on_readable, j);
	j->end = end;
	j->data = data;
	s->journal = j;
	s->mode = SESSION_JOURNAL;
	s->call = executor_call(s->hive->executor, verb, arguments, &fds[1], 1, on_answer,
				session_ref(s));
	(void)close(fds[1]);
	return 0;
}

void journal_stream_free(struct journal_stream *j)
{
	if (!j)
		return;
	watch_free(j->watch);
	closep(&j->fd);
	buf_release(&j->rest);
	json_decref(j->answer);
	json_decref(j->data);
	free(j);
}
