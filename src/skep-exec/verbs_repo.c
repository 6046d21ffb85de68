/* seed, remote, export: what is done in an agent's own repository, by a jailed process with its
 * owner's uid. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "host/copy.h"
#include "host/lock.h"
#include "skep-exec/agent.h"
#include "skep-exec/helper.h"
#include "skep-exec/import.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_FD 4
#define OBJECTS_MAX_FILES 2000000
#define OBJECTS_MAX_BYTES (8ull << 30)

static uid_t owner_of(const struct verb_request *request)
{
	return (uid_t)json_integer_value(json_object_get(request->arguments, "owner"));
}

/* Runs a verb of skep-export in a repository's directory. */
static int run(const struct verb_request *request, const char *verb, int dir_fd,
	       const json_t *input, struct error *err)
{
	char uid[16];
	const char *const args[] = {verb, "--uid", uid, "--gid", uid, NULL};
	const struct child_fd fds[] = {{.fd = dir_fd, .target = DIR_FD}};
	const struct helper helper = {
		.program = "skep-export",
		.args = args,
		.fds = fds,
		.n_fds = ARRAY_SIZE(fds),
		.input = input,
		.result_fd = STDOUT_FILENO,
	};

	snprintf(uid, sizeof(uid), "%u", (unsigned)owner_of(request));
	return helper_run(request->place, &helper, NULL, err);
}

/* proposed/<agent>, when it is a directory of that owner and nothing else. */
static int open_repository(const struct verb_request *request, struct error *err)
{
	const char *agent = agent_of(request);
	_cleanup_close_ int proposed = place_open(request->place->state, "proposed", err);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (proposed < 0)
		return proposed;
	fd = openat(proposed, agent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ENOENT, "'%s' has no proposed repository", agent);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, errno,
				       "cannot open the proposed repository of '%s'", agent);
	if (st.st_uid != owner_of(request))
		return error_set(err, EPERM,
				 "the proposed repository of '%s' belongs to uid %u, not %u",
				 agent, (unsigned)st.st_uid, (unsigned)owner_of(request));
	return TAKE_FD(fd);
}

/* applied/<agent>'s objects, copied: what is the owner's must not be a file of skepd's. */
static int copy_objects(const struct verb_request *request, int repository, struct error *err)
{
	_cleanup_free_ char *path = str_format("applied/%s/.git/objects", agent_of(request));
	_cleanup_close_ int state =
		open(request->place->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int from = -1, git = -1, into = -1;
	struct copy copy = {.uid = owner_of(request),
			    .gid = owner_of(request),
			    .max_files = OBJECTS_MAX_FILES,
			    .max_bytes = OBJECTS_MAX_BYTES};
	int r;

	if (state < 0)
		return error_set_errno(err, errno, "cannot open '%s'", request->place->state);
	from = file_open_beneath(state, path, O_RDONLY | O_DIRECTORY, err);
	if (from < 0)
		return from;
	r = file_make_dir(repository, ".git", 0755, copy.uid, copy.gid, err);
	if (r < 0)
		return r;
	git = openat(repository, ".git", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (git < 0)
		return error_set_errno(err, errno, "cannot open the new repository");
	r = file_make_dir(git, "objects", 0755, copy.uid, copy.gid, err);
	if (r < 0)
		return r;
	into = openat(git, "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (into < 0)
		return error_set_errno(err, errno, "cannot open the new repository");
	return copy_over(from, into, path, "info", &copy, err);
}

static int seed_from_applied(const struct verb_request *request, int repository,
			     struct error *err)
{
	json_t *input;
	int r = copy_objects(request, repository, err);

	if (r < 0)
		return r;
	input = json_pack("{s:O, s:O}", "commit", json_object_get(request->arguments, "commit"),
			  "url", json_object_get(request->arguments, "url"));
	r = run(request, "checkout", repository, input, err);
	json_decref(input);
	return r;
}

static int seed_from_files(const struct verb_request *request, int repository,
			   struct error *err)
{
	json_t *input =
		json_pack("{s:O, s:O, s:I}", "files",
			  json_object_get(request->arguments, "files"), "url",
			  json_object_get(request->arguments, "url"), "time",
			  json_integer_value(json_object_get(request->arguments, "time")));
	int r = run(request, "seed", repository, input, err);

	json_decref(input);
	return r;
}

static int seed_into(const struct verb_request *request, int proposed, const char *temp,
		     struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = file_make_dir(proposed, temp, 0700, owner_of(request), owner_of(request), err);

	if (r < 0)
		return r;
	fd = openat(proposed, temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", temp);
	r = json_object_get(request->arguments, "commit") ? seed_from_applied(request, fd, err)
							  : seed_from_files(request, fd, err);
	if (r == 0 && syncfs(fd) < 0)
		r = error_set_errno(err, errno, "cannot sync '%s'", temp);
	return r;
}

int verb_seed(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request);
	_cleanup_free_ char *temp = str_format(".new-%s", agent);
	_cleanup_close_ int lock = lock_agent(request->place, agent, err), proposed = -1;
	bool from_commit = json_object_get(request->arguments, "commit") != NULL;
	bool from_files = json_object_get(request->arguments, "files") &&
			  json_object_get(request->arguments, "time");
	struct stat st;
	int r;

	if (lock < 0)
		return lock;
	if (from_commit == from_files)
		return error_set(err, EINVAL, "seed: either 'commit', or 'files' and 'time'");
	proposed = place_open(request->place->state, "proposed", err);
	if (proposed < 0)
		return proposed;
	if (fstatat(proposed, agent, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		_cleanup_close_ int fd = open_repository(request, err);

		json_object_set_new(answer, "seeded", json_false());
		return fd < 0 ? fd : 0;
	}
	r = file_remove_tree(proposed, temp, err);
	if (r == 0)
		r = seed_into(request, proposed, temp, err);
	if (r == 0 && renameat2(proposed, temp, proposed, agent, RENAME_NOREPLACE) < 0)
		r = error_set_errno(err, errno, "cannot name the repository of '%s'", agent);
	if (r == 0 && fsync(proposed) < 0)
		r = error_set_errno(err, errno, "cannot sync the repository of '%s'", agent);
	if (r < 0) {
		(void)file_remove_tree(proposed, temp, NULL);
		return r;
	}
	json_object_set_new(answer, "seeded", json_true());
	return 0;
}

int verb_remote(struct verb_request *request, json_t *answer, struct error *err)
{
	_cleanup_close_ int fd = open_repository(request, err);
	json_t *input;
	int r;

	(void)answer;
	if (fd < 0)
		return fd;
	input = json_pack("{s:O}", "url", json_object_get(request->arguments, "url"));
	r = run(request, "remote", fd, input, err);
	json_decref(input);
	return r;
}

int export_open(const struct verb_request *request, struct error *err)
{
	const char *from = json_string_value(json_object_get(request->arguments, "from"));

	return from ? import_open(request, from, err) : open_repository(request, err);
}
