#include "control/update_request.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "control/flake.h"
#include "control/inputs.h"
#include "control/meta.h"
#include "control/request.h"
#include "git/commit.h"
#include "nix/lock_changes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const known[] = {"base", "nixpkgs"};

/* ---- what is there ---- */

static bool same_base(const struct lock *a, const struct lock *b)
{
	_cleanup_free_ char *one = lock_base(a), *other = lock_base(b);

	return strcmp(one, other) == 0;
}

bool update_request_is_done(const struct hive *hive, const struct lock *lock)
{
	return same_base(hive->lock, lock);
}

static int read_lock(struct repo *repo, const char *commit, struct lock **ret,
		     struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	int r = commit_read_file(repo, commit, LOCK_FILE, LOCK_MAX_BYTES, &text, err);

	return r < 0 ? r : lock_parse(buf_str(&text), text.size, ret, err);
}

static int open_meta(const struct hive *hive, struct repo **ret, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);

	return repo_open(dir, ret, err);
}

int update_request_read(const struct hive *hive, const char *commit, struct lock **ret_lock,
			json_t **ret_inputs, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_(lock_freep) struct lock *lock = NULL;
	json_t *inputs = NULL;
	int r = open_meta(hive, &repo, err);

	if (r < 0 || (r = read_lock(repo, commit, &lock, err)) < 0 ||
	    (r = meta_read_inputs(repo, commit, &inputs, err)) < 0)
		return r;
	*ret_lock = TAKE_PTR(lock);
	*ret_inputs = inputs;
	return 0;
}

int update_request_check(const struct hive *hive, const struct proposal *p, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_(lock_freep) struct lock *base = NULL;
	int r = open_meta(hive, &repo, err);

	if (r < 0 || (r = read_lock(repo, p->base, &base, err)) < 0)
		return r;
	if (same_base(hive->lock, base))
		return 0;
	return error_set_code(err, ESTALE, "stale",
			      "the inputs were updated since this was proposed");
}

/* ---- asking ---- */

static bool is_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i], name) == 0)
			return true;
	return false;
}

static int check_names(const json_t *names, struct error *err)
{
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		_cleanup_free_ char *shown = NULL;

		if (json_is_string(name) && is_known(json_string_value(name)))
			continue;
		shown = text_clean_dup(json_is_string(name) ? json_string_value(name) : "", 60,
				       false);
		return error_set(err, EINVAL,
				 "'names' holds '%s': there are the inputs base and nixpkgs",
				 shown);
	}
	return 0;
}

static bool is_wanted(const json_t *names, const char *name)
{
	return json_array_size(names) == 0 || json_holds(names, name);
}

/* The URLs: of what is updated those that the configuration says now. */
static json_t *make_inputs(const struct hive *hive, const json_t *names)
{
	const struct config *c = hive->config;
	json_t *inputs = json_copy(hive->inputs);

	if (is_wanted(names, "nixpkgs"))
		json_object_set_new(inputs, "nixpkgs", json_string(c->nixpkgs));
	if (is_wanted(names, "base"))
		json_object_set_new(inputs, "base", json_string(c->base));
	return inputs;
}

/* The lock there is, without what is to be locked anew. */
static int make_old(const struct hive *hive, const json_t *names, char **ret, struct error *err)
{
	_cleanup_free_ char *text = lock_base(hive->lock);
	_cleanup_(lock_freep) struct lock *lock = NULL;
	int r = lock_parse(text, strlen(text), &lock, err);

	for (size_t i = 0; i < ARRAY_SIZE(known) && r == 0; i++)
		if (is_wanted(names, known[i]))
			lock_remove_input(lock, known[i]);
	if (r == 0)
		*ret = lock_write(lock);
	return r;
}

int update_request_begin(struct hive *hive, const json_t *names, json_t **ret,
			 struct error *err)
{
	_cleanup_free_ char *old = NULL;
	int r = check_names(names, err);

