#include "control/plan.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "control/inputs.h"
#include "control/request.h"
#include "host/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Who has something: agents, destroyed agents whose state was kept, and requests that were
 * shown with it. Whatever has this name does not count. */
static bool is_taken(const struct hive *hive, const char *name, uint16_t port, uid_t base)
{
	for (size_t i = 0; i < hive->n_agents; i++) {
		const struct settings *s = &hive->agents[i]->settings;

		if (strcmp(s->name, name) != 0 && (s->port == port || s->uid_base == base))
			return true;
	}
	for (size_t i = 0; i < hive->n_kept; i++) {
		const struct kept *k = &hive->kept[i];

		if (strcmp(k->name, name) != 0 && (k->port == port || k->uid_base == base))
			return true;
	}
	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		const struct proposal *p = hive->proposals[i];
		struct settings s;
		bool same;

		if (proposal_is_final(p) || strcmp(p->agent, name) == 0 ||
		    request_settings(p, &s, NULL) < 0)
			continue;
		same = s.port == port || s.uid_base == base;
		settings_release(&s);
		if (same)
			return true;
	}
	return false;
}

static bool port_is_taken(const struct hive *hive, const char *name, uint16_t port)
{
	return is_taken(hive, name, port, (uid_t)-1);
}

static bool uid_is_taken(const struct hive *hive, const char *name, uid_t base)
{
	return is_taken(hive, name, 0, base);
}

static int choose_ids(const struct hive *hive, struct settings *s, struct error *err)
{
	const struct kept *kept = hive_find_kept(hive, s->name);
	uint16_t port = name_port(s->name);

	if (kept) {
		s->port = kept->port;
		s->uid_base = kept->uid_base;
		return 0;
	}
	for (unsigned i = 0; i < PORT_SPAN && port_is_taken(hive, s->name, port); i++)
		port = (uint16_t)(PORT_BASE +
				  (name_port(s->name) - PORT_BASE + i + 1) % PORT_SPAN);
	if (port_is_taken(hive, s->name, port))
		return error_set(err, EBUSY, "every port from %d to %d has an agent", PORT_BASE,
				 PORT_BASE + PORT_SPAN - 1);
	s->port = port;
	if (name_is_manager(s->name)) {
		s->uid_base = hive_manager_uid();
		return 0;
	}
	for (uid_t base = UID_BASE_FIRST + UID_RANGE; base <= UID_BASE_LAST;
	     base += UID_RANGE) {
		if (uid_is_taken(hive, s->name, base))
			continue;
		s->uid_base = base;
		return 0;
	}
	return error_set(err, EBUSY, "every id range has an agent");
}

static int check_container_name(const struct hive *hive, const char *name, struct error *err)
{
	char mine[CONTAINER_NAME_SIZE], other[CONTAINER_NAME_SIZE];

	name_container(mine, name);
	for (size_t i = 0; i < hive->n_agents; i++)
		if (strcmp(mine, name_container(other, hive->agents[i]->settings.name)) == 0)
			return error_set(err, EEXIST,
					 "the container name '%s' of '%s' is that of '%s'",
					 mine, name, hive->agents[i]->settings.name);
	return 0;
}

int plan_check_name(const struct hive *hive, const char *name, struct error *err)
{
	int r = name_check(name, err);

	if (r < 0)
		return r;
	if (hive_find(hive, name)) {
		r = error_set(err, EEXIST, "there is an agent '%s' already", name);
		error_hint(err, "skep show %s", name);
		return r;
	}
	return check_container_name(hive, name, err);
}

int plan_check_approved(const struct hive *hive, const char *name, struct error *err)
{
	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		const struct proposal *p = hive->proposals[i];

		if (!proposal_is_final(p) && !proposal_is_pending(p) &&
		    proposal_is_of_hive(p) && strcmp(p->agent, name) == 0)
			return error_set(err, EEXIST,
					 "proposal %" PRId64 " is making an agent '%s'", p->id,
					 name);
	}
	return 0;
}

static int put_labels(struct settings *s, const json_t *labels, struct error *err)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach ((json_t *)labels, key, value) {
		_cleanup_free_ char *name = str_format("label.%s", key);

		r = json_is_string(value)
			    ? settings_change(s, name, json_string_value(value), &(bool){false},
					      err)
			    : error_set(err, EINVAL, "label '%.60s' must be a string", key);
		if (r < 0)
			break;
	}
	return r;
}

int plan_agent(const struct hive *hive, const struct spawn_request *request,
	       struct settings *ret, struct error *err)
{
	struct settings settings;
	int r;

	if ((r = plan_check_name(hive, request->name, err)) < 0 ||
	    (r = plan_check_approved(hive, request->name, err)) < 0)
		return r;
	if (request->driver == DRIVER_NIXOS_CONTAINER && request->builder != BUILDER_NIX)
		return error_set(
			err, EINVAL,
			"the driver nixos-container runs only what the builder nix makes");
	if (request->builder == BUILDER_NIX && (r = inputs_check(hive, err)) < 0)
		return r;
	settings_init(&settings, request->name);
	settings.limits = request->limits;
	settings.driver = request->driver;
	settings.builder = request->builder;
	settings.private_network = request->private_network < 0 ? hive->config->private_network
								: request->private_network > 0;
	if (!name_is_manager(request->name))
		snprintf(settings.parent, sizeof(settings.parent), "%s", MANAGER_NAME);
	if ((r = put_labels(&settings, request->labels, err)) < 0 ||
	    (r = choose_ids(hive, &settings, err)) < 0) {
		settings_release(&settings);
		return r;
	}
	*ret = settings;
	return 0;
}

int plan_check(const struct hive *hive, const struct settings *s, struct error *err)
{
	const struct kept *kept = hive_find_kept(hive, s->name);
	int r = plan_check_name(hive, s->name, err);

	if (r < 0)
		return r;
	if (port_is_taken(hive, s->name, s->port))
		return error_set(err, EEXIST, "port %u has another agent now",
				 (unsigned)s->port);
	if (uid_is_taken(hive, s->name, s->uid_base))
		return error_set(err, EEXIST, "the ids from %u on have another agent now",
				 (unsigned)s->uid_base);
	if (kept && (kept->port != s->port || kept->uid_base != s->uid_base))
		return error_set(err, EEXIST,
				 "an agent '%s' was destroyed meanwhile and kept its own port "
				 "and ids",
				 s->name);
	return 0;
}
