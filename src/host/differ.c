#include "host/differ.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "host/accounting.h"
#include "host/driver.h"
#include "host/dropins.h"
#include "host/ports.h"
#include "host/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN_MAX 200
#define MOUNTINFO_MAX (4u << 20)
#define NO_LIMIT (1LL << 60) /* what version 1 of the control groups says for none, or more */

void differ_add(json_t *list, const char *field, const char *want, const char *have)
{
	_cleanup_free_ char *w = text_clean_dup(want, SHOWN_MAX, false);
	_cleanup_free_ char *h = text_clean_dup(have, SHOWN_MAX, false);

	json_array_append_new(list,
			      json_pack("{s:s,s:s,s:s}", "field", field, "want", w, "have", h));
}

/* ---- ids and network ---- */

static int differ_ids(pid_t leader, const struct container_spec *spec, json_t *list,
		      struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	char path[64], want[48], have[48] = "no range of its own";
	unsigned long inside, outside, count;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)leader);
	r = file_read(AT_FDCWD, path, 4096, &text, err);
	if (r < 0)
		return r;
	if (sscanf(buf_str(&text), "%lu %lu %lu", &inside, &outside, &count) == 3)
		snprintf(have, sizeof(have), "%lu", outside);
	snprintf(want, sizeof(want), "%u", (unsigned)spec->uid_base);
	if (strcmp(want, have) != 0)
		differ_add(list, "uid_base", want, have);
	return 0;
}

/* A network of its own belongs to the container's user namespace or to one below it, the
 * machine's to the one we are in. */
static int is_private(pid_t leader, bool *ret, struct error *err)
{
	_cleanup_close_ int network = -1, owner = -1;
	struct stat owned, user, own;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)leader);
	network = open(path, O_RDONLY | O_CLOEXEC);
	owner = network < 0 ? -1 : ioctl(network, NS_GET_USERNS);
	if (owner < 0 || fstat(owner, &owned) < 0)
		return error_set_errno(err, errno, "cannot look at '%s'", path);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)leader);
	if (stat(path, &user) < 0 || stat("/proc/self/ns/user", &own) < 0)
		return error_set_errno(err, errno, "cannot look at '%s'", path);
	*ret = owned.st_ino == user.st_ino || owned.st_ino != own.st_ino;
	return 0;
}

static int differ_network(pid_t leader, const struct container_spec *spec, json_t *list,
			  struct error *err)
{
	bool private;
	int r = is_private(leader, &private, err);

	if (r < 0)
		return r;
	if (private != spec->private_network)
		differ_add(list, "network", spec->private_network ? "private" : "host",
			   private ? "private" : "host");
	return 0;
}

/* ---- mounts ---- */

int differ_real_place(const struct place *place, struct place *ret, char **ret_state,
		      char **ret_runtime, struct error *err)
{
	_cleanup_free_ char *state = realpath(place->state, NULL);
	_cleanup_free_ char *runtime = state ? realpath(place->runtime, NULL) : NULL;

	if (!runtime)
		return error_set_errno(err, errno, "cannot find '%s'",
				       state ? place->runtime : place->state);
	*ret = *place;
	ret->state = *ret_state = TAKE_PTR(state);
	ret->runtime = *ret_runtime = TAKE_PTR(runtime);
	return 0;
}

int differ_mounts(pid_t leader, char *const *argv, json_t *list, struct error *err)
{
	_cleanup_buf_ struct buf own = {}, leaders = {};
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)leader);
	r = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &own, err);
	if (r == 0)
		r = file_read(AT_FDCWD, path, MOUNTINFO_MAX, &leaders, err);
	if (r == 0)
		differ_binds(buf_str(&own), buf_str(&leaders), argv, list);
	return r;
}

/* ---- limits ---- */

static void say_bytes(char out[24], int64_t bytes)
{
	if (bytes < 0 || bytes >= NO_LIMIT)
		snprintf(out, 24, "none");
	else
		(void)limit_format_memory(out, bytes);
}

static void say_number(char out[24], int64_t number, const char *unit)
{
	if (number < 0 || number >= NO_LIMIT)
		snprintf(out, 24, "none");
	else
		snprintf(out, 24, "%" PRId64 "%s", number, unit);
}

/* A controller the container has no group of its own of limits nothing: that is told elsewhere.
 */
static int differ_limits(pid_t leader, const struct limits *limits, json_t *list,
			 struct error *err)
{
	char want[24], have[24];
	struct limits now;
	unsigned known = 0;
	int r = accounting_limits(leader, &now, &known, err);

