#include "control/intent.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "git/commit.h"
#include "git/refs.h"
#include "model/declare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REF "refs/skep/generation"
#define FILE_NAME "generation.json"
#define MAX_BYTES (16u << 20)

static const struct {
	enum change_action action;
	const char *key;
} parts[] = {
	{CHANGE_CREATE, "created"},
	{CHANGE_SET, "changed"},
	{CHANGE_REMOVE, "removed"},
};

static int open_meta(const struct hive *hive, struct repo **ret, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);

	return repo_open(dir, ret, err);
}

static json_t *to_json(const struct desired *d)
{
	json_t *intent = json_pack("{s:i,s:s,s:I}", "version", 1, "hive", d->owner,
				   "generation", (json_int_t)d->number);

	for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
		json_t *entries = json_object();

		for (size_t i = 0; i < d->n; i++)
			if (d->changes[i].action == parts[p].action)
				json_object_set_new(entries, d->changes[i].name,
						    settings_to_json(&d->changes[i].wanted));
		json_object_set_new(intent, parts[p].key, entries);
	}
	return intent;
}

int intent_write(struct hive *hive, const struct desired *d, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	json_auto_t *intent = to_json(d);
	_cleanup_free_ char *text = json_dumps(intent, JSON_INDENT(1));
	struct commit_file file = {.path = FILE_NAME, .data = text, .size = strlen(text)};
	char commit[OID_HEX_SIZE];
	int r = open_meta(hive, &repo, err);

	if (r < 0 ||
	    (r = commit_files(repo, NULL, &file, 1, "a generation on its way\n", hive->wall_s(),
			      commit, err)) < 0 ||
	    (r = refs_delete(repo, REF, err)) < 0)
		return r;
	return refs_create(repo, REF, commit, err);
}

static int read_part(struct desired *d, const json_t *intent, size_t part, struct error *err)
{
	json_t *entries = NULL, *entry;
	const char *name;
	int r = json_get_object(intent, parts[part].key, true, &entries, err);

	json_object_foreach (entries, name, entry) {
		struct settings settings;

		if (r == 0)
			r = settings_from_json(name, entry, &settings, err);
		if (r < 0)
			break;
		(void)desired_add(d, parts[part].action, &settings);
		settings_release(&settings);
	}
	return r;
}

static int from_json(const json_t *intent, struct desired *d, struct error *err)
{
	const char *hive = NULL;
	int r;

	if ((r = json_get_str(intent, "hive", true, &hive, err)) < 0 ||
	    (r = declare_check_owner(hive, err)) < 0 ||
	    (r = json_get_int(intent, "generation", true, 1, INT64_MAX, &d->number, err)) < 0)
		return r;
	snprintf(d->owner, sizeof(d->owner), "%s", hive);
	for (size_t p = 0; p < ARRAY_SIZE(parts) && r == 0; p++)
		r = read_part(d, intent, p, err);
	return r;
}

int intent_read(struct hive *hive, struct desired *ret, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_buf_ struct buf text = {};
	struct desired d = {};
	json_auto_t *intent = NULL;
	char commit[OID_HEX_SIZE];
	int r = open_meta(hive, &repo, err);

	if (r == 0)
		r = refs_read(repo, REF, commit, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = commit_read_file(repo, commit, FILE_NAME, MAX_BYTES, &text, err);
	if (r == 0)
		r = json_parse(buf_str(&text), text.size, &intent, err);
	if (r == 0)
		r = from_json(intent, &d, err);
	if (r < 0) {
		desired_release(&d);
		return error_prefix(err, "meta: " REF);
	}
	*ret = d;
	return 1;
}

int intent_forget(struct hive *hive, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int r = open_meta(hive, &repo, err);

	return r < 0 ? r : refs_delete(repo, REF, err);
}
