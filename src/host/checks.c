#include "host/checks.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "host/accounting.h"
#include "host/checks_hive.h"
#include "host/idmap.h"
#include "host/spec.h"
#include "host/nixos.h"
#include "host/nixos_owner.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#define NSPAWN_VERSION_MIN 249 /* id-mapped binds */
#define NSPAWN_WAIT_MS 5000
#define INOTIFY_PER_AGENT                                                   \
	7 /* systemd, its journal, logind and the bus inside each container \
	   */
#define INOTIFY_OTHERS 20
#define DISK_MIN_BYTES (1ULL << 30)
#define WATCHES_PER_AGENT 256
#define USERNS_PER_AGENT 4
#define USERNS_OTHERS 16
#define PIDS_PER_AGENT 1024
#define DISK_FIX "/var/lib/skep/* tells where it went"
#define PIDS_OTHERS 8192
#define SYSCTL_FILE "/etc/sysctl.d/50-skep.conf"

void checks_add(json_t *checks, const char *name, bool ok, const char *fix, const char *format,
		...)
{
	_cleanup_free_ char *clean = NULL;
	json_t *check = json_object();
	char detail[400];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	clean = text_clean_dup(detail, sizeof(detail), false);
	json_object_set_new(check, "name", json_string(name));
	json_object_set_new(check, "ok", json_boolean(ok));
	json_object_set_new(check, "detail", json_string(clean));
	if (!ok)
		json_object_set_new(check, "fix", json_string(fix));
	json_array_append_new(checks, check);
}

/* A number from a file of /proc; -1 when it is not there. */
static int64_t read_number(const char *path)
{
	_cleanup_buf_ struct buf b = {};

	if (file_read(AT_FDCWD, path, 4096, &b, NULL) < 0 || b.size == 0 ||
	    !isdigit((unsigned char)b.data[0]))
		return -1;
	return strtoll(b.data, NULL, 10);
}

static void check_kernel(json_t *checks)
{
	static const char fix[] = "use Linux 5.12 or newer";
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		checks_add(checks, "kernel", false, fix,
			   "the kernel's version is not understood");
	else
		checks_add(checks, "kernel", major > 5 || (major == 5 && minor >= 12), fix,
			   "Linux %s", u.release);
}

int checks_parse_version(const char *text)
{
	const char *p = strpbrk(text, "0123456789");

	return p ? atoi(p) : -1;
}

