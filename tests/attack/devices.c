/* Devices and file systems of the machine, made and mounted anew. */
#include "attack/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Somewhere devices may be: nspawn's own mounts say nodev. */
static int made(mode_t type, unsigned major_number, unsigned minor_number)
{
	static const char *const places[] = {"/attack-device", "/dev/attack-device",
					     "/state/attack-device"};
	int fd, r = -ENOENT;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && r < 0; i++) {
		unlink(places[i]);
		r = done(mknod(places[i], type | 0600, makedev(major_number, minor_number)));
		if (r < 0)
			continue;
		fd = open(places[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		r = done(fd);
		unlink(places[i]);
	}
	return r;
}

struct device {
	unsigned major_number, minor_number;
};

static int device(const void *arg)
{
	const struct device *d = arg;

	return made(S_IFCHR, d->major_number, d->minor_number);
}

/* The first disk there is. */
static int disk_numbers(struct device *d, char name[32])
{
	char line[200];
	FILE *f = fopen("/proc/partitions", "re");
	int r = -ENODEV;

	if (!f)
		return -errno;
	while (r < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%u %u %*u %31s", &d->major_number, &d->minor_number, name) ==
		    3)
			r = 0;
	fclose(f);
	return r;
}

static int disk(const void *arg)
{
	struct device d;
	char name[32];
	int r = disk_numbers(&d, name);

	(void)arg;
	return r < 0 ? r : made(S_IFBLK, d.major_number, d.minor_number);
}

/* The disk, mounted read-only; "busy" is as good: it was opened. */
static int disk_mount(const void *arg)
{
	struct device d;
	char name[32];
	int r = disk_numbers(&d, name);

	if (r < 0)
		return r;
	if (mount("tmpfs", "/mnt", "tmpfs", 0, NULL) < 0 ||
	    mknod("/mnt/disk", S_IFBLK | 0600, makedev(d.major_number, d.minor_number)) < 0)
		return -errno;
	mkdir("/mnt/at", 0700);
	r = done(mount("/mnt/disk", "/mnt/at", arg, MS_RDONLY, NULL));
	return r == -EBUSY || r == -EINVAL ? 0 : r;
}

/* A device that was bound in from elsewhere, beside the usual ones. */
static int sees_disks(const void *arg)
{
	struct stat st;
	struct device d;
	char name[32], path[64];
	int r = disk_numbers(&d, name);

	(void)arg;
	if (r < 0)
		return r;
	if (mount("devtmpfs", "/mnt", "devtmpfs", 0, NULL) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/mnt/%s", name);
	return done(stat(path, &st));
}

static int file_system(const void *arg)
{
	return mounted(arg, arg, NULL) ? 0 : -errno;
}

/* The newer calls, past what looks at mount alone. */
static int new_context(const void *arg)
{
	int fd = (int)syscall(SYS_fsopen, arg, 0);

	return fd < 0 ? -errno
		      : done(syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

/* The hierarchies of old: the root's release_agent is a program of the host, devices.allow
 * opens its devices. */
static int old_cgroup(const void *arg)
{
	const char *at = mounted("cgroup", "cgroup", arg);
	char path[64];
	int fd, r;

	if (!at)
		return -errno;
	if (strcmp(arg, "devices") != 0) {
		snprintf(path, sizeof(path), "%s/release_agent", at);
		return rewrite(path);
	}
	snprintf(path, sizeof(path), "%s/devices.allow", at);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = done(write(fd, "c 1:3 rwm", 9));
	close(fd);
	return r;
}

#define DEVICE(name, n, m, lacks)                                                         \
	{                                                                                 \
		"T1", "mknod and open " name, device, &(const struct device){n, m}, lacks \
	}
#define MOUNT(type, lacks)                                    \
	{                                                     \
		"T1", "mount " type, file_system, type, lacks \
	}

static const struct attack rows[] = {
	{"T1", "mknod and open the disk", disk, NULL, "a disk that may be opened"},
	{"T1", "mount the disk", disk_mount, "ext4", NULL},
	{"T1", "mount devtmpfs, see the disks", sees_disks, NULL, NULL},
	{"T1", "fsopen devtmpfs", new_context, "devtmpfs", NULL},
	{"T1", "fsopen debugfs", new_context, "debugfs", "debugfs"},
	{"T1", "release_agent of a new mount", old_cgroup, "memory",
	 "the old hierarchies, or their root"},
	{"T1", "devices.allow of a new mount", old_cgroup, "devices", "the old hierarchies"},
	DEVICE("/dev/mem", 1, 1, "mem"),
	DEVICE("/dev/port", 1, 4, "port"),
	DEVICE("/dev/kmsg", 1, 11, NULL),
	DEVICE("/dev/tty0", 4, 0, "virtual terminals"),
	DEVICE("/dev/ttyS0", 4, 64, "serial lines"),
	DEVICE("/dev/hwrng", 10, 183, "hwrng"),
	DEVICE("/dev/net/tun", 10, 200, "tun"),
	DEVICE("/dev/uinput", 10, 223, "uinput"),
	DEVICE("/dev/hpet", 10, 228, "hpet"),
	DEVICE("/dev/fuse", 10, 229, "fuse"),
	DEVICE("/dev/kvm", 10, 232, "kvm"),
	DEVICE("/dev/btrfs-control", 10, 234, "btrfs"),
	DEVICE("/dev/mapper/control", 10, 236, "device mapper"),
	DEVICE("/dev/loop-control", 10, 237, "loop devices"),
	DEVICE("/dev/vhost-net", 10, 238, "vhost"),
	DEVICE("/dev/loop0", 7, 0, "loop devices"),
	DEVICE("/dev/cpu/0/msr", 202, 0, "msr"),
	MOUNT("debugfs", "debugfs"),
	MOUNT("tracefs", "tracefs"),
	MOUNT("securityfs", "securityfs"),
	MOUNT("configfs", "configfs"),
	MOUNT("pstore", "pstore"),
	MOUNT("hugetlbfs", "hugetlbfs"),
	MOUNT("efivarfs", "EFI"),
	MOUNT("selinuxfs", "SELinux"),
};

const struct attack_list attacks_on_devices = {rows, sizeof(rows) / sizeof(*rows)};
