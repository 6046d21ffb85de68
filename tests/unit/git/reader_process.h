/* The object reader as a process of its own without a jail: this test program, started again.
 */
#pragma once

#include "base/child.h"
#include "base/sock.h"
#include "git/fixture.h"
#include "git/import.h"
#include "git/reader.h"

#include <sys/socket.h>

#define READER_FD 3

/* First thing in main: "--read DIR" makes this process the reader. Returns its exit status, or
 * -1. */
static inline int reader_process_main(int argc, char **argv)
{
	const struct reader_limits limits = {.max_object_bytes = IMPORT_MAX_BLOB_BYTES};
	const struct rlimit no_core = {0, 0};
	struct error err = {};

	if (argc != 3 || strcmp(argv[1], "--read") != 0)
		return -1;
	(void)setrlimit(RLIMIT_CORE, &no_core);
	if (chdir(argv[2]) < 0 || git_setup(false, &err) < 0 ||
	    reader_serve(READER_FD, &limits, &err) < 0) {
		fprintf(stderr, "# reader: %s\n", error_text(&err));
		return 1;
	}
	return 0;
}

/* data is not used */
static inline int reader_process_start(const char *dir, void *data, int *ret_fd, int *ret_pidfd,
				       struct error *err)
{
	const char *const argv[] = {"reader", "--read", dir, NULL};
	_cleanup_close_ int ours = -1, theirs = -1;
	struct child_fd fds[] = {{2, 2}, {-1, READER_FD}};
	struct child_spec spec = {.path = "/proc/self/exe",
				  .argv = argv,
				  .fds = fds,
				  .n_fds = ARRAY_SIZE(fds)};
	int pair[2], r;
	pid_t pid;

	(void)data;
	r = sock_pair(SOCK_STREAM, pair, err);
	if (r < 0)
		return r;
	ours = pair[0];
	theirs = pair[1];
	fds[1].fd = theirs;
	r = child_spawn(&spec, &pid, ret_pidfd, err);
	if (r == 0)
		*ret_fd = TAKE_FD(ours);
	return r;
}
