/* From root to a process that can do nothing but read one repository and write one directory.
 */
#include "skep-build/confine.h"

#include "base/isolate.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALL_S 300
#define MEMORY_BYTES (1u << 30)

static const struct {
	int resource;
	rlim_t value;
	const char *what;
} limits[] = {
	{RLIMIT_AS, ISOLATE_MEMORY(MEMORY_BYTES), "memory"},
	{RLIMIT_CPU, 120, "processor time"},
	{RLIMIT_FSIZE, 64u << 20, "files"},
	{RLIMIT_NOFILE, 256, "descriptors"},
	{RLIMIT_CORE, 0, "core files"},
};

static int drop(uid_t uid, gid_t gid, struct error *err)
{
	int r;

	if (geteuid() == uid && getuid() == uid)
		return 0;
	r = isolate(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, err);
	if (r < 0)
		return r;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return error_set_errno(err, errno, "cannot become uid %u, gid %u",
				       (unsigned)uid, (unsigned)gid);
	return 0;
}

int confine(uid_t uid, gid_t gid, int last_fd, struct error *err)
{
	pid_t parent = getppid();
	int r;

	if (close_range((unsigned)last_fd + 1, ~0u, 0) < 0)
		return error_set_errno(err, errno, "cannot close descriptors");
	r = drop(uid, gid, err);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_errno(err, errno, "cannot give up new privileges");
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit value = {limits[i].value, limits[i].value};

		if (setrlimit(limits[i].resource, &value) < 0)
			return error_set_errno(err, errno, "cannot limit %s", limits[i].what);
	}
	/* after the change of uid, which clears it; a parent that died before is seen by its
	 * absence */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return error_set_errno(err, errno, "cannot follow the parent");
	if (getppid() != parent)
		return error_set(err, ESRCH, "the process that started this one is gone");
	(void)alarm(WALL_S);
	(void)umask(022);
	return 0;
}
