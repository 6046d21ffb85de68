/*
 * The driver for NixOS: containers as nixos-container makes them and container@.service runs
 * them. skep owns some lines of the conf file and the profile. A container is moved to another
 * system by its own systemd, which runs the system's activation inside: the unit's reload would
 * run it as the machine's root, outside of the user namespace.
 */
#include "host/nixos.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "host/driver.h"
#include "host/gcroot.h"
#include "host/inside.h"
#include "host/nixos_conf.h"
#include "host/nixos_container.h"
#include "host/nixos_differ.h"
#include "host/nixos_owner.h"
#include "host/readback.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ACTIVATE_MS 90000
#define RESTART_MS 90000
#define SAID_MAX \
	(1 << 20)      /* what an activation says before it has to wait; nobody reads along */
#define SAID_SHOWN 300 /* what a failure has room for */
#define SAID_TOLD (96 * 1024) /* what an answer has room for, however much of it is escaped */

static int needs_systemd(const struct verb_request *request, struct error *err)
{
	if (strcmp(request->supervisor->name, supervisor_systemd.name) == 0)
		return 0;
	return error_set(
		err, EOPNOTSUPP,
		"driver nixos-container needs the machine's systemd; this skep-exec is "
		"standalone");
}

/* Whether a container under our name may be touched. */
static int check_owner(const struct place *place, const char *agent,
		       const struct nixos_container *c, struct error *err)
{
	int r = 0;

	if (c->kind == NIXOS_DECLARED)
		return error_set_code(err, EPERM, "wrong_state",
				      "the container '%s' is declared in this machine's "
				      "configuration; skep does not change it",
				      c->name);
	if (nixos_owned(place, agent))
		return 0;
	if (c->kind == NIXOS_PRESENT) {
		r = error_set_code(err, EEXIST, "exists",
				   "there is a container '%s' that skep did not make", c->name);
		error_hint(err, "skep adopt %s to take it over, or nixos-container destroy %s",
			   agent, c->name);
	} else if (c->has_root) {
		r = error_set_code(err, EEXIST, "exists",
				   "'" NIXOS_ROOTS "/%s' is there without a container",
				   c->name);
		error_hint(err, "move it away");
	}
	return r;
}

static int own_conf(struct verb_request *request, const struct container_spec *spec,
		    const char *text, struct buf *ret, struct error *err)
{
	_cleanup_free_ char *skep = str_format("%s/skep", request->place->program_dir);
	_cleanup_buf_ struct buf own = {};
	int r = nixos_conf_own(request->place, spec, skep, &own, err);

	if (r == 0)
		nixos_conf_rewrite(text, buf_str(&own), ret);
	return r;
}

static int make_container(struct verb_request *request, const struct container_spec *spec,
			  struct nixos_container *c, struct error *err)
{
	const struct place *place = request->place;
	struct error ignored;
	int r = 0;

	/* A conf file alone is what a create that was cut short leaves: one that ran has a
	 * root, and may be running. */
	if (c->kind == NIXOS_PRESENT && !c->profile[0] && !c->has_root)
		r = nixos_unmake(place, spec->agent, err);
	else if (c->kind == NIXOS_PRESENT)
		return 0;
	/* Only the conf file of ours is gone, which has nothing but what is written next. */
	else if (c->has_root && nixos_owned(place, spec->agent))
		return 0;
	/* Noted first, so that whatever happens next is known to be ours. */
	if (r == 0)
		r = nixos_owner_write(place, spec->agent, err);
	if (r == 0)
		r = nixos_make(place, c, spec->system, err);
	if (r == 0)
		return nixos_look(spec->agent, c, err);
	if (nixos_look(spec->agent, c, &ignored) == 0 && c->kind == NIXOS_ABSENT)
		(void)nixos_owner_remove(place, spec->agent, &ignored);
	return r;
}

/* Only what was built for this agent, and cannot be collected while it is in use. */
static int check_system(const struct verb_request *request, const struct container_spec *spec,
			struct error *err)
{
	const char *system = spec->system;
	_cleanup_free_ char *init = str_format("%s/init", system);
	int r = gcroot_has(request->place, spec->agent, system, err);

	if (r < 0)
		return r;
	return access(init, X_OK) == 0
		       ? 0
		       : error_set(err, ENODATA, "'%s' is not there, or no system to boot",
				   system);
}

static int create(struct verb_request *request, const struct container_spec *spec,
		  struct error *err)
{
	_cleanup_nixos_ struct nixos_container c = {};
	_cleanup_buf_ struct buf conf = {};
	int r = needs_systemd(request, err);

	if (r == 0)
		r = check_system(request, spec, err);
	if (r == 0)
		r = nixos_look(spec->agent, &c, err);
	if (r == 0)
		r = check_owner(request->place, spec->agent, &c, err);
	if (r == 0)
		r = make_container(request, spec, &c, err);
	if (r == 0 && strcmp(c.profile, spec->system) != 0)
		r = nixos_set_profile(request->place, &c, spec->system, err);
	if (r == 0)
		r = own_conf(request, spec, buf_str(&c.conf), &conf, err);
	if (r == 0 && strcmp(buf_str(&conf), buf_str(&c.conf)) != 0)
		r = nixos_write_conf(&c, buf_str(&conf), err);
	return r;
}

