#include "control/joblog.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "control/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPE_READS 8 /* empty a pipe of 64 KiB, whatever its pieces are */
#define SAID_MAX (256 * 1024)
#define PIECE_MAX 4096 /* of a line, where it has to be waited for */

struct joblog {
	struct hive *hive;
	int64_t id;
	int fd, pipe_fd;
	struct watch *watch;
	int64_t size;
	bool full;
	char *who;       /* NULL: it is alone */
	struct buf rest; /* with who: a line that has not come whole */
};

int joblog_open(struct hive *hive, int64_t id, struct joblog **ret, struct error *err)
{
	_cleanup_free_ char *path = hive_log_path(hive, id);
	_cleanup_close_ int fd =
		open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	struct joblog *log;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, errno, "cannot open the log of proposal %lld",
				       (long long)id);
	log = mem_new(1, sizeof(*log));
	log->hive = hive;
	log->id = id;
	log->fd = TAKE_FD(fd);
	log->pipe_fd = -1;
	log->size = st.st_size;
	*ret = log;
	return 0;
}

void joblog_of(struct joblog *log, const char *agent)
{
	log->who = str_dup(agent);
}

/* Others may have written to the same file. */
static void look_at_size(struct joblog *log)
{
	struct stat st;

	if (fstat(log->fd, &st) == 0)
		log->size = st.st_size;
}

static void add(struct joblog *log, const char *data, size_t size)
{
	int64_t max = log->hive->config->max_log_bytes;
	char note[100];

	if (log->full)
		return;
	look_at_size(log);
	if (log->size + (int64_t)size > max) {
		log->full = true;
		size = (size_t)snprintf(note, sizeof(note),
					"[the log is full: %" PRId64
					" bytes; what follows is left out]\n",
					max);
		data = note;
	}
	if (file_write_all(log->fd, data, size) < 0)
		log->full = true; /* the disk has no room: the deploy goes on without its log */
	log->size += (int64_t)size;
	joblog_tell(log->hive, log->id);
}

static void add_line(struct joblog *log, const char *line, size_t size)
{
	_cleanup_buf_ struct buf whole = {};

	buf_addf(&whole, "%s: ", log->who);
	buf_add(&whole, line, size);
	buf_add_char(&whole, '\n');
	add(log, whole.data, whole.size);
}

/* What came out of the pipe, cleaned. */
static void add_piece(struct joblog *log, const char *data, size_t size)
{
	size_t done = 0;
	const char *end;

	if (!log->who) {
		add(log, data, size);
		return;
	}
	buf_add(&log->rest, data, size);
	while ((end = memchr(log->rest.data + done, '\n', log->rest.size - done))) {
		add_line(log, log->rest.data + done, (size_t)(end - log->rest.data) - done);
		done = (size_t)(end - log->rest.data) + 1;
	}
	memmove(log->rest.data, log->rest.data + done, log->rest.size - done);
	buf_truncate(&log->rest, log->rest.size - done);
	if (log->rest.size > PIECE_MAX) {
		add_line(log, log->rest.data, log->rest.size);
		buf_truncate(&log->rest, 0);
	}
}

static void end_pipe(struct joblog *log)
{
	if (log->rest.size > 0)
		add_line(log, log->rest.data, log->rest.size);
	buf_truncate(&log->rest, 0);
	watch_free(log->watch);
	log->watch = NULL;
	closep(&log->pipe_fd);
	log->pipe_fd = -1;
}

/* 1: took some; 0: nothing there now; −1: nothing more comes */
static int take_from_pipe(struct joblog *log)
{
	_cleanup_buf_ struct buf clean = {};
	char chunk[16384];
	ssize_t n = read(log->pipe_fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	text_clean(&clean, chunk, (size_t)n, 8 * sizeof(chunk), true);
	if (clean.size > 0)
		add_piece(log, clean.data, clean.size);
	return 1;
}

static void on_pipe(int fd, bool readable, bool writable, void *data)
{
	struct joblog *log = data;

	(void)fd;
	(void)readable;
	(void)writable;
	if (take_from_pipe(log) < 0)
		end_pipe(log);
}

int joblog_pipe(struct joblog *log, int *ret_fd, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	end_pipe(log);
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	log->pipe_fd = fds[0];
	log->watch = loop_watch(log->hive->loop, fds[0], true, false, on_pipe, log);
	*ret_fd = fds[1];
	return 0;
}

void joblog_line(struct joblog *log, const char *format, ...)
{
	_cleanup_buf_ struct buf line = {};
	_cleanup_free_ char *text = NULL;
	va_list args;

	if (!log)
		return;
	/* what was said before comes before: what a pipe holds, not what is written meanwhile
	 */
	for (int i = 0; i < PIPE_READS && log->pipe_fd >= 0 && take_from_pipe(log) > 0; i++)
		;
	va_start(args, format);
	text = str_vformat(format, args);
	va_end(args);
	buf_addf(&line, "skep: %s%s", log->who ? log->who : "", log->who ? ": " : "");
	text_clean(&line, text, strlen(text), 4096, false);
	buf_add_char(&line, '\n');
	add(log, line.data, line.size);
}

void joblog_said(struct joblog *log, const char *text)
{
	_cleanup_buf_ struct buf clean = {};

	if (!log || !text)
		return;
	text_clean(&clean, text, strlen(text), SAID_MAX, true);
	buf_add_char(&clean, '\n');
	add_piece(log, clean.data, clean.size);
}

char *joblog_tail(struct joblog *log, size_t max)
{
	struct buf b = {};
	char chunk[16384];
	ssize_t n;
	off_t from;

	look_at_size(log);
	from = log->size > (int64_t)max ? (off_t)(log->size - (int64_t)max) : 0;
	while (b.size < max && (n = pread(log->fd, chunk, sizeof(chunk), from)) > 0) {
		buf_add(&b, chunk, (size_t)n);
		from += n;
	}
	return buf_take(&b);
}

void joblog_close(struct joblog *log)
{
	if (!log)
		return;
	end_pipe(log);
	closep(&log->fd);
	joblog_tell(log->hive, log->id);
	buf_release(&log->rest);
	free(log->who);
	free(log);
}

void joblog_tell(struct hive *hive, int64_t id)
{
	stream_log_grew(hive, id);
}
