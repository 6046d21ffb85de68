/* Settings of the whole kernel below /proc and /sys, past whatever covers them. */
#include "attack/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TRIES 3

/* Where a file of the type may be reached: as it is, with what covers it taken away, and anew.
 */
static const char *reached(int how, const char *type)
{
	switch (how) {
	case 0:
		return !strcmp(type, "proc") ? "/proc" : "/sys";
	case 1:
		if (!strcmp(type, "proc")) {
			(void)umount2("/proc/sys", MNT_DETACH);
			(void)mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
			return "/proc";
		}
		(void)mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
		return "/sys";
	default:
		/* of a network of its own, so that it is another than the one that may be read
		 * only */
		if (!strcmp(type, "sysfs") && unshare(CLONE_NEWNET) < 0)
			return NULL;
		return mounted(type, type, NULL);
	}
}

static int written(const void *arg)
{
	const char *root;
	char path[300];
	int r = -ENOENT;

	for (int how = 0; how < TRIES && r < 0; how++) {
		root = reached(how, "proc");
		if (!root)
			return -errno;
		snprintf(path, sizeof(path), "%s/sys/%s", root, (const char *)arg);
		r = rewrite(path);
	}
	return r;
}

/* Something of the kernel's, and not what a container manager put in its place. */
static int is_real(int fd)
{
	struct statfs fs;
	int r;

	if (fd < 0)
		return -errno;
	r = done(fstatfs(fd, &fs));
	close(fd);
	if (r < 0)
		return r;
	return fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ? 0 : -ENOENT;
}

/* Only opened: what is written would be an order. */
static int opened(const char *type, const char *name, int flags)
{
	const char *root;
	char pattern[300];
	int r = -ENOENT;

	for (int how = 0; how < TRIES && r < 0; how++) {
		glob_t found = {};

		root = reached(how, type);
		if (!root)
			return -errno;
		snprintf(pattern, sizeof(pattern), "%s/%s", root, name);
		if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
			continue;
		for (size_t i = 0; i < found.gl_pathc && i < 1000 && r < 0; i++)
			r = is_real(open(found.gl_pathv[i], flags | O_CLOEXEC | O_NONBLOCK));
		globfree(&found);
	}
	return r;
}

static int proc_writable(const void *arg)
{
	return opened("proc", arg, O_WRONLY);
}

static int proc_readable(const void *arg)
{
	return opened("proc", arg, O_RDONLY);
}

static int sys_writable(const void *arg)
{
	return opened("sysfs", arg, O_WRONLY);
}

/* Addresses of the kernel, which others read as zeros. */
static int addresses(const void *arg)
{
	unsigned long long address = 0;
	char line[256];
	FILE *f = fopen(arg, "re");

	if (!f)
		return -errno;
	while (!address && fgets(line, sizeof(line), f))
		(void)sscanf(line, " %llx", &address);
	fclose(f);
	return address ? 0 : -EACCES;
}

#define SYSCTL(path)                                      \
	{                                                 \
		"T1", "sysctl " path, written, path, NULL \
	}
#define SYSCTL_IF(path, lacks)                             \
	{                                                  \
		"T1", "sysctl " path, written, path, lacks \
	}
#define WRITE(path, lacks)                                                       \
	{                                                                        \
		"T1", "open for writing /proc/" path, proc_writable, path, lacks \
	}
#define READ(path, lacks)                                            \
	{                                                            \
		"T1", "open /proc/" path, proc_readable, path, lacks \
	}
#define SYS(path, lacks)                                                       \
	{                                                                      \
		"T1", "open for writing /sys/" path, sys_writable, path, lacks \
	}

static const struct attack rows[] = {
	SYSCTL("kernel/core_pattern"),
	SYSCTL_IF("kernel/modprobe", "modules"),
	SYSCTL("kernel/poweroff_cmd"),
	SYSCTL("kernel/panic"),
	SYSCTL("kernel/panic_on_oops"),
	SYSCTL_IF("kernel/sysrq", "sysrq"),
	SYSCTL("kernel/printk"),
	SYSCTL("kernel/randomize_va_space"),
	SYSCTL("kernel/dmesg_restrict"),
	SYSCTL("kernel/kptr_restrict"),
	SYSCTL_IF("kernel/perf_event_paranoid", "perf events"),
	SYSCTL_IF("kernel/unprivileged_bpf_disabled", "bpf"),
	SYSCTL_IF("kernel/yama/ptrace_scope", "yama"),
	SYSCTL("kernel/threads-max"),
	SYSCTL("kernel/ctrl-alt-del"),
	SYSCTL_IF("kernel/keys/maxkeys", "keys"),
	SYSCTL("vm/overcommit_memory"),
	SYSCTL("vm/panic_on_oom"),
	SYSCTL("vm/mmap_min_addr"),
	SYSCTL("vm/swappiness"),
	SYSCTL("fs/file-max"),
	SYSCTL("fs/suid_dumpable"),
	SYSCTL("fs/protected_symlinks"),
	SYSCTL("fs/protected_hardlinks"),
	SYSCTL("fs/pipe-max-size"),
	SYSCTL_IF("fs/inotify/max_queued_events", "inotify"),
	SYSCTL("dev/tty/ldisc_autoload"),
	WRITE("sysrq-trigger", "sysrq"),
	WRITE("irq/*/smp_affinity", "interrupts that can be moved"),
	WRITE("sys/vm/drop_caches", NULL),
	WRITE("sys/vm/compact_memory", "compaction"),
	READ("kcore", "kcore"),
	READ("kmsg", "kernel messages"),
	READ("slabinfo", "slabinfo"),
	READ("vmallocinfo", NULL),
	READ("timer_list", "timer_list"),
	READ("pagetypeinfo", "pagetypeinfo"),
	READ("kpageflags", "page flags"),
	READ("kpagecount", "page counts"),
	{"T1", "addresses of /proc/kallsyms", addresses, "/proc/kallsyms",
	 "kallsyms or kptr_restrict"},
	{"T1", "addresses of /proc/iomem", addresses, "/proc/iomem", "iomem"},
	SYS("kernel/uevent_helper", "uevent_helper"),
	SYS("kernel/rcu_expedited", "rcu_expedited"),
	SYS("kernel/kexec_crash_size", "kexec"),
	SYS("kernel/mm/ksm/run", "ksm"),
	SYS("kernel/mm/transparent_hugepage/enabled", "huge pages"),
	SYS("kernel/profiling", "profiling"),
	SYS("power/state", "power management"),
	SYS("module/*/parameters/*", NULL),
	SYS("block/*/queue/scheduler", "block devices"),
	SYS("block/*/uevent", "block devices"),
	SYS("bus/*/drivers_probe", NULL),
	SYS("bus/*/drivers/*/bind", "drivers that can be bound"),
	SYS("devices/system/cpu/cpu*/online", "CPU hotplug"),
	SYS("devices/system/clocksource/clocksource0/current_clocksource", NULL),
};

const struct attack_list attacks_on_settings = {rows, sizeof(rows) / sizeof(*rows)};
