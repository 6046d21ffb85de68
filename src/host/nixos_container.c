#include "host/nixos_container.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "host/nixos_owner.h"
#include "host/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONF_MAX 65536
#define CREATE_MS 90000
#define DESTROY_MS 60000
#define PROFILE_MS 30000
/* Addresses given are not looked for; these mean nothing (RFC 5737) and are blanked before the
 * first start. */
#define HOST_ADDRESS "192.0.2.1"
#define LOCAL_ADDRESS "192.0.2.2"

static char *conf_path(const struct nixos_container *c)
{
	return str_format(NIXOS_CONF_DIR "/%s.conf", c->name);
}

static char *profile_path(const struct nixos_container *c)
{
	return str_format(NIXOS_PROFILES "/%s/system", c->name);
}

static char *scratch_dir(const struct place *place)
{
	return str_format("%s/exec", place->runtime);
}

/* Declared containers are links into the store; a file on a read-only file system is no
 * different. */
static int look_at_conf(struct nixos_container *c, struct error *err)
{
	_cleanup_free_ char *path = conf_path(c);
	struct stat st;
	int r;

	if (lstat(path, &st) < 0) {
		if (errno != ENOENT)
			return error_set_errno(err, errno, "cannot look at '%s'", path);
		c->kind = NIXOS_ABSENT;
		return 0;
	}
	c->kind = NIXOS_DECLARED;
	if (!S_ISREG(st.st_mode))
		return 0;
	c->is_file = true;
	r = file_read(AT_FDCWD, path, CONF_MAX, &c->conf, err);
	if (r == 0 && access(path, W_OK) == 0)
		c->kind = NIXOS_PRESENT;
	return r;
}

int nixos_look(const char *agent, struct nixos_container *ret, struct error *err)
{
	struct nixos_container c = {};
	_cleanup_free_ char *profile = NULL, *root = NULL, *target = NULL;
	int r;

	name_container(c.name, agent);
	profile = profile_path(&c);
	root = str_format(NIXOS_ROOTS "/%s", c.name);
	r = look_at_conf(&c, err);
	if (r < 0)
		return r;
	target = realpath(profile, NULL);
	if (target && system_is_store(target))
		snprintf(c.profile, sizeof(c.profile), "%s", target);
	c.has_root = access(root, F_OK) == 0;
	nixos_container_release(ret);
	*ret = c;
	return 0;
}

void nixos_container_release(struct nixos_container *c)
{
	buf_release(&c->conf);
}

int nixos_move_root(const struct nixos_container *from, const struct nixos_container *to,
		    struct error *err)
{
	_cleanup_close_ int fd = open(NIXOS_ROOTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!from->has_root)
		return 0;
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '" NIXOS_ROOTS "'");
	if (renameat2(fd, from->name, fd, to->name, RENAME_NOREPLACE) < 0)
		return error_set_errno(err, errno, "cannot call '" NIXOS_ROOTS "/%s' '%s'",
				       from->name, to->name);
	return fsync(fd) < 0 ? error_set_errno(err, errno, "cannot sync '" NIXOS_ROOTS "'") : 0;
}

int nixos_set_profile(const struct place *place, const struct nixos_container *c,
		      const char *system, struct error *err)
{
	_cleanup_free_ char *profile = profile_path(c), *scratch = scratch_dir(place);
	_cleanup_free_ char *target = NULL, *dir = str_format(NIXOS_PROFILES "/%s", c->name);
	const char *const arguments[] = {"--profile", profile, "--set", system, NULL};
	int r;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "cannot make '%s'", dir);
	r = tool_run(scratch, "nix-env", arguments, PROFILE_MS, err);
	if (r < 0)
		return r;
	target = realpath(profile, NULL);
	if (!target || strcmp(target, system) != 0)
		return error_set(err, EIO, "the profile of '%s' does not lead to '%s'", c->name,
				 system);
	return 0;
}

int nixos_write_conf(const struct nixos_container *c, const char *text, struct error *err)
{
	_cleanup_free_ char *path = conf_path(c);

	return file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

/* A create that fails late removes what it made; one that fails early, or is killed, leaves a
 * conf file without a profile, for which the next create is refused. */
static void remove_ghost(const struct place *place, const char *agent)
{
	_cleanup_nixos_ struct nixos_container c = {};

	if (nixos_look(agent, &c, NULL) == 0 && c.kind == NIXOS_PRESENT && !c.profile[0])
		(void)nixos_unmake(place, agent, NULL);
}

int nixos_make(const struct place *place, const struct nixos_container *c, const char *system,
	       struct error *err)
{
	_cleanup_free_ char *scratch = scratch_dir(place);
	const char *const arguments[] = {
		"create",     c->name,           "--system-path", system, "--host-address",
		HOST_ADDRESS, "--local-address", LOCAL_ADDRESS,   NULL};
	char agent[AGENT_NAME_MAX + 1];
	int r = tool_run(scratch, "nixos-container", arguments, CREATE_MS, err);

	if (r < 0 && nixos_owner(place->state, c->name, agent))
		remove_ghost(place, agent);
	return r;
}

int nixos_unmake(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_nixos_ struct nixos_container c = {}, after = {};
	_cleanup_free_ char *scratch = scratch_dir(place), *path = NULL;
	const char *const arguments[] = {"destroy", c.name, NULL};
	int r = nixos_look(agent, &c, err);

	if (r < 0)
		return r;
	path = conf_path(&c);
	if (c.kind == NIXOS_DECLARED)
		return error_set_code(err, EPERM, "wrong_state",
				      "'%s' is declared in this machine's configuration", path);
	if (c.kind == NIXOS_PRESENT)
		r = tool_run(scratch, "nixos-container", arguments, DESTROY_MS, err);
	if (r == 0)
		r = nixos_look(agent, &after, err);
	if (r == 0 && (after.kind != NIXOS_ABSENT || after.has_root))
		r = error_set(err, EBUSY, "the container '%s' is still there", c.name);
	return r;
}
