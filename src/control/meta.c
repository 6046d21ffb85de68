#include "control/meta.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "control/doubt.h"
#include "control/flake.h"
#include "git/commit.h"
#include "git/refs.h"

#include <errno.h>
#include <string.h>

#define AGENTS_FILE "agents.json"
#define AGENTS_MAX_BYTES (16 << 20)
#define META_BRANCH "refs/heads/main"

static const char readme[] =
	"# The log of this hive\n"
	"\n"
	"Written by skepd alone, one commit per change. `git log -p` shows who runs what since "
	"when. Change nothing here: what is\n"
	"written is what `skep spawn`, `skep set`, `skep approve` and the like did.\n"
	"\n"
	"* `agents.json`: what is wanted of every agent, one per line.\n"
	"* `flake.nix`, `flake.lock`: only where systems are built by Nix. The systems of all "
	"agents as one flake, and the exact\n"
	"  commit of everything that goes into them. Look, without changing anything:\n"
	"  `nix flake metadata 'git+file:///var/lib/skep/meta?ref=refs/heads/main'`.\n";

/* An agent's entry; of the children of one that is replaced, with the new parent. */
static json_t *render_agent(const struct agent *a, const struct settings *added,
			    const char *removed)
{
	struct settings s = a->recorded ? *a->recorded : a->settings;
	json_t *entry;

	/* what is deployed is true at once, whatever else is on its way */
	s.deployed = a->settings.deployed;
	memcpy(s.revision, a->settings.revision, sizeof(s.revision));
	entry = settings_to_json(&s);
	if (removed && added && strcmp(s.parent, removed) == 0)
		json_object_set_new(entry, "parent", json_string(added->name));
	return entry;
}

/* added: an agent that is not there yet, in the place of removed; NULL: none */
static json_t *render_agents(const struct hive *hive, const struct settings *added,
			     const char *removed)
{
	json_t *top = json_object(), *agents = json_object(), *kept = json_object();
	bool is_put = !added;

	for (size_t i = 0; i < hive->n_agents; i++) {
		const struct agent *a = hive->agents[i];

		if (!is_put && strcmp(added->name, a->settings.name) < 0) {
			json_object_set_new(agents, added->name, settings_to_json(added));
			is_put = true;
		}
		if (!a->unborn && (!removed || strcmp(removed, a->settings.name) != 0))
			json_object_set_new(agents, a->settings.name,
					    render_agent(a, added, removed));
	}
	if (!is_put)
		json_object_set_new(agents, added->name, settings_to_json(added));
	for (size_t i = 0; i < hive->n_kept; i++) {
		const struct kept *k = &hive->kept[i];

		if (json_object_get(agents, k->name))
			continue; /* it would come back */
		json_object_set_new(kept, k->name,
				    json_pack("{s:i,s:I}", "port", (int)k->port, "uid_base",
					      (json_int_t)k->uid_base));
	}
	json_object_set_new(top, "agents", agents);
	json_object_set_new(top, "kept", kept);
	return top;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One line per entry, so that a change is one line of a difference. */
static void add_object(struct buf *out, const char *key, const json_t *object)
{
	_cleanup_free_ const char **names =
		mem_new(json_object_size(object) + 1, sizeof(*names));
	const char *name;
	json_t *entry;
	size_t n = 0;

	json_object_foreach ((json_t *)object, name, entry)
		names[n++] = name;
	qsort(names, n, sizeof(*names), compare_names);
	buf_addf(out, "  \"%s\": {", key);
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *text = json_dumps(json_object_get(object, names[i]),
						       JSON_SORT_KEYS | JSON_ENCODE_ANY);

		buf_addf(out, "%s\n    \"%s\": %s", i ? "," : "", names[i], text);
	}
	buf_add_str(out, n > 0 ? "\n  }" : "}");
}

static char *agents_text(const struct hive *hive, const struct settings *added,
			 const char *removed)
{
	json_t *top = render_agents(hive, added, removed);
	struct buf out = {};

	buf_add_str(&out, "{\n");
	add_object(&out, "agents", json_object_get(top, "agents"));
	if (hive->inputs) {
		buf_addf(&out, ",\n  \"dashboard_port\": %u,\n",
			 (unsigned)hive->config->dashboard_port);
		add_object(&out, "inputs", hive->inputs);
	}
	buf_add_str(&out, ",\n");
	if (json_object_size(hive->declared) > 0) {
		add_object(&out, "hives", hive->declared);
		buf_add_str(&out, ",\n");
	}
	add_object(&out, "kept", json_object_get(top, "kept"));
	buf_add_str(&out, ",\n  \"version\": 1\n}\n");
	json_decref(top);
	return buf_take(&out);
}

