#include "control/flake.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "git/commit.h"
#include "nix/flake.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define TEMPLATE "nix/meta/flake.nix"
#define TEMPLATE_MAX_BYTES 65536

static bool is_input(const struct agent *agent)
{
	return agent->settings.builder == BUILDER_NIX && !agent->unborn &&
	       agent->settings.revision[0];
}

static bool keeps(const char *name, const void *data)
{
	const struct agent *agent = hive_find(data, name);

	return agent && is_input(agent);
}

static int take_time(const char *oid, int64_t wall_s, const char *message, void *data)
{
	(void)oid;
	(void)message;
	*(int64_t *)data = wall_s;
	return 1;
}

static int lock_agent_input(struct hive *hive, const char *applied, const struct settings *s,
			    struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char locked[OID_HEX_SIZE];
	int64_t committed_s = 0;
	int r;

	if (lock_get_agent(hive->lock, s->name, locked) && strcmp(locked, s->revision) == 0)
		return 0;
	r = hive_open_applied(hive, s->name, &repo, err);
	if (r == 0)
		r = commit_log(repo, s->revision, 1, take_time, &committed_s, err);
	return r < 0 ? r
		     : lock_put_agent(hive->lock, applied, s->name, s->revision, committed_s,
				      err);
}

static int update_lock(struct hive *hive, const char *applied, struct error *err)
{
	int r = 0;

	lock_keep_agents(hive->lock, keeps, hive);
	for (size_t i = 0; i < hive->n_agents && r == 0; i++)
		if (is_input(hive->agents[i]))
			r = lock_agent_input(hive, applied, &hive->agents[i]->settings, err);
	return r;
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

int flake_texts(struct hive *hive, char **ret_flake, char **ret_lock, struct error *err)
{
	_cleanup_free_ char *applied = str_format("%s/applied", hive->config->state_dir);
	_cleanup_free_ const char **names = mem_new(hive->n_agents + 1, sizeof(*names));
	struct flake flake = {.applied_dir = applied, .agents = names};
	const char *template = NULL;
	int r;

	*ret_flake = *ret_lock = NULL;
	if (!hive->inputs)
		return 0;
	if ((r = json_get_str(hive->inputs, "nixpkgs", true, &flake.nixpkgs, err)) < 0 ||
	    (r = json_get_str(hive->inputs, "base", true, &flake.base, err)) < 0 ||
	    (r = flake_template(hive, &template, err)) < 0 ||
	    (r = update_lock(hive, applied, err)) < 0)
		return r;
	for (size_t i = 0; i < hive->n_agents; i++)
		if (is_input(hive->agents[i]))
			names[flake.n_agents++] = hive->agents[i]->settings.name;
	flake.base_follows = lock_follows(hive->lock, "base", "nixpkgs");
	r = flake_render(template, &flake, ret_flake, err);
	if (r == 0)
		*ret_lock = lock_write(hive->lock);
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
