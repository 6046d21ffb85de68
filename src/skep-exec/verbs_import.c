/*
 * import-look, import-stage, import-take, import-drop: the state directory of another
 * controller, which comes as a descriptor. Nothing there is parsed, followed or changed: it is
 * copied by descriptors to <state>/import, where jailed processes read it, and what is taken
 * over is named into its place from there. All that is below <state>/import can go at any time.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "host/copy_state.h"
#include "host/lock.h"
#include "skep-exec/agent.h"
#include "skep-exec/import.h"
#include "skep-exec/table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGE "import"
#define META ".meta" /* no agent's name */
#define NAMES_MAX 2000
#define REPOSITORY_MAX_FILES 500000
#define REPOSITORY_MAX_BYTES (4ull << 30)
#define STATE_MAX_FILES 1000000
#define STATE_MAX_BYTES (64ull << 30)

static int open_dir(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Beneath one of theirs: nothing on the way may be a link, or another file system. */
static int open_theirs(int dir, const char *path)
{
	return file_open_beneath(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL);
}

static int check_source(int fd, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "that is no directory");
	if (st.st_uid != 0)
		return error_set(err, EPERM,
				 "the directory belongs to uid %u: only one of root's is taken "
				 "over",
				 (unsigned)st.st_uid);
	return 0;
}

/* ---- look ---- */

/* "repository" with a .git directory, "bare", "elsewhere" (its .git is a file or a link),
 * "none"
 */