static int open_meta(const struct hive *hive, struct repo **ret, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);

	return repo_open(dir, ret, err);
}

int meta_prepare(struct hive *hive, const char *message, char ret[OID_HEX_SIZE],
		 struct error *err)
{
	return meta_preview(hive, NULL, NULL, message, ret, err);
}

static int write_files(struct hive *hive, struct repo *repo, const char *const texts[3],
		       const char *message, char ret[OID_HEX_SIZE], struct error *err)
{
	static const char *const paths[] = {AGENTS_FILE, FLAKE_FILE, LOCK_FILE};
	struct commit_file files[4] = {
		{.path = "README.md", .data = readme, .size = sizeof(readme) - 1}};
	size_t n = 1;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (texts[i])
			files[n++] = (struct commit_file){.path = paths[i],
							  .data = texts[i],
							  .size = strlen(texts[i])};
	return commit_changes(repo, hive->meta_head[0] ? hive->meta_head : NULL, files, n,
			      message, hive->wall_s(), ret, err);
}

int meta_preview(struct hive *hive, const struct settings *added, const char *removed,
		 const char *message, char ret[OID_HEX_SIZE], struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_free_ char *agents = agents_text(hive, added, removed), *flake = NULL,
			    *lock = NULL;
	int r = open_meta(hive, &repo, err);

	if (r == 0)
		r = flake_texts(hive, added, removed, &flake, &lock, err);
	return r < 0 ? r
		     : write_files(hive, repo, (const char *const[]){agents, flake, lock},
				   message, ret, err);
}

int meta_publish(struct hive *hive, const char *commit, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int r;

	if (strcmp(commit, hive->meta_head) == 0)
		return 0;
	if ((r = doubt_settle(hive, err)) < 0 || (r = open_meta(hive, &repo, err)) < 0)
		return r;
	r = refs_move(repo, META_BRANCH, commit, hive->meta_head[0] ? hive->meta_head : NULL,
		      err);
	if (r == -ENOTRECOVERABLE) {
		_cleanup_free_ char *dir = hive_meta_dir(hive);

		doubt_note(hive, dir, META_BRANCH, commit, hive->meta_head);
	}
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
	json_t *agents = NULL, *kept = NULL, *inputs = NULL, *declared = NULL, *entry;
	int64_t version = 0;
	const char *name;
	int r;

	if ((r = json_get_int(top, "version", true, 1, 1, &version, err)) < 0 ||
	    (r = json_get_object(top, "agents", true, &agents, err)) < 0 ||
	    (r = json_get_object(top, "inputs", false, &inputs, err)) < 0 ||
	    (r = json_get_object(top, "hives", false, &declared, err)) < 0 ||
	    (r = json_get_object(top, "kept", false, &kept, err)) < 0)
		return r;
	if (declared)
		json_object_update(hive->declared, declared);
	hive->inputs = json_incref(inputs);
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

int meta_read_inputs(struct repo *repo, const char *commit, json_t **ret, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	json_t *top = NULL, *inputs = NULL;
	int r = commit_read_file(repo, commit, AGENTS_FILE, AGENTS_MAX_BYTES, &text, err);

	if (r == 0)
		r = json_parse(text.data, text.size, &top, err);
	if (r == 0)
		r = json_get_object(top, "inputs", true, &inputs, err);
	if (r == 0)
		*ret = json_incref(inputs);
	json_decref(top);
	return r < 0 ? error_prefix(err, "meta: " AGENTS_FILE) : 0;
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
	r = flake_load(hive, repo, hive->meta_head, err);
	if (r < 0)
		return error_prefix(err, "meta");
	r = commit_read_file(repo, hive->meta_head, AGENTS_FILE, AGENTS_MAX_BYTES, &text, err);
	if (r == 0)
		r = json_parse(text.data, text.size, &top, err);
	if (r < 0)
		return error_prefix(err, "meta: " AGENTS_FILE);
	r = read_agents(hive, top, err);
	json_decref(top);
	return r < 0 ? error_prefix(err, "meta: " AGENTS_FILE) : 0;
}
