/* From root to a process that can do little but read a repository and write one directory. */
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

static int drop(const struct confinement *c, struct error *err)
{
	int r;

	if (geteuid() == c->uid && getuid() == c->uid)
		return 0;
	r = c->network ? 0 : isolate(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, err);
	if (r < 0)
		return r;
	if (setgroups(0, NULL) < 0 || setresgid(c->gid, c->gid, c->gid) < 0 ||
	    setresuid(c->uid, c->uid, c->uid) < 0)
		return error_set_errno(err, errno, "cannot become uid %u, gid %u",
				       (unsigned)c->uid, (unsigned)c->gid);
	return 0;
}

static int limit(const struct confinement *c, struct error *err)
{
	const struct {
		int resource;
		rlim_t value;
		const char *what;
	} limits[] = {
		{RLIMIT_AS, ISOLATE_MEMORY(c->memory_bytes), "memory"},
		{RLIMIT_CPU, c->cpu_s, "processor time"},
		{RLIMIT_FSIZE, c->file_bytes, "files"},
		{RLIMIT_NOFILE, 256, "descriptors"},
		{RLIMIT_CORE, 0, "core files"},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit value = {limits[i].value, limits[i].value};

		if (setrlimit(limits[i].resource, &value) < 0)
			return error_set_errno(err, errno, "cannot limit %s", limits[i].what);
	}
	return 0;
}

int confine(const struct confinement *c, struct error *err)
{
	pid_t parent = getppid();
	int r;

	if (close_range((unsigned)c->last_fd + 1, ISOLATE_LAST_FD, 0) < 0)
		return error_set_errno(err, errno, "cannot close descriptors");
	r = drop(c, err);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_errno(err, errno, "cannot give up new privileges");
	r = limit(c, err);
	if (r < 0)
		return r;
	/* after the change of uid, which clears it; a parent that died before is seen by its
	 * absence */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return error_set_errno(err, errno, "cannot follow the parent");
	if (getppid() != parent)
		return error_set(err, ESRCH, "the process that started this one is gone");
	(void)alarm((unsigned)c->wall_s);
	(void)umask(022);
	return 0;
}
