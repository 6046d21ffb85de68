#include "control/meta.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "git/commit.h"
#include "git/refs.h"

#include <errno.h>
#include <string.h>

#define AGENTS_FILE "agents.json"
#define AGENTS_MAX_BYTES (16 << 20)
#define META_BRANCH "refs/heads/main"

static const char readme[] = "# The log of this hive\n"
			     "\n"
			     "Written by skepd alone, one commit per change. `agents.json` is "
			     "what is wanted of every agent: change it with\n"
			     "`skep set`, `skep start`, `skep approve` and the like, never "
			     "here. `git log -p` shows who runs what since when.\n";

/* added: an agent that is not there yet; NULL: none */
static json_t *render_agents(const struct hive *hive, const struct settings *added)
{
	json_t *top = json_object(), *agents = json_object(), *kept = json_object();

	for (size_t i = 0; i < hive->n_agents; i++) {
		const struct agent *a = hive->agents[i];

		if (added && strcmp(added->name, a->settings.name) < 0) {
			json_object_set_new(agents, added->name, settings_to_json(added));
			added = NULL;
		}
		if (!a->unborn)
			json_object_set_new(agents, a->settings.name,
					    settings_to_json(&a->settings));
	}
	if (added)
		json_object_set_new(agents, added->name, settings_to_json(added));
	for (size_t i = 0; i < hive->n_kept; i++) {
		const struct kept *k = &hive->kept[i];

		if (json_object_get(agents, k->name))
			continue; /* it would come back */
		json_object_set_new(kept, k->name,
				    json_pack("{s:i,s:I}", "port", (int)k->port, "uid_base",
					      (json_int_t)k->uid_base));
	}
	json_object_set_new(top, "version", json_integer(1));
	json_object_set_new(top, "agents", agents);
	json_object_set_new(top, "kept", kept);
	return top;
}

static char *agents_text(const struct hive *hive, const struct settings *added)
{
	json_t *top = render_agents(hive, added);
	_cleanup_free_ char *text = json_dumps(top, JSON_INDENT(2));

	json_decref(top);
	return str_format("%s\n", text);
}

static int open_meta(const struct hive *hive, struct repo **ret, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);

	return repo_open(dir, ret, err);
}

int meta_prepare(struct hive *hive, const char *message, char ret[OID_HEX_SIZE],
		 struct error *err)
{
	return meta_preview(hive, NULL, message, ret, err);
}

int meta_preview(struct hive *hive, const struct settings *added, const char *message,
		 char ret[OID_HEX_SIZE], struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_free_ char *text = agents_text(hive, added);
	struct commit_file files[2] = {
		{.path = AGENTS_FILE, .data = text, .size = strlen(text)},
		{.path = "README.md", .data = readme, .size = sizeof(readme) - 1},
	};
	_cleanup_buf_ struct buf now = {};
	int r = open_meta(hive, &repo, err);

	if (r < 0)
		return r;
	if (hive->meta_head[0]) {
		r = commit_read_file(repo, hive->meta_head, AGENTS_FILE, AGENTS_MAX_BYTES, &now,
				     err);
		if (r < 0)
			return r;
		if (strcmp(buf_str(&now), text) == 0) {
			memcpy(ret, hive->meta_head, OID_HEX_SIZE);
			return 0;
		}
	}
	return commit_files(repo, hive->meta_head[0] ? hive->meta_head : NULL, files,
			    hive->meta_head[0] ? 1 : 2, message, hive->wall_s(), ret, err);
}

int meta_publish(struct hive *hive, const char *commit, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int r;

	if (strcmp(commit, hive->meta_head) == 0)
		return 0;
	r = open_meta(hive, &repo, err);
	if (r < 0)
		return r;
	r = refs_move(repo, META_BRANCH, commit, hive->meta_head[0] ? hive->meta_head : NULL,
		      err);
	if (r < 0)
		return r;
	memcpy(hive->meta_head, commit, OID_HEX_SIZE);
	return 0;
}

int meta_commit(struct hive *hive, const char *message, struct error *err)
{
	char commit[OID_HEX_SIZE];
	int r = meta_prepare(hive, message, commit, err);

	return r < 0 ? r : meta_publish(hive, commit, err);
}

static int read_kept(struct hive *hive, const json_t *kept, struct error *err)
{
	const char *name;
	json_t *entry;

	json_object_foreach ((json_t *)kept, name, entry) {
		int64_t port = 0, uid_base = 0;
		int r;

		if ((r = name_check(name, err)) < 0 ||
		    (r = json_get_int(entry, "port", true, 1, 65535, &port, err)) < 0 ||
		    (r = json_get_int(entry, "uid_base", true, 65536, 0x7fff0000, &uid_base,
				      err)) < 0)
			return r;
		hive_keep(hive, name, (uint16_t)port, (uid_t)uid_base);
	}
	return 0;
}

static int read_agents(struct hive *hive, const json_t *top, struct error *err)
{
	json_t *agents = NULL, *kept = NULL, *entry;
	int64_t version = 0;
	const char *name;
	int r;

	if ((r = json_get_int(top, "version", true, 1, 1, &version, err)) < 0 ||
	    (r = json_get_object(top, "agents", true, &agents, err)) < 0 ||
	    (r = json_get_object(top, "kept", false, &kept, err)) < 0)
		return r;
	json_object_foreach (agents, name, entry) {
		struct settings settings;

		r = settings_from_json(name, entry, &settings, err);
		if (r < 0) {
			error_prefix(err, "agent '%.40s'", name);
			return r;
		}
		(void)hive_add(hive, &settings);
	}
	return kept ? read_kept(hive, kept, err) : 0;
}

int meta_load(struct hive *hive, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_buf_ struct buf text = {};
	json_t *top = NULL;
	int r, removed = 0;

	r = repo_create(dir, err);
	if (r < 0)
		return r;
	r = repo_recover(dir, &removed, err);
	if (r < 0)
		return r;
	hive->recovered += removed;
	r = repo_open(dir, &repo, err);
	if (r < 0)
		return r;
	r = refs_read(repo, META_BRANCH, hive->meta_head, err);
	if (r == -ENOENT)
		return meta_commit(hive, "begin a hive", err);
	if (r < 0)
		return r;
	r = commit_read_file(repo, hive->meta_head, AGENTS_FILE, AGENTS_MAX_BYTES, &text, err);
	if (r == 0)
		r = json_parse(text.data, text.size, &top, err);
	if (r < 0)
		return error_prefix(err, "meta: " AGENTS_FILE);
	r = read_agents(hive, top, err);
	json_decref(top);
	return r < 0 ? error_prefix(err, "meta: " AGENTS_FILE) : 0;
}