	if (r < 0 || (r = inputs_check(hive, err)) < 0)
		return r;
	if (!hive->inputs)
		return error_set(err, EOPNOTSUPP,
				 "Nix builds nothing here yet: the first build locks nixpkgs "
				 "and base as they are then");
	if ((r = make_old(hive, names, &old, err)) < 0)
		return r;
	*ret = json_pack("{s:o,s:s,s:I}", "inputs", make_inputs(hive, names), "lock", old,
			 "timeout_s", (json_int_t)hive->config->build_timeout_s);
	return 0;
}

/* ---- proposing ---- */

/* "update nixpkgs 1111111 to 2222222, tools" */
static char *make_title(const json_t *changes)
{
	struct buf text = {};
	json_t *change;
	size_t i;

	buf_add_str(&text, "update");
	json_array_foreach (changes, i, change) {
		const char *from = json_string_value(
			json_object_get(json_object_get(change, "from"), "rev"));
		const char *to = json_string_value(
			json_object_get(json_object_get(change, "to"), "rev"));

		if (i == 4) {
			buf_addf(&text, " and %zu more", json_array_size(changes) - i);
			break;
		}
		buf_addf(&text, "%s %.40s", i ? "," : "",
			 json_string_value(json_object_get(change, "name")));
		if (from && to && oid_is_valid(from) && oid_is_valid(to))
			buf_addf(&text, " %.*s to %.*s", OID_SHORT, from, OID_SHORT, to);
	}
	if (json_array_size(changes) == 0)
		buf_add_str(&text, " where inputs come from");
	return buf_take(&text);
}

/* The commit that would be. */
static int make_commit(struct hive *hive, struct proposal *p, struct lock **lock,
		       json_t **inputs, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct lock *lock_now = hive->lock;
	json_t *inputs_now = hive->inputs;
	int r;

	hive->lock = *lock;
	hive->inputs = *inputs;
	r = meta_prepare(hive, p->title, p->commit, err);
	*lock = hive->lock;
	hive->lock = lock_now;
	hive->inputs = inputs_now;
	memcpy(p->base, hive->meta_head, sizeof(p->base));
	if (r == 0)
		r = open_meta(hive, &repo, err);
	return r < 0 ? r : repo_commit_tree(repo, p->commit, p->tree, err);
}

/* What was asked for was asked of the inputs there are. */
static int check_unmoved(const struct hive *hive, const json_t *arguments, struct error *err)
{
	_cleanup_free_ char *now = NULL;
	json_auto_t *names = json_array();
	const char *old = json_string_value(json_object_get(arguments, "lock"));
	_cleanup_(lock_freep) struct lock *lock = NULL;
	int r = lock_parse(old, strlen(old), &lock, err);

	for (size_t i = 0; i < ARRAY_SIZE(known) && r == 0; i++)
		if (!lock_has_input(lock, known[i]))
			json_array_append_new(names, json_string(known[i]));
	if (r == 0)
		r = make_old(hive, names, &now, err);
	if (r == 0 && strcmp(now, old) != 0)
		r = error_set_code(err, ESTALE, "stale",
				   "the inputs were updated meanwhile: ask again");
	return r;
}

int update_request_end(struct hive *hive, const json_t *arguments, const char *locked,
		       const char *description, const struct actor *actor,
		       struct proposal **ret, struct error *err)
{
	_cleanup_(lock_freep) struct lock *lock = NULL;
	json_t *inputs = json_object_get(arguments, "inputs"), *changes;
	struct proposal *p;
	int r;

	if ((r = check_unmoved(hive, arguments, err)) < 0 ||
	    (r = inputs_parse(locked, &lock, err)) < 0)
		return r;
	if (same_base(hive->lock, lock) && json_equal(inputs, hive->inputs))
		return 1;
	p = proposal_new(0, "");
	p->kind = PROPOSAL_UPDATE_INPUTS;
	changes = lock_changes(hive->lock, lock);
	p->title = make_title(changes);
	p->payload = json_pack("{s:o}", "inputs", changes);
	r = make_commit(hive, p, &lock, &inputs, err);
	if (r < 0) {
		proposal_free(p);
		return r;
	}
	return request_record(hive, p, description, actor, ret, err);
}
