#include "skep-exec/helper.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "host/message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RESULT_MAX 65536

/* A file in memory: the whole input is there before the helper starts, however slowly it reads.
 */
static int open_input(const json_t *input, struct error *err)
{
	_cleanup_close_ int fd = memfd_create("skep-input", MFD_CLOEXEC);
	_cleanup_free_ char *line = json_line(input);
	int r = fd < 0 ? -errno : file_write_all(fd, line, strlen(line));

	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? error_set_errno(err, r, "cannot keep a request") : TAKE_FD(fd);
}

/* Up to the end of file: the helper is then gone, or about to be. */
static void read_result(int fd, struct buf *ret)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || ret->size + (size_t)n > RESULT_MAX)
			return;
		buf_add(ret, chunk, (size_t)n);
	}
}

static int judge(const struct helper *h, const struct child_exit *exit, const struct buf *text,
		 json_t **ret, struct error *err)
{
	json_t *result = NULL;
	char how[64];
	int r = 0;

	if (text->size > 0)
		r = json_parse(text->data, text->size, &result, err);
	if (r < 0)
		return error_prefix(err, "what %s answers", h->program);
	if (result)
		r = message_result(result, err);
	if (r == 0 && (exit->signaled || exit->status != 0 || (h->result_fd >= 0 && !result)))
		r = error_set(err, EIO, "%s %s", h->program, child_exit_text(how, exit));
	if (r == 0 && ret)
		*ret = json_incref(result);
	json_decref(result);
	return r;
}

int helper_run(const struct place *place, const struct helper *h, json_t **ret,
	       struct error *err)
{
	_cleanup_free_ char *program = str_format("%s/%s", place->program_dir, h->program);
	_cleanup_close_ int input = -1, pidfd = -1, out = -1, in = -1;
	_cleanup_buf_ struct buf text = {};
	struct child_fd fds[HELPER_MAX_FDS + 2];
	const char *argv[24] = {h->program};
	struct child_spec spec = {.path = program, .argv = argv, .fds = fds, .n_fds = h->n_fds};
	struct child_exit exit;
	int pipe_fds[2], r;
	pid_t pid;

	for (size_t i = 0; h->args[i] && i + 2 < ARRAY_SIZE(argv); i++)
		argv[i + 1] = h->args[i];
	memcpy(fds, h->fds, h->n_fds * sizeof(*fds));
	if (h->input) {
		input = open_input(h->input, err);
		if (input < 0)
			return input;
		fds[spec.n_fds++] = (struct child_fd){.fd = input, .target = STDIN_FILENO};
	}
	if (h->result_fd >= 0) {
		if (pipe2(pipe_fds, O_CLOEXEC) < 0)
			return error_set_errno(err, errno, "cannot make a pipe");
		out = pipe_fds[0];
		in = pipe_fds[1];
		fds[spec.n_fds++] = (struct child_fd){.fd = in, .target = h->result_fd};
	}
	r = child_spawn(&spec, &pid, &pidfd, err);
	if (r < 0)
		return r;
	closep(&in);
	in = -1;
	if (out >= 0)
		read_result(out, &text);
	r = child_wait(pidfd, -1, &exit);
	if (r < 0)
		return error_set_errno(err, r, "cannot wait for %s", h->program);
	return judge(h, &exit, &text, ret, err);
}
