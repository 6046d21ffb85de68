/* build: a commit's tree becomes a system, systems/<tree>, written and checked by skep-build
 * under a uid of its own. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "skep-exec/agent.h"
#include "skep-exec/helper.h"
#include "skep-exec/seal.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_FD STDOUT_FILENO
#define RESULT_FD 3
#define DIR_FD 4
#define STAGING ".staging-" /* and the process that writes there */

struct build {
	const struct place *place;
	const char *agent, *commit, *tree;
	int systems_fd, log_fd;
	char uid[16], gid[16], owner[16];
};

static int run(const struct build *b, const char *const *args, int dir_fd, bool log,
	       struct error *err)
{
	const struct child_fd fds[] = {{.fd = dir_fd, .target = DIR_FD},
				       {.fd = b->log_fd, .target = LOG_FD}};
	const struct helper helper = {
		.program = "skep-build",
		.args = args,
		.fds = fds,
		.n_fds = log ? 2 : 1,
		.result_fd = RESULT_FD,
	};
	json_t *result = NULL;
	const char *tree = NULL;
	int r = helper_run(b->place, &helper, &result, err);

	if (r == 0)
		r = json_get_str(result, "tree", true, &tree, err);
	if (r == 0 && strcmp(tree, b->tree) != 0)
		r = error_set(err, EBADMSG, "what was built is tree %.12s, not %.12s", tree,
			      b->tree);
	json_decref(result);
	return r;
}

/* Hashes a directory back in a fresh process. */
static int check(const struct build *b, int dir_fd, struct error *err)
{
	const char *const args[] = {"hash", "--uid", b->uid, "--gid", b->gid, NULL};

	return run(b, args, dir_fd, false, err);
}

/* 1: the system is there already, whole. A broken one is taken away. */
static int reuse(const struct build *b, struct error *err)
{
	_cleanup_close_ int fd =
		openat(b->systems_fd, b->tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct error ignored = {};
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0
				       : error_set_errno(err, errno, "cannot open system %.12s",
							 b->tree);
	r = check(b, fd, &ignored);
	if (r == 0)
		return 1;
	return r == -EBADMSG ? file_remove_tree(b->systems_fd, b->tree, err)
			     : (*err = ignored, r);
}

static int build_into(const struct build *b, const char *staging, struct error *err)
{
	_cleanup_free_ char *repo = str_format("%s/applied/%s", b->place->state, b->agent);
	const char *const args[] = {"overlay", "--uid",  b->uid,   "--gid", b->gid,
				    "--owner", b->owner, "--repo", repo,    "--commit",
				    b->commit, "--tree", b->tree,  NULL};
	_cleanup_close_ int fd = -1;
	int r = file_make_dir(b->systems_fd, staging, 0700, b->place->build_uid,
			      b->place->build_gid, err);

	if (r < 0)
		return r;
	fd = openat(b->systems_fd, staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", staging);
	r = run(b, args, fd, true, err);
	if (r == 0)
		r = seal_tree(fd, err);
	/* Checked again now that nobody but root can write to it. */
	if (r == 0)
		r = check(b, fd, err);
	if (r == 0 && syncfs(fd) < 0)
		r = error_set_errno(err, errno, "cannot sync system %.12s", b->tree);
	return r;
}

/* 1: somebody else built the same at the same time. */
static int publish(const struct build *b, const char *staging, struct error *err)
{
	if (renameat2(b->systems_fd, staging, b->systems_fd, b->tree, RENAME_NOREPLACE) < 0)
		return errno == EEXIST ? 1
				       : error_set_errno(err, errno, "cannot name system %.12s",
							 b->tree);
	if (fsync(b->systems_fd) < 0)
		return error_set_errno(err, errno, "cannot sync system %.12s", b->tree);
	return 0;
}

/* What builds left behind that were killed: at their deadline, or because nobody wanted them.
 */
static int sweep(const struct build *b, struct error *err)
{
	int list_fd = openat(b->systems_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;

	if (!dir)
		return error_set_errno(err, errno, "cannot list systems");
	while (errno = 0, (entry = readdir(dir))) {
		int pid = 0, r = 0;

		if (sscanf(entry->d_name, STAGING "%d", &pid) != 1 || pid <= 0)
			continue;
		if (pid == getpid() || (kill(pid, 0) < 0 && errno == ESRCH))
			r = file_remove_tree(b->systems_fd, entry->d_name, err);
		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(err, errno, "cannot list systems") : 0;
}

static int build(const struct build *b, struct error *err)
{
	_cleanup_free_ char *staging = str_format(STAGING "%d", (int)getpid());
	struct error ignored;
	int r = reuse(b, err);

	if (r == 0)
		r = sweep(b, err);
	if (r != 0)
		return r;
	r = build_into(b, staging, err);
	if (r == 0)
		r = publish(b, staging, err);
	if (r != 0)
		(void)file_remove_tree(b->systems_fd, staging, &ignored);
	return r;
}

int verb_build(struct verb_request *request, json_t *answer, struct error *err)
{
	const struct place *place = request->place;
	struct build b = {
		.place = place,
		.agent = agent_of(request),
		.commit = json_string_value(json_object_get(request->arguments, "commit")),
		.tree = json_string_value(json_object_get(request->arguments, "tree")),
		.log_fd = request->fds[0],
	};
	const char *builder = json_string_value(json_object_get(request->arguments, "builder"));
	_cleanup_close_ int systems_fd = place_open(place->state, "systems", err);
	int r;

	if (systems_fd < 0)
		return systems_fd;
	if (builder && strcmp(builder, "nix") == 0)
		return verb_build_nix(request, answer, err);
	if (builder && strcmp(builder, "overlay") != 0)
		return error_set(err, EOPNOTSUPP, "there is no builder '%s' here", builder);
	b.systems_fd = systems_fd;
	snprintf(b.uid, sizeof(b.uid), "%u", (unsigned)place->build_uid);
	snprintf(b.gid, sizeof(b.gid), "%u", (unsigned)place->build_gid);
	snprintf(b.owner, sizeof(b.owner), "%u", (unsigned)place->skep_uid);
	r = build(&b, err);
	if (r < 0)
		return r;
	json_put_str(answer, "system", b.tree);
	if (r == 1)
		json_object_set_new(answer, "reused", json_true());
	return 0;
}
