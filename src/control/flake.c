#include "control/flake.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "git/commit.h"
#include "nix/flake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE "nix/meta/flake.nix"
#define TEMPLATE_MAX_BYTES 65536

/* The agents of a hive, with one more in the place of another. */
struct members {
	struct hive *hive;
	const struct settings *added; /* NULL: none */
	const char *removed;          /* NULL: none */
};

static bool is_built(const struct settings *s)
{
	return s->builder == BUILDER_NIX && s->revision[0];
}

static bool is_input(const struct members *m, const struct agent *agent)
{
	return is_built(&agent->settings) && !agent->unborn &&
	       (!m->removed || strcmp(agent->settings.name, m->removed) != 0);
}

static bool keeps(const char *name, const void *data)
{
	const struct members *m = data;
	const struct agent *agent = hive_find(m->hive, name);

	if (m->added && strcmp(m->added->name, name) == 0)
		return is_built(m->added);
	return agent && is_input(m, agent);
}

static int take_time(const char *oid, int64_t wall_s, const char *message, void *data)
{
	(void)oid;
	(void)message;
	*(int64_t *)data = wall_s;
	return 1;
}

/* holder: whose repository has the commit */
static int lock_agent_input(struct hive *hive, const char *applied, const struct settings *s,
			    const char *holder, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char locked[OID_HEX_SIZE];
	int64_t committed_s = 0;
	int r;

	if (lock_get_agent(hive->lock, s->name, locked) && strcmp(locked, s->revision) == 0)
		return 0;
	r = hive_open_applied(hive, holder, &repo, err);
	if (r == 0)
		r = commit_log(repo, s->revision, 1, take_time, &committed_s, err);
	return r < 0 ? r
		     : lock_put_agent(hive->lock, applied, s->name, s->revision, committed_s,
				      err);
}

static int update_lock(const struct members *m, const char *applied, struct error *err)
{
	struct hive *hive = m->hive;
	int r = 0;

	lock_keep_agents(hive->lock, keeps, m);
	if (m->added && is_built(m->added))
		r = lock_agent_input(hive, applied, m->added,
				     m->removed ? m->removed : m->added->name, err);
	for (size_t i = 0; i < hive->n_agents && r == 0; i++) {
		const struct agent *agent = hive->agents[i];

		if (is_input(m, agent))
			r = lock_agent_input(hive, applied, &agent->settings,
					     agent->settings.name, err);
	}
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted; returns how many. */
static size_t list_names(const struct members *m, const char **names)
{
	size_t n = 0;

	for (size_t i = 0; i < m->hive->n_agents; i++)
		if (is_input(m, m->hive->agents[i]))
			names[n++] = m->hive->agents[i]->settings.name;
	if (m->added && is_built(m->added))
		names[n++] = m->added->name;
	qsort(names, n, sizeof(*names), compare_names);
	return n;
}

int flake_template(struct hive *hive, const char **ret, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/" TEMPLATE, hive->config->templates_dir);
	bool opened = hive->templates_fd >= 0;
	_cleanup_buf_ struct buf text = {};
	int r;

	if (!hive->flake_template) {
		r = file_read(opened ? hive->templates_fd : AT_FDCWD, opened ? TEMPLATE : path,
			      TEMPLATE_MAX_BYTES, &text, err);
		if (r < 0)
			return r;
		hive->flake_template = buf_take(&text);
	}
	*ret = hive->flake_template;
	return 0;
}

int flake_texts(struct hive *hive, const struct settings *added, const char *removed,
		char **ret_flake, char **ret_lock, struct error *err)
{
	const struct members would_be = {.hive = hive, .added = added, .removed = removed};
	const struct members are = {.hive = hive};
	_cleanup_free_ char *applied = str_format("%s/applied", hive->config->state_dir);
	_cleanup_free_ const char **names = mem_new(hive->n_agents + 2, sizeof(*names));
	struct flake flake = {.applied_dir = applied, .agents = names};
	const char *template = NULL;
	int r;

	*ret_flake = *ret_lock = NULL;
	if (!hive->inputs)
		return 0;
	if ((r = json_get_str(hive->inputs, "nixpkgs", true, &flake.nixpkgs, err)) < 0 ||
	    (r = json_get_str(hive->inputs, "base", true, &flake.base, err)) < 0 ||
	    (r = flake_template(hive, &template, err)) < 0)
		return r;
	r = update_lock(&would_be, applied, err);
	if (r == 0) {
		flake.n_agents = list_names(&would_be, names);
		flake.base_follows = lock_follows(hive->lock, "base", "nixpkgs");
		r = flake_render(template, &flake, ret_flake, err);
	}
	if (r == 0)
		*ret_lock = lock_write(hive->lock);
	/* whatever is missing then is put in by the next one */
	if (added)
		(void)update_lock(&are, applied, NULL);
	return r;
}

int flake_load(struct hive *hive, struct repo *repo, const char *commit, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	struct lock *lock = NULL;
	int r = commit_read_file(repo, commit, LOCK_FILE, LOCK_MAX_BYTES, &text, err);

	if (r < 0 && r != -ENOENT)
		return r;
	r = lock_parse(buf_str(&text), r < 0 ? 0 : text.size, &lock, err);
	if (r < 0)
		return r;
	lock_free(hive->lock);
	hive->lock = lock;
	return 0;
}
