#include "host/run.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host/cgroup.h"
#include "host/idmap.h"
#include "host/nspawn.h"
#include "host/record.h"
#include "host/roots.h"
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

char *run_cgroup_name(const struct place *place, const char *agent)
{
	return str_format("skep-%08x-%s", name_hash(place->runtime), agent);
}

static int leave_record(const struct place *place, const struct container_spec *spec,
			struct error *err)
{
	_cleanup_free_ char *name = run_cgroup_name(place, spec->agent);
	_cleanup_cgroups_ struct cgroups base = {};
	_cleanup_record_ struct record record = {};
	char reason[160];
	unsigned mask;
	int r = cgroups_of_self(&base, err);

	if (r == 0)
		r = proc_identify(getpid(), &record.nspawn, err);
	if (r < 0)
		return r;
	cgroups_below(&base, name, &record.cgroups);
	/* Written before the first of them exists: whoever finds the record can remove them. */
	r = record_write(place, spec->agent, &record, err);
	cgroups_delegate(&base, place->program_dir, &mask, reason);
	if (r == 0)
		r = cgroups_enter(&record.cgroups, err);
	if (r == 0)
		r = cgroups_limit(&record.cgroups, &spec->limits, &mask, err);
	return r;
}

/* A mount namespace of our own: what is mounted here ends with nspawn, whatever ends it. */
static int own_mounts(struct error *err)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return error_set_errno(err, errno, "cannot make a mount namespace");
	return 0;
}

static int attach_layer(const char *source, const char *at, int namespace_fd, struct error *err)
{
	_cleanup_close_ int mount_fd = -1;

	if (namespace_fd < 0) {
		if (mount(source, at, NULL, MS_BIND, NULL) < 0)
			return error_set_errno(err, errno, "cannot bind '%s'", source);
		return 0;
	}
	mount_fd = idmap_clone(source, namespace_fd, err);
	return mount_fd < 0 ? mount_fd : idmap_attach(mount_fd, at, err);
}

/*
 * Stacks the agent's rootfs/usr over the machine's /usr, read-only. Owners are shifted in the
 * layers, where that works; where it does not, everything belongs to nobody inside and can
 * still be read and run.
 */
static int stack_usr(const struct place *place, const struct container_spec *spec,
		     int namespace_fd, char **ret, struct error *err)
{
	_cleanup_free_ char *layers =
		str_format("%s/exec/%s.layers", place->runtime, spec->agent);
	_cleanup_free_ char *own =
		str_format("%s/systems/%s/rootfs/usr", place->state, spec->system);
	_cleanup_close_ int fd = -1;
	static const char *const names[] = {"agent", "machine", "usr"};
	int r;

	if (mkdir(layers, 0700) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "cannot make '%s'", layers);
	if (mount("skep", layers, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64k") < 0)
		return error_set_errno(err, errno, "cannot mount at '%s'", layers);
	fd = open(layers, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchdir(fd) < 0)
		return error_set_errno(err, errno, "cannot enter '%s'", layers);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (mkdirat(fd, names[i], 0755) < 0)
			return error_set_errno(err, errno, "cannot make '%s'", names[i]);
	r = attach_layer(own, "agent", namespace_fd, err);
	if (r == 0)
		r = attach_layer("/usr", "machine", namespace_fd, err);
	if (r < 0)
		return r;
	/* Relative names: a path with a ':' or ',' in it cannot be written in the option. */
	if (mount("skep", "usr", "overlay", MS_RDONLY | MS_NODEV, "lowerdir=agent:machine") < 0)
		return error_set_errno(err, errno, "cannot stack rootfs/usr of '%s' over /usr",
				       spec->agent);
	*ret = str_format("%s/usr", layers);
	return chdir("/") < 0 ? error_set_errno(err, errno, "cannot enter '/'") : 0;
}

/* The manager sees applied and meta through shifted owners, which nspawn makes and reports
 * badly. */
static int check_manager(const struct place *place, int namespace_fd, struct error *err)
{
	if (idmap_works(place->state, namespace_fd))
		return 0;
	(void)error_set(
		err, EOPNOTSUPP,
		"the file system of '%s' cannot show shifted owners, which the manager needs",
		place->state);
	error_hint(err, "keep the state on ext4, xfs, btrfs or tmpfs");
	return -EOPNOTSUPP;
}

static int execute(const struct place *place, const struct container_spec *spec,
		   const struct nspawn_setup *setup, struct error *err)
{
	const char *notify = getenv("NOTIFY_SOCKET");
	_cleanup_free_ char *notify_env =
		notify ? str_format("NOTIFY_SOCKET=%s", notify) : NULL;
	char *env[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LANG=C.UTF-8",
		       NULL, NULL, NULL};
	char **argv = nspawn_argv(place, spec, setup);
	size_t n = 2;
	int r;

	/* A bare root does not tell nspawn which control groups the system inside understands.
	 */
	if (system_is_store(spec->system))
		env[n++] = (char *)"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1";
	env[n] = notify_env;
	(void)execve(argv[0], argv, env);
	r = error_set_errno(err, errno, "cannot run '%s'", argv[0]);
	nspawn_free_argv(argv);
	return r;
}

static int start(const struct place *place, const struct container_spec *spec,
		 struct error *err)
{
	_cleanup_free_ char *root = root_path(place, spec->agent, spec->system);
	_cleanup_free_ char *skep = str_format("%s/skep", place->program_dir), *stack = NULL;
	_cleanup_close_ int namespace_fd = -1;
	struct nspawn_setup setup = {.root = root, .usr = "/usr", .skep = skep};
	bool has_usr = false, idmap;
	int r;

	if (access(skep, X_OK) < 0)
		return error_set_errno(err, errno, "cannot give '%s' to the container", skep);
	namespace_fd = idmap_namespace(spec->uid_base, err);
	if (namespace_fd < 0)
		return namespace_fd;
	idmap = idmap_works("/usr", namespace_fd);
	setup.store_idmap =
		system_is_store(spec->system) && idmap_works("/nix/store", namespace_fd);
	r = own_mounts(err);
	if (r == 0 && spec->manager)
		r = check_manager(place, namespace_fd, err);
	if (r == 0)
		r = root_prepare(place, spec, &has_usr, err);
	if (r == 0 && has_usr)
		r = stack_usr(place, spec, idmap ? namespace_fd : -1, &stack, err);
	if (r < 0)
		return r;
	if (stack)
		setup.usr = stack;
	setup.usr_idmap = idmap && !stack;
	return execute(place, spec, &setup, err);
}

int run_container(const struct place *place, const char *agent, bool own_cgroups,
		  struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/spec/%s.json", place->runtime, agent);
	struct container_spec spec = {};
	int r = name_check(agent, err);

	if (r == 0)
		r = spec_read(AT_FDCWD, path, &spec, err);
	if (r < 0)
		return r;
	if (strcmp(spec.agent, agent) != 0)
		r = error_set(err, EINVAL, "'%s' is of another agent", path);
	if (r == 0 && own_cgroups)
		r = leave_record(place, &spec, err);
	if (r == 0)
		r = start(place, &spec, err);
	spec_release(&spec);
	return r;
}
