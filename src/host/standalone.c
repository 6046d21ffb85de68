/*
 * Containers where no systemd runs as PID 1: each nspawn is a process in a session and control
 * groups of its own, known by its record. It outlives the process that started it; whoever
 * comes next finds it by pid and start time.
 */
#include "host/standalone.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "host/cgroup.h"
#include "host/leader.h"
#include "host/notify.h"
#include "host/proc.h"
#include "host/record.h"
#include "host/roots.h"
#include "host/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KILL_MS 10000 /* a killed process has this long to be gone */
#define LOG_MAX 65536 /* of what nspawn itself says */
#define LOG_SHOWN 300

static char *exec_path(const struct place *place, const char *agent, const char *ending)
{
	return str_format("%s/exec/%s.%s", place->runtime, agent, ending);
}

/* The groups a container has, or would have: its record may be lost. */
static int find_cgroups(const struct place *place, const char *agent,
			const struct record *record, struct cgroups *ret, struct error *err)
{
	_cleanup_free_ char *name = run_cgroup_name(place, agent);
	_cleanup_cgroups_ struct cgroups base = {};
	int r = 0;

	for (size_t i = 0; i < record->cgroups.count; i++) {
		ret->items = mem_grow(ret->items, ret->count + 1, sizeof(*ret->items));
		ret->items[ret->count] = record->cgroups.items[i];
		ret->items[ret->count].dir = str_dup(record->cgroups.items[i].dir);
		ret->count++;
	}
	if (ret->count == 0)
		r = cgroups_of_self(&base, err);
	if (ret->count == 0 && r == 0)
		cgroups_below(&base, name, ret);
	return r;
}

/* Kills whatever is left of a container and removes its control groups; returns when it is
 * gone. */
static int clear(const struct place *place, const char *agent, const struct record *record,
		 struct error *err)
{
	const struct proc_id ids[] = {record->leader, record->nspawn};
	_cleanup_free_ char *layers = exec_path(place, agent, "layers");
	_cleanup_free_ char *roots = str_format("roots/%s", agent);
	_cleanup_cgroups_ struct cgroups cgroups = {};
	int r = find_cgroups(place, agent, record, &cgroups, err);

	for (size_t i = 0; i < ARRAY_SIZE(ids) && r == 0; i++)
		r = proc_signal(&ids[i], SIGKILL, err);
	if (r == 0)
		r = proc_wait(ids, ARRAY_SIZE(ids), KILL_MS, err);
	if (r == 0)
		r = cgroups_destroy(&cgroups, KILL_MS, err);
	if (r == 0 && rmdir(layers) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot remove '%s'", layers);
	/* A killed nspawn leaves the lock file of its root. */
	if (r == 0)
		r = place_sweep(place->state, roots, ROOT_LOCK_PREFIX, err);
	return r == -ENOENT ? 0 : r;
}

/* A record, or an empty one where there is none. */
static int read_record(const struct place *place, const char *agent, struct record *ret,
		       struct error *err)
{
	int r = record_read(place, agent, ret, err);

	return r == -ENOENT ? 0 : r;
}

/* Fills in the leader where whoever started the container was killed before it could note it.
 */
static void find_leader(struct record *record)
{
	struct proc_id id;
	pid_t pid = 0;

	if (record->leader.pid == 0 && proc_is_alive(&record->nspawn) &&
	    leader_find(record->nspawn.pid, &pid, NULL) == 0 && pid > 0 &&
	    proc_identify(pid, &id, NULL) == 0)
		record->leader = id;
}

static int inspect(const struct place *place, const char *agent, struct container_state *ret,
		   struct error *err)
{
	_cleanup_record_ struct record record = {};
	struct container_state state = {.state = CONTAINER_STOPPED};
	int r = read_record(place, agent, &record, err);

