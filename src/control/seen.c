#include "control/seen.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "control/logins.h"
#include "control/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_FILE "audit/seen.json"
#define SEEN_MAX_BYTES (8 << 20)
#define UIDS_MAX 64
#define PER_AGENT_MAX 16 /* the newest ones */

/* {"<uid>":{"<agent>":[[id, wall seconds], …]}}, ids descending. */
struct seen {
	struct hive *hive;
	json_t *all;
};

static char *file_path(const struct hive *hive)
{
	return str_format("%s/" SEEN_FILE, hive->config->state_dir);
}

struct seen *seen_open(struct hive *hive)
{
	struct seen *seen = mem_new(1, sizeof(*seen));
	_cleanup_free_ char *path = file_path(hive);
	_cleanup_buf_ struct buf text = {};
	struct error err = {};
	int r = file_read(AT_FDCWD, path, SEEN_MAX_BYTES, &text, &err);

	seen->hive = hive;
	if (r == 0)
		r = json_parse(buf_str(&text), text.size, &seen->all, &err);
	if (r < 0 && r != -ENOENT)
		log_line(LOG_WARNING, "what operators have looked at is forgotten: '%s': %s",
			 path, error_text(&err));
	if (!json_is_object(seen->all)) {
		json_decref(seen->all);
		seen->all = json_object();
	}
	return seen;
}

void seen_close(struct seen *seen)
{
	if (!seen)
		return;
	json_decref(seen->all);
	free(seen);
}

static void write_down(const struct seen *seen)
{
	_cleanup_free_ char *path = file_path(seen->hive), *text = json_line(seen->all);
	struct error err = {};

	if (file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, &err) < 0)
		log_line(LOG_WARNING, "what operators looked at will be forgotten: %s",
			 error_text(&err));
}

/* Whose eyes they are: on web.sock those of the login. */
static void uid_key(const struct session *s, char out[24])
{
	snprintf(out, 24, "%u", (unsigned)logins_uid(s));
}

/* What was looked at of an agent; NULL when nothing was. */
static json_t *list_of(const struct session *s, const struct proposal *p)
{
	char uid[24];

	uid_key(s, uid);
	return s->hive->seen
		       ? json_object_get(json_object_get(s->hive->seen->all, uid), p->agent)
		       : NULL;
}

static int64_t id_at(const json_t *list, size_t i)
{
	return json_integer_value(json_array_get(json_array_get(list, i), 0));
}

/* When it was first looked at; 0: never. */
static int64_t seen_at(const struct session *s, const struct proposal *p)
{
	const json_t *list = list_of(s, p);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (id_at(list, i) == p->id)
			return json_integer_value(json_array_get(json_array_get(list, i), 1));
	return 0;
}

static json_t *make_list(struct seen *seen, const struct session *s, const struct proposal *p)
{
	json_t *agents, *list;
	char uid[24];

	uid_key(s, uid);
	agents = json_object_get(seen->all, uid);
	if (!json_is_object(agents)) {
		/* so many operators there are not: begin anew */
		if (json_object_size(seen->all) >= UIDS_MAX)
			json_object_clear(seen->all);
		agents = json_object();
		json_object_set_new(seen->all, uid, agents);
	}
	list = json_object_get(agents, p->agent);
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(agents, p->agent, list);
	}
	return list;
}

/* Agents that are gone for good leave with the next mark. */
static void drop_gone(struct seen *seen)
{
	const char *uid, *name;
	json_t *agents, *list;
	void *next;

	json_object_foreach (seen->all, uid, agents)
		json_object_foreach_safe (agents, next, name, list)
			if (!hive_find(seen->hive, name) &&
			    !hive_find_proposal(seen->hive, id_at(list, 0)))
				json_object_del(agents, name);
}

void seen_mark(struct session *s, const struct proposal *p)
{
	struct seen *seen = s->hive->seen;
	json_t *list;
	size_t i = 0;

	if (!seen || seen_at(s, p) > 0)
		return;
	drop_gone(seen);
	list = make_list(seen, s, p);
	while (i < json_array_size(list) && id_at(list, i) > p->id)
		i++;
	json_array_insert_new(list, i,
			      json_pack("[I,I]", (json_int_t)p->id,
					(json_int_t)s->hive->wall_s()));
	while (json_array_size(list) > PER_AGENT_MAX)
		json_array_remove(list, json_array_size(list) - 1);
	write_down(seen);
}

int64_t seen_before(const struct session *s, const struct proposal *p)
{
	const json_t *list = list_of(s, p);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const struct proposal *other = hive_find_proposal(s->hive, id_at(list, i));

		if (other && other->id < p->id && other->kind == p->kind)
			return other->id;
	}
	return 0;
}

void seen_decided(const struct session *s, const struct proposal *p)
{
	int64_t at = seen_at(s, p);

	if (at > 0)
		metrics_viewed(s->hive, s->hive->wall_s() - at);
}

void seen_put(const struct session *s, const struct proposal *p, json_t *row)
{
	int64_t at = seen_at(s, p), before = seen_before(s, p);
	char text[CLOCK_TEXT_SIZE];

	if (s->agent[0])
		return;
	if (at > 0)
		json_object_set_new(row, "seen_at", json_string(clock_format(text, at)));
	if (before > 0)
		json_object_set_new(row, "seen_before", json_integer(before));
}