static int start(struct verb_request *request, const struct container_spec *spec,
		 int64_t timeout_ms, struct container_state *ret, struct error *err)
{
	return request->supervisor->start(request->place, spec->agent, &spec->limits,
					  timeout_ms, ret, err);
}

static int stop(struct verb_request *request, const char *agent, int64_t timeout_ms,
		struct error *err)
{
	return request->supervisor->stop(request->place, agent, timeout_ms, err);
}

/* What came through the pipe. */
static char *read_said(int fd)
{
	char *text = mem_new(SAID_MAX + 1, 1);
	size_t size = 0;
	ssize_t n;

	while (size < SAID_MAX && (n = read(fd, text + size, SAID_MAX - size)) > 0)
		size += (size_t)n;
	while (size > 0 && text[size - 1] == '\n')
		size--;
	text[size] = '\0';
	return text;
}

/* The end of it, cleaned. */
static char *end_of(const char *said, size_t max)
{
	size_t size = strlen(said);

	return text_clean_dup(said + (size > max ? size - max : 0), max, true);
}

/* For the log of whoever asked. */
static int tell(struct verb_request *request, const char *said, struct error *err)
{
	_cleanup_free_ char *text = end_of(said, SAID_TOLD);

	return said[0] ? verb_send_partial(request, json_pack("{s:s}", "said", text), -1, err)
		       : 0;
}

/* Has the container's own systemd run the activation, and looks what is activated then. */
static int activate(struct verb_request *request, const struct container_state *now,
		    const char *system, struct error *err)
{
	_cleanup_free_ char *program = str_format("%s/bin/switch-to-configuration", system);
	const char *const argv[] = {program, "test", NULL};
	const struct inside_command command = {.argv = argv, .timeout_ms = ACTIVATE_MS};
	_cleanup_close_ int read_fd = -1, write_fd = -1;
	_cleanup_free_ char *said = NULL, *end = NULL;
	char active[SYSTEM_SIZE];
	struct inside_exit exit = {};
	int pipe_fds[2], stdio[3], r;

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	read_fd = pipe_fds[0];
	write_fd = pipe_fds[1];
	(void)fcntl(write_fd, F_SETPIPE_SZ, SAID_MAX);
	/* Only our end must not wait: the flag belongs to the open file, and each end is one.
	 */
	(void)fcntl(write_fd, F_SETFL, 0);
	stdio[0] = -1;
	stdio[1] = stdio[2] = write_fd;
	r = inside_run(now->leader, &command, stdio, -1, &exit, err);
	if (r < 0)
		return r;
	said = read_said(read_fd);
	r = tell(request, said, err);
	if (r < 0)
		return r;
	if (exit.exit_status != 0) {
		end = end_of(said, SAID_SHOWN);
		return error_set(err, EIO, "the activation failed (%s %d): %s",
				 exit.signum ? "signal" : "exit status",
				 exit.signum ? exit.signum : exit.exit_status, end);
	}
	/* An exit status is no proof. */
	r = readback_claimed(now->leader, active, err);
	if (r == 0 && strcmp(active, system) != 0)
		r = error_set(err, ESTALE, "the container runs '%s' after the activation",
			      active);
	return r;
}

/* The system that ran before is put back: profile, conf, and what runs. */
static int go_back(struct verb_request *request, const struct container_spec *spec,
		   const struct nixos_container *before, const struct container_state *now,
		   const char *system, struct error *err)
{
	struct container_state state;
	struct error failure = {};
	int r = nixos_write_conf(before, buf_str(&before->conf), err);

	if (r == 0 && before->profile[0])
		r = nixos_set_profile(request->place, before, before->profile, err);
	if (r < 0 || activate(request, now, system, &failure) == 0)
		return r;
	r = request->supervisor->stop(request->place, spec->agent, RESTART_MS / 3, err);
	return r < 0 ? r
		     : request->supervisor->start(request->place, spec->agent, &spec->limits,
						  RESTART_MS, &state, err);
}

static int reload(struct verb_request *request, const struct container_spec *spec,
		  const struct nixos_container *before, const char *conf,
		  const struct container_state *now, struct error *err)
{
	char running[SYSTEM_SIZE];
	struct error why = {};
	unsigned enforced;
	int r = readback_claimed(now->leader, running, err);

	if (r < 0)
		return 0; /* it says nothing of itself: a restart will tell */
	if (strcmp(before->profile, spec->system) != 0)
		r = nixos_set_profile(request->place, before, spec->system, err);
	if (r == 0)
		r = nixos_write_conf(before, conf, err);
	if (r == 0 && strcmp(running, spec->system) != 0)
		r = activate(request, now, spec->system, err);
	if (r == 0)
		r = request->supervisor->set_limits(request->place, spec->agent, &spec->limits,
						    &enforced, err);
	if (r == 0)
		return 1;
	why = *err;
	if (go_back(request, spec, before, now, running, err) < 0) {
		struct error back = *err;

		return error_set(err, EIO, "%s; and the way back failed too: %s",
				 error_text(&why), error_text(&back));
	}
	*err = why;
	return r;
}