	if (r < 0)
		return r;
	if (proc_is_alive(&record.nspawn)) {
		state.state = CONTAINER_STARTING;
		state.nspawn_pid = record.nspawn.pid;
		find_leader(&record);
		if (proc_is_alive(&record.leader)) {
			state.state = CONTAINER_RUNNING;
			state.leader = record.leader.pid;
			state.since_boot_ms = record.since_boot_ms;
		}
	} else if (record.ended) {
		state.state = record.clean ? CONTAINER_STOPPED : CONTAINER_FAILED;
		snprintf(state.exit, sizeof(state.exit), "%s", record.exit);
	} else if (record.nspawn.pid > 0) {
		state.state = CONTAINER_FAILED;
		snprintf(state.exit, sizeof(state.exit), "ended for an unknown reason");
	}
	*ret = state;
	return 0;
}

/* What nspawn said, cleaned and short: the last lines tell why. */
static void add_log(const char *path, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *clean = NULL;
	size_t start;

	if (file_read(AT_FDCWD, path, LOG_MAX, &text, NULL) < 0 || text.size == 0)
		return;
	while (text.size > 0 && text.data[text.size - 1] == '\n')
		buf_truncate(&text, text.size - 1);
	start = text.size > LOG_SHOWN ? text.size - LOG_SHOWN : 0;
	clean = text_clean_dup(text.data + start, LOG_SHOWN, false);
	(void)error_set(err, err->err, "%s: %s", error_text(err), clean);
}

struct launch {
	int notify_fd, log_fd, pidfd;
	pid_t pid;
	char *notify_path, *log_path;
};

static void launch_release(struct launch *l)
{
	if (l->notify_path)
		(void)unlink(l->notify_path);
	closep(&l->notify_fd);
	closep(&l->log_fd);
	closep(&l->pidfd);
	free(l->notify_path);
	free(l->log_path);
}

static int spawn(const struct place *place, const char *agent, struct launch *l,
		 struct error *err)
{
	_cleanup_free_ char *program = str_format("%s/skep-exec", place->program_dir);
	_cleanup_free_ char *notify = str_format("NOTIFY_SOCKET=%s", l->notify_path);
	char skep_uid[16], build_uid[16];
	const char *const argv[] = {program,      "run",        agent,         "--standalone",
				    "--state",    place->state, "--runtime",   place->runtime,
				    "--skep-uid", skep_uid,     "--build-uid", build_uid,
				    NULL};
	const char *const env[] = {notify, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
				   NULL};
	const struct child_fd fds[] = {{.fd = l->log_fd, .target = STDERR_FILENO}};
	const struct child_spec spec = {
		.path = program,
		.argv = argv,
		.env = env,
		.fds = fds,
		.n_fds = ARRAY_SIZE(fds),
		.new_session = true, /* Ctrl-C on skepd's terminal is not for the containers */
	};

