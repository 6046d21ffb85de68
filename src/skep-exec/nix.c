#include "skep-exec/nix.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "host/checks_nix.h"
#include "host/evaluator.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGS_MAX 32
#define ERROR_MAX 4096
#define SLACK_MS 90000 /* skep-build ends by itself before that */
#define MEMORY_DEFAULT (4LL << 30)
#define TIMEOUT_DEFAULT_S 3600

/* git refuses a repository of another uid, and in a home of nobody's there is nothing else. */
static const char gitconfig[] = "[safe]\n\tdirectory = *\n";

static int make_dirs(struct nix_run *run, const char *name, struct error *err)
{
	const struct place *place = run->request->place;
	_cleanup_close_ int state_fd = open(place->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int home_fd = -1;
	int r;

	if (state_fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", place->state);
	if ((r = file_make_dir(state_fd, "nix-cache", 0700, place->build_uid, place->build_gid,
			       err)) < 0 ||
	    (r = file_make_dir(run->systems_fd, name, 0755, 0, 0, err)) < 0)
		return r;
	run->dir_fd =
		openat(run->systems_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (run->dir_fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", run->dir);
	if ((r = file_make_dir(run->dir_fd, "home", 0755, 0, 0, err)) < 0 ||
	    (r = file_make_dir(run->dir_fd, "empty", 0555, 0, 0, err)) < 0 ||
	    (r = file_make_dir(run->dir_fd, "rw", 0700, place->build_uid, place->build_gid,
			       err)) < 0)
		return r;
	home_fd = openat(run->dir_fd, "home", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	run->work_fd = openat(run->dir_fd, "rw", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (home_fd < 0 || run->work_fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", run->dir);
	return file_write_atomic(home_fd, ".gitconfig", gitconfig, sizeof(gitconfig) - 1, 0644,
				 err);
}

int nix_run_begin(const struct verb_request *request, struct nix_run *ret, struct error *err)
{
	const struct place *place = request->place;
	_cleanup_free_ char *name = str_format(".staging-%d", (int)getpid());
	int r;

	*ret = (struct nix_run){.request = request,
				.systems_fd = -1,
				.dir_fd = -1,
				.work_fd = -1,
				.timeout_s = TIMEOUT_DEFAULT_S,
				.memory_bytes = MEMORY_DEFAULT};
	if ((r = nix_program(&ret->program, err)) < 0 ||
	    (r = json_get_int(request->arguments, "timeout_s", false, 1, INT_MAX,
			      &ret->timeout_s, err)) < 0 ||
	    (r = json_get_int(request->arguments, "memory_max_bytes", false, 1 << 20, INT64_MAX,
			      &ret->memory_bytes, err)) < 0)
		return r;
	ret->dir = str_format("%s/systems/%s", place->state, name);
	ret->cache = str_format("%s/nix-cache", place->state);
	ret->systems_fd = place_open(place->state, "systems", err);
	return ret->systems_fd < 0 ? ret->systems_fd : make_dirs(ret, name, err);
}

void nix_run_end(struct nix_run *run)
{
	closep(&run->work_fd);
	closep(&run->dir_fd);
	if (run->dir && run->systems_fd >= 0)
		(void)file_remove_tree(run->systems_fd, strrchr(run->dir, '/') + 1, NULL);
	closep(&run->systems_fd);
	free(run->program);
	free(run->dir);
	free(run->cache);
}

/* What skep-build says of a failure. It is of foreign making: bounded, and cleaned. */
static int read_error(const struct nix_run *run, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *clean = NULL;

	if (file_read(run->work_fd, "error", ERROR_MAX, &text, NULL) < 0 || text.size == 0)
		return error_set(err, EIO, "skep-build failed without a word");
	clean = text_clean_dup(buf_str(&text), ERROR_MAX, true);
	return error_set(err, EIO, "%s", clean);
}

int nix_run_do(struct nix_run *run, const char *word, const char *const *more,
	       struct error *err)
{
	const struct place *place = run->request->place;
	_cleanup_free_ char *work = str_format("%s/rw", run->dir);
	const char *const writable[] = {work, run->cache, NULL};
	char uid[16], gid[16], owner[16], timeout[24], memory[24];
	const char *args[ARGS_MAX + 1] = {word,         "--uid",     uid,      "--gid",
					  gid,          "--owner",   owner,    "--program",
					  run->program, "--dir",     run->dir, "--cache",
					  run->cache,   "--timeout", timeout,  "--memory",
					  memory};
	const struct evaluator evaluator = {
		.args = args,
		.writable = writable,
		.log_fd = run->request->fds[0],
		.timeout_ms = run->timeout_s * 1000 + SLACK_MS,
		.memory_max_bytes = run->memory_bytes,
	};
	size_t n = 17;
	int r;

	snprintf(uid, sizeof(uid), "%u", (unsigned)place->build_uid);
	snprintf(gid, sizeof(gid), "%u", (unsigned)place->build_gid);
	snprintf(owner, sizeof(owner), "%u", (unsigned)place->skep_uid);
	snprintf(timeout, sizeof(timeout), "%" PRId64, run->timeout_s);
	snprintf(memory, sizeof(memory), "%" PRId64, run->memory_bytes);
	while (more && *more && n < ARGS_MAX)
		args[n++] = *more++;
	r = evaluator_run(run->request->supervisor, place, &evaluator, err);
	return r <= 0 ? r : read_error(run, err);
}