static int switch_over(struct verb_request *request, const struct container_spec *spec,
		       const struct container_state *now, struct error *err)
{
	_cleanup_nixos_ struct nixos_container c = {};
	_cleanup_buf_ struct buf conf = {};
	int r = check_system(request, spec, err);

	if (r == 0)
		r = nixos_look(spec->agent, &c, err);
	if (r == 0)
		r = check_owner(request->place, spec->agent, &c, err);
	if (r == 0 && c.kind == NIXOS_PRESENT && now->leader > 0)
		r = own_conf(request, spec, buf_str(&c.conf), &conf, err);
	if (r < 0 || c.kind != NIXOS_PRESENT || now->leader == 0 ||
	    !nixos_conf_same_host(buf_str(&c.conf), buf_str(&conf)))
		return r;
	return reload(request, spec, &c, buf_str(&conf), now, err);
}

static int check_name(struct verb_request *request, const char *agent, struct error *err)
{
	_cleanup_nixos_ struct nixos_container c = {};
	int r = nixos_look(agent, &c, err);

	return r < 0 ? r : check_owner(request->place, agent, &c, err);
}

/* The conf file goes along for the lines that others wrote; profile and our own lines are made
 * anew by the next start. */
static int rename_container(struct verb_request *request, const char *from, const char *to,
			    struct error *err)
{
	const struct place *place = request->place;
	_cleanup_nixos_ struct nixos_container old = {}, new = {};
	int r = nixos_look(from, &old, err);

	if (r == 0)
		r = nixos_look(to, &new, err);
	if (r == 0)
		r = nixos_owner_write(place, to, err);
	if (r == 0)
		r = nixos_move_root(&old, &new, err);
	if (r == 0 && old.kind == NIXOS_PRESENT)
		r = nixos_write_conf(&new, buf_str(&old.conf), err);
	if (r == 0)
		r = nixos_unmake(place, from, err);
	return r < 0 ? r : nixos_owner_remove(place, from, err);
}

static int destroy(struct verb_request *request, const char *agent, struct error *err)
{
	int r = nixos_unmake(request->place, agent, err);

	return r < 0 ? r : nixos_owner_remove(request->place, agent, err);
}

static int inspect(struct verb_request *request, const char *agent, struct container_view *ret,
		   struct error *err)
{
	struct container_view view = {.claimed = true};
	int r = request->supervisor->inspect(request->place, agent, &view.state, err);

	if (r < 0)
		return r;
	if (view.state.leader == 0 ||
	    readback_claimed(view.state.leader, view.system, NULL) < 0)
		view.system[0] = '\0';
	*ret = view;
	return 0;
}

const struct driver driver_nixos_container = {
	.name = "nixos-container",
	.create = create,
	.start = start,
	.stop = stop,
	.switch_over = switch_over,
	.check_name = check_name,
	.rename = rename_container,
	.destroy = destroy,
	.inspect = inspect,
	.differ = nixos_differ,
};

int nixos_adopt(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_nixos_ struct nixos_container c = {};
	int r = nixos_look(agent, &c, err);

	if (r < 0 || nixos_owned(place, agent))
		return r;
	if (c.kind == NIXOS_ABSENT)
		return error_set_code(err, ENOENT, "not_found",
				      "there is no container '%s' to adopt", c.name);
	if (c.kind == NIXOS_DECLARED)
		return check_owner(place, agent, &c, err);
	return nixos_owner_write(place, agent, err);
}

static bool looks_like_ours(const char *name)
{
	return strncmp(name, "h-", 2) == 0 || name_is_manager(name);
}

int nixos_strangers(const struct place *place, json_t **ret, struct error *err)
{
	static const char ending[] = ".conf";
	_cleanup_closedir_ DIR *dir = opendir(NIXOS_CONF_DIR);
	struct dirent *entry;
	json_t *names;

	if (!dir && errno != ENOENT)
		return error_set_errno(err, errno, "cannot list '" NIXOS_CONF_DIR "'");
	names = json_array();
	while (dir && (errno = 0, entry = readdir(dir))) {
		char agent[AGENT_NAME_MAX + 1];
		size_t size = strlen(entry->d_name);

		if (size <= strlen(ending) ||
		    strcmp(entry->d_name + size - strlen(ending), ending) != 0)
			continue;
		entry->d_name[size - strlen(ending)] = '\0';
		if (looks_like_ours(entry->d_name) &&
		    !nixos_owner(place->state, entry->d_name, agent))
			json_array_append_new(names, json_string(entry->d_name));
	}
	*ret = names;
	return 0;
}