	snprintf(skep_uid, sizeof(skep_uid), "%u", (unsigned)place->skep_uid);
	snprintf(build_uid, sizeof(build_uid), "%u", (unsigned)place->build_uid);
	return child_spawn(&spec, &l->pid, &l->pidfd, err);
}

/* Waits for READY and completes the record with the leader. */
static int await_ready(const struct place *place, const char *agent, struct launch *l,
		       int64_t timeout_ms, struct error *err)
{
	_cleanup_record_ struct record record = {};
	struct child_exit exit;
	char how[64];
	pid_t leader = 0;
	int r = notify_wait(l->notify_fd, l->pidfd, timeout_ms, &leader, err);

	if (r == -ECHILD) {
		r = child_wait(l->pidfd, 0, &exit);
		if (r < 0)
			return error_set_errno(err, r, "cannot wait for the container");
		(void)error_set(err, EIO, "the container of '%s' %s before it was ready", agent,
				child_exit_text(how, &exit));
		add_log(l->log_path, err);
		return err->err;
	}
	if (r < 0) {
		(void)error_prefix(err, "the container of '%s'", agent);
		add_log(l->log_path, err);
		return r;
	}
	r = record_read(place, agent, &record, err);
	if (r == 0) {
		find_leader(&record);
		if (record.leader.pid == 0)
			r = error_set(err, ESRCH, "the container of '%s' is gone again", agent);
	}
	if (r == 0 && leader != 0 && leader != record.leader.pid)
		r = error_set(err, EPROTO,
			      "nspawn names process %d as the container's, but runs %d",
			      (int)leader, (int)record.leader.pid);
	if (r < 0)
		return r;
	record.since_boot_ms = clock_boot_ms();
	return record_write(place, agent, &record, err);
}

static int start(const struct place *place, const char *agent, const struct limits *limits,
		 int64_t timeout_ms, struct container_state *ret, struct error *err)
{
	_cleanup_(
		launch_release) struct launch l = {.notify_fd = -1, .log_fd = -1, .pidfd = -1};
	_cleanup_record_ struct record record = {}, failed = {};
	struct error ignored;
	int r = read_record(place, agent, &record, err);

	(void)limits; /* in the specification that `run` reads */
	if (r == 0 && proc_is_alive(&record.nspawn))
		return error_set_code(err, EEXIST, "wrong_state",
				      "the container of '%s' runs already", agent);
	if (r == 0)
		r = clear(place, agent, &record, err);
	if (r == 0)
		r = record_remove(place, agent, err);
	if (r < 0)
		return r;
	l.notify_path = exec_path(place, agent, "notify");
	l.log_path = exec_path(place, agent, "log");
	l.notify_fd = notify_listen(l.notify_path, err);
	if (l.notify_fd < 0)
		return l.notify_fd;
	l.log_fd =
		open(l.log_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (l.log_fd < 0)
		return error_set_errno(err, errno, "cannot write '%s'", l.log_path);
	r = spawn(place, agent, &l, err);
	if (r < 0)
		return r;
	r = await_ready(place, agent, &l, timeout_ms, err);
	if (r == 0)
		return inspect(place, agent, ret, err);
	/* The child is killed first: after that no group or record appears any more. */
	child_kill(l.pidfd);
	if (read_record(place, agent, &failed, &ignored) == 0 &&
	    clear(place, agent, &failed, &ignored) == 0)
		(void)record_remove(place, agent, &ignored);
	return r;
}

static int stop(const struct place *place, const char *agent, int64_t timeout_ms,
		struct error *err)
{
	_cleanup_record_ struct record record = {};
	int r = read_record(place, agent, &record, err);

	if (r < 0)
		return r;
	find_leader(&record);
	/* nspawn passes its TERM on as the halt signal of the system inside. */
	r = proc_signal(&record.nspawn, SIGTERM, err);
	if (r == 0)
		r = proc_wait(&record.nspawn, 1, timeout_ms, err);
	if (r == 0 || r == -ETIMEDOUT)
		r = clear(place, agent, &record, err);
	return r < 0 ? r : record_remove(place, agent, err);
}

int standalone_ended(const struct place *place, const char *agent, const char *exit, bool clean,
		     struct error *err)
{
	_cleanup_record_ struct record record = {};
	int r = record_read(place, agent, &record, err);

	if (r < 0 || record.ended || proc_is_alive(&record.nspawn))
		return r == -ENOENT ? 0 : r;
	/* A killed nspawn leaves its container running, out of anyone's hands. */
	r = clear(place, agent, &record, err);
	if (r < 0)
		return r;
	cgroups_release(&record.cgroups);
	record.leader = record.nspawn = (struct proc_id){};
	record.ended = true;
	record.clean = clean;
	snprintf(record.exit, sizeof(record.exit), "%s", exit);
	r = record_write(place, agent, &record, err);
	return r < 0 ? r : 1;
}

static int set_limits(const struct place *place, const char *agent, const struct limits *limits,
		      unsigned *ret_enforced, struct error *err)
{
	_cleanup_record_ struct record record = {};
	int r = record_read(place, agent, &record, err);

	if (r == -ENOENT || (r == 0 && !proc_is_alive(&record.nspawn)))
		return error_set_code(err, ESRCH, "wrong_state",
				      "the container of '%s' is not running", agent);
	return r < 0 ? r : cgroups_limit(&record.cgroups, limits, ret_enforced, err);
}

static int forget(const struct place *place, const char *agent, struct error *err)
{
	static const char *const endings[] = {"notify", "log"};
	_cleanup_record_ struct record record = {};
	int r = read_record(place, agent, &record, err);

	if (r == 0)
		r = clear(place, agent, &record, err);
	if (r == 0)
		r = record_remove(place, agent, err);
	for (size_t i = 0; i < ARRAY_SIZE(endings) && r == 0; i++) {
		_cleanup_free_ char *path = exec_path(place, agent, endings[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			r = error_set_errno(err, errno, "cannot remove '%s'", path);
	}
	return r;
}

static int enforced(const struct place *place, unsigned *ret_mask, char reason[160],
		    struct error *err)
{
	_cleanup_cgroups_ struct cgroups base = {};
	int r = cgroups_of_self(&base, err);

	if (r == 0)
		cgroups_delegate(&base, place->program_dir, ret_mask, reason);
	return r;
}

const struct supervisor supervisor_standalone = {
	.name = "standalone",
	.start = start,
	.stop = stop,
	.inspect = inspect,
	.set_limits = set_limits,
	.forget = forget,
	.enforced = enforced,
};
