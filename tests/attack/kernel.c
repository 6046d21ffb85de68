/* System calls that are the machine's, and not a container's. What is permitted fails for
 * another reason, or changes nothing. */
#include "attack/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <linux/quota.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define BEYOND_RANGE 70000

/* Any other error than these says that it was permitted. */
static int unless_denied(long r)
{
	if (r >= 0)
		return 0;
	return errno == EPERM || errno == EACCES || errno == ENOSYS ? -errno : 0;
}

static int bpf_map(const void *arg)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
			       .key_size = 4,
			       .value_size = 4,
			       .max_entries = 1};

	(void)arg;
	return done(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int bpf_walk(const void *arg)
{
	union bpf_attr attr = {};

	(void)arg;
	return unless_denied(syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof(attr)));
}

static int perf(const void *arg)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_CPU_CLOCK};

	(void)arg;
	return done(syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0));
}

static int kernel_faults(const void *arg)
{
	(void)arg;
	return done(syscall(SYS_userfaultfd, O_CLOEXEC));
}

static int keyring(const void *arg)
{
	(void)arg;
	return done(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1));
}

static int key(const void *arg)
{
	(void)arg;
	return done(syscall(SYS_add_key, "user", "attack", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

static int module(const void *arg)
{
	(void)arg;
	return unless_denied(syscall(SYS_init_module, "no module", 9, ""));
}

static int module_file(const void *arg)
{
	(void)arg;
	return unless_denied(syscall(SYS_finit_module, -1, "", 0));
}

static int module_removal(const void *arg)
{
	(void)arg;
	return unless_denied(syscall(SYS_delete_module, "no_such_module", O_NONBLOCK));
}

static int kexec(const void *arg)
{
	(void)arg;
	return unless_denied(syscall(SYS_kexec_load, 0, 17, NULL, 0));
}

static int kexec_file(const void *arg)
{
	(void)arg;
	return unless_denied(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0));
}

static int io_level(const void *arg)
{
	(void)arg;
	return done(iopl(3));
}

static int io_ports(const void *arg)
{
	(void)arg;
	return done(ioperm(0x80, 1, 1));
}

static int swap_on(const void *arg)
{
	(void)arg;
	return unless_denied(swapon("/no/such/swap", 0));
}

static int swap_off(const void *arg)
{
	(void)arg;
	return unless_denied(swapoff("/no/such/swap"));
}

static int accounting(const void *arg)
{
	(void)arg;
	return unless_denied(acct("/no/such/file"));
}

static int quota(const void *arg)
{
	(void)arg;
	return unless_denied(quotactl(QCMD(Q_SYNC, USRQUOTA), "/no/such/disk", 0, NULL));
}

static int messages(const void *arg)
{
	char bytes[64];

	(void)arg;
	return done(klogctl(3, bytes, sizeof(bytes)));
}

static int console_level(const void *arg)
{
	(void)arg;
	/* No such level: EINVAL where it may be set at all. */
	return unless_denied(klogctl(8, NULL, 99));
}

static int clock_rate(const void *arg)
{
	struct timex t = {};

	(void)arg;
	if (adjtimex(&t) < 0)
		return -errno;
	t.modes = ADJ_FREQUENCY;
	return done(adjtimex(&t));
}

static int clock_step(const void *arg)
{
	struct timex t = {.modes = ADJ_SETOFFSET | ADJ_NANO};

	(void)arg;
	return done(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &t));
}

static int time_zone(const void *arg)
{
	struct timezone tz = {};

	(void)arg;
	return done(settimeofday(NULL, &tz));
}

static int fanotify(const void *arg)
{
	(void)arg;
	return done(syscall(SYS_fanotify_init, FAN_CLASS_CONTENT, O_RDONLY));
}

static int handle(const void *arg)
{
	/* The root directory of ext4, whatever part of it was bound here: inode 2, no
	 * generation. */
	struct {
		struct file_handle h;
		uint32_t id[2];
	} root = {{.handle_bytes = 8, .handle_type = 1}, {2, 0}};
	int r, fd = open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	r = done(open_by_handle_at(fd, &root.h, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	close(fd);
	return r;
}

static int descriptors(const void *arg)
{
	struct rlimit limit;

	(void)arg;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_max++;
	return done(setrlimit(RLIMIT_NOFILE, &limit));
}

static int locked_memory(const void *arg)
{
	struct rlimit limit = {4096, 4096};
	void *bytes =
		mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (bytes == MAP_FAILED || setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -errno;
	return done(mlock(bytes, 1 << 20));
}

static int real_time(const void *arg)
{
	struct sched_param p = {.sched_priority = 1};
	struct rlimit none = {};

	(void)arg;
	if (setrlimit(RLIMIT_RTPRIO, &none) < 0)
		return -errno;
	return done(sched_setscheduler(0, SCHED_FIFO, &p));
}

static int niceness(const void *arg)
{
	(void)arg;
	return done(setpriority(PRIO_PROCESS, 0, -20));
}

static int io_class(const void *arg)
{
	(void)arg;
	return done(syscall(SYS_ioprio_set, 1, 0, 1 << 13));
}

static int oom_immunity(const void *arg)
{
	int r, fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	(void)arg;
	if (fd < 0)
		return -errno;
	r = done(write(fd, "-1000", 5));
	close(fd);
	return r;
}

static int remounted(const void *arg)
{
	if (mount(NULL, arg, NULL, MS_REMOUNT | MS_BIND, NULL) < 0)
		return -errno;
	return done(access(arg, W_OK));
}

static int uncovered(const void *arg)
{
	return done(umount2(arg, MNT_DETACH));
}

static int other_user(const void *arg)
{
	(void)arg;
	return done(syscall(SYS_setresuid, BEYOND_RANGE, BEYOND_RANGE, BEYOND_RANGE));
}

static int scratch(const char *path)
{
	return open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
}

static int other_owner(const void *arg)
{
	int r, fd = scratch(arg);

	if (fd < 0)
		return -errno;
	r = done(fchown(fd, BEYOND_RANGE, BEYOND_RANGE));
	unlink(arg);
	return r;
}

static int trusted(const void *arg)
{
	int r, fd = scratch(arg);

	if (fd < 0)
		return -errno;
	r = done(fsetxattr(fd, "trusted.attack", "x", 1, 0));
	unlink(arg);
	return r;
}

static int immutable(const void *arg)
{
	int flags = 0, r, fd = scratch(arg);

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return -errno;
	flags |= FS_IMMUTABLE_FL;
	r = done(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	flags &= ~FS_IMMUTABLE_FL;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	unlink(arg);
	return r;
}

/* A process that waits in a user namespace of its own. */
static int new_namespace(pid_t *ret)
{
	int fds[2];
	char byte = 0;

	if (pipe(fds) < 0)
		return -errno;
	*ret = fork();
	if (*ret == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		byte = unshare(CLONE_NEWUSER) == 0;
		(void)!write(fds[1], &byte, 1);
		pause();
	}
	return *ret > 0 && read(fds[0], &byte, 1) == 1 && byte ? 0 : -EPERM;
}

static int map_ids(pid_t pid, const char *map)
{
	char path[64];
	int fd, r;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = done(write(fd, map, strlen(map)));
	close(fd);
	return r;
}

/* A namespace that has all ids of the machine. */
static int all_ids(const void *arg)
{
	pid_t pid = 0;
	int r = new_namespace(&pid);

	(void)arg;
	if (r == 0)
		r = map_ids(pid, "0 0 4294967295");
	if (pid > 0)
		kill(pid, SIGKILL);
	return r;
}

static int idmapped(const void *arg)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, arg,
				OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
	    ns;
	char path[64];
	pid_t pid = 0;
	int r = tree < 0 ? -errno : new_namespace(&pid);

	if (r == 0)
		r = map_ids(pid, "0 0 1");
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	attr.userns_fd = (uint64_t)ns;
	r = ns < 0 ? -errno
		   : done(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr,
				  sizeof(attr)));
	kill(pid, SIGKILL);
	return r;
}

#define CALL(threat, name, run, lacks)         \
	{                                      \
		threat, name, run, NULL, lacks \
	}

static const struct attack rows[] = {
	CALL("T1", "bpf: a map", bpf_map, "bpf"),
	CALL("T1", "bpf: the programs of the host", bpf_walk, "bpf"),
	CALL("T1", "perf_event_open: the whole CPU", perf, "perf events"),
	CALL("T1", "userfaultfd: faults of the kernel", kernel_faults, "userfaultfd"),
	CALL("T1", "keyctl: the user's keyring", keyring, "keys"),
	CALL("T1", "add_key", key, "keys"),
	CALL("T1", "init_module", module, "modules"),
	CALL("T1", "finit_module", module_file, "modules"),
	CALL("T1", "delete_module", module_removal, "modules"),
	CALL("T1", "kexec_load", kexec, "kexec"),
	CALL("T1", "kexec_file_load", kexec_file, "kexec"),
	CALL("T1", "iopl", io_level, "I/O ports"),
	CALL("T1", "ioperm", io_ports, "I/O ports"),
	CALL("T1", "swapon", swap_on, "swap"),
	CALL("T1", "swapoff", swap_off, "swap"),
	CALL("T1", "acct", accounting, "accounting"),
	CALL("T1", "quotactl", quota, "quotas"),
	CALL("T1", "syslog: messages of the kernel", messages, NULL),
	CALL("T1", "syslog: level of the console", console_level, NULL),
	CALL("T1", "adjtimex", clock_rate, NULL),
	CALL("T1", "clock_adjtime: a step of none", clock_step, NULL),
	CALL("T1", "settimeofday: time zone", time_zone, NULL),
	CALL("T1", "fanotify: permission of others' accesses", fanotify, "fanotify"),
	{"T1", "open_by_handle_at below /state", handle, "/state", "a disk of ext4"},
	{"T1", "open_by_handle_at below /usr", handle, "/usr", "a disk of ext4"},
	{"T1", "open_by_handle_at below /", handle, "/", "a disk of ext4"},
	CALL("T1", "more descriptors than the hard limit", descriptors,
	     "CAP_SYS_RESOURCE on the machine itself"),
	CALL("T1", "mlock beyond the limit", locked_memory, NULL),
	CALL("T1", "a real-time process", real_time, "real time in the control group"),
	CALL("T1", "niceness -20", niceness, NULL),
	CALL("T1", "real-time I/O", io_class, NULL),
	CALL("T1", "never killed for memory", oom_immunity,
	     "CAP_SYS_RESOURCE on the machine itself"),
	{"T14", "mount_setattr: other ids on /state", idmapped, "/state",
	 "a file system that can be id-mapped"},
	{"T3", "remount /usr for writing", remounted, "/usr", NULL},
	{"T15", "remount /run/hive for writing", remounted, "/run/hive", NULL},
	{"T15", "unmount /run/hive", uncovered, "/run/hive", NULL},
	{"T3", "unmount /usr", uncovered, "/usr", NULL},
	CALL("T14", "setresuid to an id beyond the range", other_user, NULL),
	{"T14", "chown to an id beyond the range", other_owner, "/state/attack-file", NULL},
	{"T14", "trusted attribute", trusted, "/state/attack-file", NULL},
	{"T14", "immutable file", immutable, "/state/attack-file", "a disk of ext4"},
	CALL("T14", "a user namespace with all ids", all_ids, NULL),
};

const struct attack_list attacks_on_kernel = {rows, sizeof(rows) / sizeof(*rows)};