	if (r < 0)
		return r;
	if (known & CGROUP_MEMORY) {
		int64_t page = sysconf(_SC_PAGESIZE);

		say_bytes(want, limits->memory_max_bytes);
		say_bytes(have, now.memory_max_bytes);
		if (now.memory_max_bytes / page != limits->memory_max_bytes / page)
			differ_add(list, "memory_max", want, have);
	}
	if (known & CGROUP_CPU && now.cpu_quota_percent != limits->cpu_quota_percent) {
		say_number(want, limits->cpu_quota_percent, "%");
		say_number(have, now.cpu_quota_percent, "%");
		differ_add(list, "cpu_quota", want, have);
	}
	if (known & CGROUP_TASKS && now.tasks_max != limits->tasks_max) {
		say_number(want, limits->tasks_max, "");
		say_number(have, now.tasks_max, "");
		differ_add(list, "tasks_max", want, have);
	}
	return 0;
}

static int differ_dropin(const struct place *place, const struct container_spec *spec,
			 json_t *list, struct error *err)
{
	char unit[SYSTEMD_UNIT_NAME_SIZE];
	int r = dropin_check(DROPIN_ROOT, systemd_unit_name(unit, place, spec->agent),
			     &spec->limits, err);

	if (r == -ENOENT)
		differ_add(list, "drop-in", "the limits of the record", "nothing");
	else if (r > 0)
		differ_add(list, "drop-in", "the limits of the record", "another text");
	return r < 0 && r != -ENOENT ? r : 0;
}

/* ---- around it ---- */

static void differ_socket(const struct place *place, const struct container_spec *spec,
			  json_t *list)
{
	_cleanup_free_ char *path =
		str_format("%s/agents/%s/agent.sock", place->runtime, spec->agent);
	char want[64], have[64];
	struct stat st;

	snprintf(want, sizeof(want), "a socket of uid %u, mode 600", (unsigned)spec->uid_base);
	if (lstat(path, &st) < 0) {
		differ_add(list, "socket", want, "nothing");
		return;
	}
	if (!S_ISSOCK(st.st_mode)) {
		differ_add(list, "socket", want, "something else");
		return;
	}
	snprintf(have, sizeof(have), "a socket of uid %u, mode %o", (unsigned)st.st_uid,
		 (unsigned)(st.st_mode & 07777));
	if (strcmp(want, have) != 0)
		differ_add(list, "socket", want, have);
}

/*
 * A network that is shared is the machine's, the same for all; another is its own affair.
 * Whoever left the machine's cannot come back, so what was read before it was seen there is the
 * machine's.
 */
static int read_machine(pid_t leader, struct port_lines *machine, struct error *err)
{
	struct port_lines lines = {};
	bool private = false;
	int r = port_lines_read(leader, &lines, err);

	if (r == 0)
		r = is_private(leader, &private, err);
	if (r < 0 || private)
		port_lines_release(&lines);
	else
		*machine = lines;
	return r;
}

static int differ_listener(pid_t leader, const struct container_spec *spec,
			   struct port_lines *machine, json_t *list, struct error *err)
{
	_cleanup_free_ char *want = NULL, *have = NULL;
	const struct port_line *found;
	int r = 0;

	if (spec->private_network)
		return 0;
	if (!machine->known)
		r = read_machine(leader, machine, err);
	if (r < 0 || !machine->known)
		return r;
	found = port_lines_foreign(machine, spec->port, spec->uid_base);
	if (!found)
		return 0;
	want = str_format("port %u for this agent alone", (unsigned)spec->port);
	have = str_format("a program of uid %u", (unsigned)found->uid);
	differ_add(list, "listener", want, have);
	return 0;
}

int differ_container(const struct place *place, const struct container_spec *spec,
		     const struct container_state *state, bool systemd,
		     struct port_lines *machine, json_t *list, struct error *err)
{
	int r = 0;

	differ_socket(place, spec, list);
	if (state->state != CONTAINER_RUNNING || state->ending || state->leader == 0)
		return 0;
	r = differ_ids(state->leader, spec, list, err);
	if (r == 0)
		r = differ_network(state->leader, spec, list, err);
	if (r == 0)
		r = driver_get(spec->driver)->differ(place, spec, state, list, err);
	if (r == 0)
		r = differ_limits(state->leader, &spec->limits, list, err);
	if (r == 0 && systemd)
		r = differ_dropin(place, spec, list, err);
	return r < 0 ? r : differ_listener(state->leader, spec, machine, list, err);
}
