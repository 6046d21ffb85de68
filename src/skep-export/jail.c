/*
 * In this order: the directory (by descriptor: its path may be swapped at any time), namespaces
 * without network, root, limits, identity, and last what a change of identity resets: the
 * signal at the parent's death and whether others of the same uid may trace us (not dumpable:
 * they may not).
 */
#include "skep-export/jail.h"

#include "base/isolate.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_ADDRESS_BYTES (1ull << 30)
#define MAX_CPU_S 60
#define MAX_DESCRIPTORS 256

static int close_others(int dir_fd, struct error *err)
{
	if (close_range((unsigned)dir_fd + 1, ISOLATE_LAST_FD, 0) < 0)
		return error_set_errno(err, errno, "cannot close what was inherited");
	return 0;
}

/* Whose files they are decides who reads them; a directory that changed hands is not read at
 * all. */
static int check_owner(int dir_fd, uid_t uid, struct error *err)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return error_set_errno(err, errno, "cannot look at the repository's directory");
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "the repository is not a directory");
	if (st.st_uid != uid)
		return error_set(err, EPERM, "the repository belongs to uid %u, not %u",
				 (unsigned)st.st_uid, (unsigned)uid);
	return 0;
}

static int change_root(int dir_fd, struct error *err)
{
	int r;

	if (fchdir(dir_fd) < 0)
		return error_set_errno(err, errno, "cannot enter the repository's directory");
	if (close(dir_fd) < 0)
		return error_set_errno(err, errno, "cannot close the repository's directory");
	r = isolate(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWUTS, err);
	if (r < 0)
		return r;
	if (chroot(".") < 0)
		return error_set_errno(err, errno, "cannot make the directory the root");
	return 0;
}

static int set_limits(uint64_t max_file_bytes, struct error *err)
{
	const struct {
		__rlimit_resource_t what;
		rlim_t value;
	} limits[] = {
		{RLIMIT_AS, ISOLATE_MEMORY(MAX_ADDRESS_BYTES)},
		{RLIMIT_FSIZE, max_file_bytes},
		{RLIMIT_CPU, MAX_CPU_S},
		{RLIMIT_NOFILE, MAX_DESCRIPTORS},
		{RLIMIT_CORE, 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct rlimit limit = {limits[i].value, limits[i].value};

		if (setrlimit(limits[i].what, &limit) < 0)
			return error_set_errno(err, errno, "cannot limit a resource");
	}
	return 0;
}

/* No capability in any set a process can use or hand on. */
static int drop_capabilities(struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {}, left[2];

	if (syscall(SYS_capset, &head, data) < 0 || syscall(SYS_capget, &head, left) < 0)
		return error_set_errno(err, errno, "cannot drop capabilities");
	if (memcmp(data, left, sizeof(data)) != 0)
		return error_set(err, EPERM, "capabilities are left");
	return 0;
}

static int change_identity(uid_t uid, gid_t gid, struct error *err)
{
	uid_t uids[3];
	gid_t gids[3];

	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return error_set_errno(err, errno, "cannot become uid %u", (unsigned)uid);
	/* Read back: a wrong answer here would be the end of the whole idea. */
	if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) < 0)
		return error_set_errno(err, errno, "cannot become uid %u", (unsigned)uid);
	for (int i = 0; i < 3; i++)
		if (uids[i] != uid || gids[i] != gid)
			return error_set(err, EPERM, "cannot become uid %u", (unsigned)uid);
	return drop_capabilities(err);
}

static int bind_to_parent(pid_t parent, struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return error_set_errno(err, errno, "cannot give up privileges");
	if (getppid() != parent)
		return error_set(err, ESRCH, "the parent is gone");
	return 0;
}

int jail_enter(const struct jail *jail, struct error *err)
{
	int r;

	if (jail->uid == 0 || jail->gid == 0)
		return error_set(err, EINVAL, "a jail is not for root");
	r = check_owner(jail->dir_fd, jail->uid, err);
	if (r == 0)
		r = close_others(jail->dir_fd, err);
	if (r == 0)
		r = change_root(jail->dir_fd, err);
	if (r == 0)
		r = set_limits(jail->max_file_bytes, err);
	if (r == 0)
		r = change_identity(jail->uid, jail->gid, err);
	if (r == 0)
		r = bind_to_parent(jail->parent, err);
	if (r < 0)
		return r;
	(void)umask(022);
	(void)alarm(jail->wall_s);
	return 0;
}