int checks_run_version(const char *path, char *out, size_t size, struct error *err)
{
	_cleanup_close_ int read_end = -1, write_end = -1;
	const char *argv[] = {path, "--version", NULL};
	struct child_exit end;
	int pipe_fds[2], pidfd, r;
	pid_t pid;
	ssize_t n;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	read_end = pipe_fds[0];
	write_end = pipe_fds[1];
	struct child_fd fds[] = {{.fd = write_end, .target = 1}};
	struct child_spec spec = {.path = path, .argv = argv, .fds = fds, .n_fds = 1};

	r = child_spawn(&spec, &pid, &pidfd, err);
	if (r < 0)
		return r;
	r = child_wait(pidfd, NSPAWN_WAIT_MS, &end);
	if (r < 0)
		child_kill(pidfd);
	(void)close(pidfd);
	if (r < 0 || end.signaled || end.status != 0)
		return error_set(err, EIO, "'%s --version' fails", path);
	(void)fcntl(read_end, F_SETFL, O_NONBLOCK);
	n = read(read_end, out, size - 1);
	out[n < 0 ? 0 : n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

static void check_nspawn(json_t *checks)
{
	static const char fix[] = "apt-get install systemd-container (version 249 or newer)";
	struct error err = {};
	char text[256];

	if (checks_run_version(SKEP_NSPAWN, text, sizeof(text), &err) < 0)
		checks_add(checks, "nspawn", false, fix, "%s", error_text(&err));
	else
		checks_add(checks, "nspawn", checks_parse_version(text) >= NSPAWN_VERSION_MIN,
			   fix, "%s: %s", SKEP_NSPAWN, text);
}

/* The default image is this machine's /usr: what a container boots with must be in it. */
static void check_image(json_t *checks)
{
	static const char *const needed[] = {"/usr/lib/systemd/systemd", "/usr/bin/dbus-daemon",
					     "/usr/bin/dbus-broker"};
	bool systemd = access(needed[0], X_OK) == 0;
	bool bus = access(needed[1], X_OK) == 0 || access(needed[2], X_OK) == 0;

	checks_add(checks, "base-image", systemd && bus, "apt-get install systemd dbus",
		   systemd && bus ? "the machine's own /usr has systemd and a bus"
		   : systemd      ? "the machine's own /usr has no D-Bus daemon"
				  : "the machine's own /usr has no systemd");
}

static bool can_idmap(const char *path, struct error *err)
{
	_cleanup_close_ int namespace_fd = idmap_namespace(UID_BASE_FIRST, err);
	_cleanup_close_ int mount_fd =
		namespace_fd < 0 ? -1 : idmap_clone(path, namespace_fd, err);

	return mount_fd >= 0;
}

/* A directory, or before a hive was ever started here the one it will be made in. Freed by the
 * caller. */
static char *existing(const char *path)
{
	char *found = str_dup(path);

	while (access(found, F_OK) < 0 && errno == ENOENT && strrchr(found, '/') > found)
		*strrchr(found, '/') = '\0';
	return found;
}

/* Agents start without it on /usr; the manager sees applied and meta through it. */
static void check_idmap(json_t *checks, const struct place *place)
{
	_cleanup_free_ char *state = existing(place->state);
	struct error err = {};

	if (can_idmap("/usr", &err))
		checks_add(checks, "idmapped-usr", true, NULL,
			   "/usr can be mounted with an agent's ids");
	else
		checks_add(checks, "idmapped-usr", true, NULL,
			   "%s; /usr is bound plainly, setuid programs in it are inert",
			   error_text(&err));
	if (can_idmap(state, &err))
		checks_add(checks, "idmapped-state", true, NULL,
			   "'%s' can be mounted with an agent's ids", state);
	else
		checks_add(checks, "idmapped-state", false,
			   "keep the state on ext4, xfs, btrfs or tmpfs", "%s",
			   error_text(&err));
}

static int64_t count_agents(const struct place *place)
{
	_cleanup_free_ char *path = str_format("%s/agents", place->state);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;
	int64_t n = 0;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			n++;
	return n;
}

/* A container takes one, and what runs in it may take more. */
static void check_userns(json_t *checks, const struct place *place)
{
	int64_t n = read_number("/proc/sys/user/max_user_namespaces");
	int64_t needed = count_agents(place) * USERNS_PER_AGENT + USERNS_OTHERS;

	checks_add(checks, "user-namespaces", n >= needed,
		   n < 0 ? "use a kernel with CONFIG_USER_NS; without user namespaces no agent "
			   "is started"
			 : "sysctl -w user.max_user_namespaces=65536 now, and in " SYSCTL_FILE
			   " for the next boot",
		   n < 0 ? "the kernel has no user namespaces" : "up to %" PRId64, n);
}

static void check_inotify(json_t *checks, const struct place *place)
{
	int64_t have = read_number("/proc/sys/fs/inotify/max_user_instances");
	int64_t agents = count_agents(place);
	int64_t needed = agents * INOTIFY_PER_AGENT + INOTIFY_OTHERS;
	int64_t watches = read_number("/proc/sys/fs/inotify/max_user_watches");

	checks_add(checks, "inotify-watches", watches >= agents * WATCHES_PER_AGENT,
		   "sysctl -w fs.inotify.max_user_watches=524288 now, and in " SYSCTL_FILE
		   " for the next boot",
		   "%" PRId64 " watches, %" PRId64 " agents need about %" PRId64, watches,
		   agents, agents * WATCHES_PER_AGENT);
	checks_add(checks, "inotify", have >= needed,
		   "sysctl -w fs.inotify.max_user_instances=8192 now, and in " SYSCTL_FILE
		   " for the next boot",
		   "%" PRId64 " instances, %" PRId64 " agents need about %" PRId64, have,
		   agents, needed);
}

static void check_pids(json_t *checks, const struct place *place)
{
	int64_t have = read_number("/proc/sys/kernel/pid_max");
	int64_t needed = count_agents(place) * PIDS_PER_AGENT + PIDS_OTHERS;

	checks_add(checks, "pids", have >= needed,
		   "sysctl -w kernel.pid_max=4194304 now, and in " SYSCTL_FILE
		   " for the next boot",
		   "kernel.pid_max is %" PRId64, have);
}

static void check_limits(json_t *checks, const struct place *place,
			 const struct supervisor *supervisor)
{
	struct error err = {};
	char reason[160] = "";
	unsigned mask = 0;

	if (supervisor->enforced(place, &mask, reason, &err) < 0)
		checks_add(checks, "limits", false, "see the detail", "%s", error_text(&err));
	else
		checks_add(checks, "limits", mask == CGROUP_ALL,
			   "put systemd.unified_cgroup_hierarchy=1 on the kernel's command "
			   "line and "
			   "reboot; without systemd, delegate a group with the memory, cpu and "
			   "pids "
			   "controllers",
			   "memory %s, CPU %s, tasks %s%s%s",
			   mask & CGROUP_MEMORY ? "enforced" : "not enforced",
			   mask & CGROUP_CPU ? "enforced" : "not enforced",
			   mask & CGROUP_TASKS ? "enforced" : "not enforced",
			   reason[0] ? ": " : "", reason);
}

static void check_disk(json_t *checks, const struct place *place)
{
	_cleanup_free_ char *state = existing(place->state);
	struct statvfs fs;
	uint64_t bytes;

	if (statvfs(state, &fs) < 0) {
		checks_add(checks, "disk", false, "see what that directory is",
			   "cannot look at '%s': %s", state, strerror(errno));
		return;
	}
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	checks_add(checks, "disk", bytes >= DISK_MIN_BYTES && fs.f_favail > 10000,
		   "make room for 1 GiB and 10000 inodes at least: du -xsh " DISK_FIX,
		   "%.1f GiB and %ju inodes are free in '%s'", (double)bytes / (1 << 30),
		   (uintmax_t)fs.f_favail, state);
}

/* Nothing of ours can be older than the program that is asked. */
static void check_clock(json_t *checks)
{
	struct timex state = {};
	char now[CLOCK_TEXT_SIZE];
	struct stat st;
	bool synced = adjtimex(&state) >= 0 && !(state.status & STA_UNSYNC);
	bool sane = stat("/proc/self/exe", &st) < 0 || clock_wall_s() + 86400 >= st.st_mtime;

	checks_add(checks, "clock", sane, "timedatectl set-ntp true, or date -s",
		   sane ? "%s, %s" : "%s is before skep was installed (%s)",
		   clock_format(now, clock_wall_s()),
		   synced ? "synchronised" : "not synchronised");
}

/* Only where there is nixos-container at all. */
static void check_strangers(json_t *checks, const struct place *place)
{
	static const char fix[] =
		"skep adopt takes one over; nixos-container destroy removes it";
	_cleanup_buf_ struct buf names = {};
	json_auto_t *found = NULL;
	struct error err = {};
	const json_t *name;
	size_t i;

	if (access(NIXOS_CONF_DIR, F_OK) < 0)
		return;
	if (nixos_strangers(place, &found, &err) < 0) {
		checks_add(checks, "containers", false, fix, "%s", error_text(&err));
		return;
	}
	json_array_foreach (found, i, name)
		buf_addf(&names, "%s%s", i ? ", " : "", json_string_value(name));
	checks_add(checks, "containers", json_array_size(found) == 0, fix, "%s%s",
		   names.size ? "made by hand under names like ours: " : "all are ours",
		   buf_str(&names));
}

json_t *checks_run(const struct place *place, const struct supervisor *supervisor)
{
	json_t *checks = json_array();

	check_kernel(checks);
	check_userns(checks, place);
	check_nspawn(checks);
	check_image(checks);
	check_idmap(checks, place);
	check_limits(checks, place, supervisor);
	check_inotify(checks, place);
	check_pids(checks, place);
	check_disk(checks, place);
	check_clock(checks);
	checks_hive(checks, place, supervisor);
	check_strangers(checks, place);
	return checks;
}