static const char *kind_of(int dir, const char *path, char ret_git[256])
{
	_cleanup_close_ int fd = open_theirs(dir, path);
	struct stat st;

	if (fd < 0)
		return "none";
	if (fstatat(fd, ".git", &st, AT_SYMLINK_NOFOLLOW) == 0) {
		(void)snprintf(ret_git, 256, "%s/.git", path);
		return S_ISDIR(st.st_mode) ? "repository" : "elsewhere";
	}
	if (fstatat(fd, "objects", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
		(void)snprintf(ret_git, 256, "%s", path);
		return "bare";
	}
	return "none";
}

static bool is_dir(int dir, const char *path)
{
	_cleanup_close_ int fd = open_theirs(dir, path);

	return fd >= 0;
}

static void describe(int dir, const char *name, json_t *entry)
{
	_cleanup_free_ char *applied = str_format("applied/%s", name),
			    *config = str_format("agents/%s/config", name),
			    *state = str_format("agents/%s/state", name),
			    *claude = str_format("agents/%s/claude", name);
	char git[256];

	json_put_str(entry, "applied", kind_of(dir, applied, git));
	json_put_str(entry, "config", kind_of(dir, config, git));
	json_object_set_new(entry, "state",
			    json_boolean(is_dir(dir, state) || is_dir(dir, claude)));
}

static int list_names(int dir, const char *below, json_t *found, struct error *err)
{
	int fd = open_theirs(dir, below);
	_cleanup_closedir_ DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (fd == -ENOENT)
		return 0;
	if (!list)
		return error_set(err, fd < 0 ? fd : errno, "cannot list its '%s'", below);
	while (errno = 0, (entry = readdir(list))) {
		_cleanup_free_ char *shown = NULL;

		if (entry->d_name[0] == '.')
			continue;
		shown = text_clean_dup(entry->d_name, 100, false);
		if (json_object_size(found) >= NAMES_MAX)
			return error_set(err, E2BIG, "it has more than %d agents", NAMES_MAX);
		if (!json_object_get(found, shown))
			json_object_set_new(found, shown, json_object());
	}
	return errno ? error_set_errno(err, errno, "cannot list its '%s'", below) : 0;
}

int verb_import_look(struct verb_request *request, json_t *answer, struct error *err)
{
	json_t *found = json_object(), *entry;
	int dir = request->fds[0], r = check_source(dir, err);
	const char *name;
	char git[256];

	if (r == 0)
		r = list_names(dir, "applied", found, err);
	if (r == 0)
		r = list_names(dir, "agents", found, err);
	if (r == 0 && json_object_size(found) == 0)
		r = error_set(err, ENOENT,
			      "it has neither 'applied/' nor 'agents/' with anything in it");
	if (r < 0) {
		json_decref(found);
		return r;
	}
	json_object_foreach (found, name, entry)
		if (name_check(name, NULL) == 0)
			describe(dir, name, entry);
	json_object_set_new(answer, "agents", found);
	json_put_str(answer, "meta", kind_of(dir, "meta", git));
	return 0;
}

/* ---- stage ---- */

/* <state>/import/<name>, made when missing. */
static int make_stage(const struct place *place, const char *name, struct error *err)
{
	_cleanup_close_ int state = open_dir(AT_FDCWD, place->state), stage = -1;
	int r, fd;

	if (state < 0)
		return error_set_errno(err, errno, "cannot open '%s'", place->state);
	if ((r = file_make_dir(state, STAGE, 0700, 0, 0, err)) < 0)
		return r;
	stage = open_dir(state, STAGE);
	if (stage < 0)
		return error_set_errno(err, errno, "cannot open '%s/" STAGE "'", place->state);
	if ((r = file_make_dir(stage, name, 0700, 0, 0, err)) < 0)
		return r;
	fd = open_dir(stage, name);
	return fd < 0 ? error_set_errno(err, errno, "cannot open '" STAGE "/%s'", name) : fd;
}

/* Copies theirs to into/name, in which it becomes the owner's. */
static int copy(int theirs, int into, const char *name, const char *what, uid_t owner,
		bool is_state, struct copy_state *sum, struct error *err)
{
	struct copy_state one = {
		.from_base = 0,
		.to_base = owner,
		.max_files = is_state ? STATE_MAX_FILES : REPOSITORY_MAX_FILES,
		.max_bytes = is_state ? STATE_MAX_BYTES : REPOSITORY_MAX_BYTES,
	};
	_cleanup_close_ int fd = -1;
	int r = file_make_dir(into, name, 0700, owner, owner, err);

	if (r < 0)
		return r;
	fd = open_dir(into, name);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", name);
	r = copy_state(theirs, fd, what, &one, err);
	if (r == 0 && syncfs(fd) < 0)
		r = error_set_errno(err, errno, "cannot sync '%s'", name);
	sum->files += one.files;
	sum->bytes += one.bytes;
	sum->shared_bytes += one.shared_bytes;
	sum->left_out += one.left_out;
	return r;
}

/* A repository whose .git, wherever it was, is <name>/.git. */
static int copy_repository(int dir, const char *path, bool with_work, int into,
			   const char *name, uid_t owner, struct copy_state *sum,
			   struct error *err)
{
	_cleanup_close_ int theirs = -1, made = -1;
	char git[256] = "";
	const char *kind = kind_of(dir, path, git);
	int r;

	if (strcmp(kind, "repository") != 0 && strcmp(kind, "bare") != 0)
		return error_set(err, ENOENT, "'%s' is no repository", path);
	with_work = with_work && strcmp(kind, "repository") == 0;
	theirs = open_theirs(dir, with_work ? path : git);
	if (theirs < 0)
		return error_set_errno(err, -theirs, "cannot open '%s'", path);
	if (with_work)
		return copy(theirs, into, name, path, owner, false, sum, err);
	if ((r = file_make_dir(into, name, 0700, owner, owner, err)) < 0)
		return r;
	made = open_dir(into, name);
	if (made < 0)
		return error_set_errno(err, errno, "cannot open '%s'", name);
	return copy(theirs, made, ".git", path, owner, false, sum, err);
}

static uid_t id_of(const struct verb_request *request, const char *key)
{
	return (uid_t)json_integer_value(json_object_get(request->arguments, key));
}

/* What an agent of that name left here would be mixed up with what comes. */
static int refuse_present(const struct place *place, const char *agent, struct error *err)
{
	static const char *const places[] = {"proposed", "agents"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		_cleanup_close_ int fd = place_open(place->state, places[i], err);
		struct stat st;

		if (fd < 0)
			return fd;
		if (fstatat(fd, agent, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return error_set(err, EEXIST, "there is something at '%s/%s' already",
					 places[i], agent);
	}
	return 0;
}

static int stage_state(int dir, const char *agent, int into, uid_t base, struct copy_state *sum,
		       struct error *err)
{
	static const char *const parts[] = {"state", "claude"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		_cleanup_free_ char *path = str_format("agents/%s/%s", agent, parts[i]);
		_cleanup_close_ int theirs = open_theirs(dir, path);
		int r = theirs < 0 ? 0
				   : copy(theirs, into, parts[i], path, base, true, sum, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int stage_agent(struct verb_request *request, const char *agent, json_t *answer,
		       struct copy_state *sum, struct error *err)
{
	_cleanup_free_ char *applied = str_format("applied/%s", agent),
			    *config = str_format("agents/%s/config", agent);
	bool with_state = json_is_true(json_object_get(request->arguments, "state"));
	uid_t owner = id_of(request, "owner"), base = id_of(request, "uid_base");
	_cleanup_close_ int into = -1;
	int dir = request->fds[0], r;
	char git[256];

	if (!base)
		return error_set(err, EINVAL, "'uid_base' is missing");
	if ((r = refuse_present(request->place, agent, err)) < 0)
		return r;
	if ((into = make_stage(request->place, agent, err)) < 0)
		return into;
	r = copy_repository(dir, applied, false, into, "applied", owner, sum, err);
	if (r < 0)
		return r;
	if (strcmp(kind_of(dir, config, git), "repository") == 0) {
		r = copy_repository(dir, config, true, into, "config", owner, sum, err);
		json_object_set_new(answer, "config", json_true());
	}
	if (r == 0 && with_state)
		r = stage_state(dir, agent, into, base, sum, err);
	return r;
}

int verb_import_stage(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request);
	uid_t owner = id_of(request, "owner");
	struct copy_state sum = {};
	int r = check_source(request->fds[0], err);

	if (r == 0 && agent) {
		r = stage_agent(request, agent, answer, &sum, err);
	} else if (r == 0) {
		_cleanup_close_ int into = make_stage(request->place, META, err);

		r = into < 0 ? into
			     : copy_repository(request->fds[0], "meta", false, into, "applied",
					       owner, &sum, err);
	}
	if (r < 0)
		return r;
	json_object_set_new(answer, "files", json_integer((json_int_t)sum.files));
	json_object_set_new(answer, "bytes", json_integer((json_int_t)sum.bytes));
	json_object_set_new(answer, "shared_bytes", json_integer((json_int_t)sum.shared_bytes));
	json_object_set_new(answer, "left_out", json_integer((json_int_t)sum.left_out));
	return 0;
}

int import_open(const struct verb_request *request, const char *what, struct error *err)
{
	bool is_meta = strcmp(what, "meta") == 0;
	_cleanup_free_ char *path = str_format("%s/%s", is_meta ? META : agent_of(request),
					       is_meta ? "applied" : what);
	_cleanup_close_ int stage = -1;

	if (!is_meta && strcmp(what, "applied") != 0 && strcmp(what, "config") != 0)
		return error_set(err, EINVAL, "'from' must be applied, config or meta");
	stage = place_open(request->place->state, STAGE, err);
	return stage < 0 ? stage
			 : file_open_beneath(stage, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
					     err);
}

/* ---- take, drop ---- */

/* Names what was staged into its place; what is there already stays. */
static int put(int stage, const char *from, int into, const char *to, struct error *err)
{
	struct stat st;

	if (fstatat(stage, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : error_set_errno(err, errno, "cannot find '%s'", from);
	if (renameat2(stage, from, into, to, RENAME_NOREPLACE) < 0)
		return error_set_errno(err, errno, "cannot put '%s' in its place", to);
	return fsync(into) < 0 ? error_set_errno(err, errno, "cannot sync '%s'", to) : 0;
}

static int take_agent(const struct place *place, int stage, const char *agent,
		      struct error *err)
{
	_cleanup_close_ int lock = lock_agent(place, agent, err), mine = -1, home = -1;
	_cleanup_close_ int proposed =
		lock < 0 ? -1 : place_open(place->state, "proposed", err);
	_cleanup_close_ int agents =
		proposed < 0 ? -1 : place_open(place->state, "agents", err);
	int r;

	if (agents < 0)
		return lock < 0 ? lock : proposed < 0 ? proposed : agents;
	mine = open_dir(stage, agent);
	if (mine < 0)
		return error_set_errno(err, errno, "cannot open '" STAGE "/%s'", agent);
	if ((r = file_make_dir(agents, agent, 0755, 0, 0, err)) < 0)
		return r;
	home = open_dir(agents, agent);
	if (home < 0)
		return error_set_errno(err, errno, "cannot open 'agents/%s'", agent);
	if ((r = put(mine, "config", proposed, agent, err)) < 0 ||
	    (r = put(mine, "state", home, "state", err)) < 0)
		return r;
	return put(mine, "claude", home, "claude", err);
}

int verb_import_take(struct verb_request *request, json_t *answer, struct error *err)
{
	json_t *agents = json_object_get(request->arguments, "agents"), *taken = json_array(),
	       *word;
	_cleanup_close_ int stage = place_open(request->place->state, STAGE, err);
	size_t i;
	int r = stage < 0 ? stage : place_make(request->place, err);

	json_array_foreach (agents, i, word) {
		const char *name = json_string_value(word);
		struct stat st;

		if (r < 0 || (r = name_check(name, err)) < 0 ||
		    fstatat(stage, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		r = take_agent(request->place, stage, name, err);
		json_array_append_new(taken, json_string(name));
	}
	json_object_set_new(answer, "taken", taken);
	return r;
}

int verb_import_drop(struct verb_request *request, json_t *answer, struct error *err)
{
	_cleanup_close_ int state = open_dir(AT_FDCWD, request->place->state);

	(void)answer;
	return state < 0
		       ? error_set_errno(err, errno, "cannot open '%s'", request->place->state)
		       : file_remove_tree(state, STAGE, err);
}
