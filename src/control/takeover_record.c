/*
 * What was taken over becomes the record of this hive: tags of our form in our chain, then the
 * entries in agents.json. The repositories are made beside their places and get them under a
 * mark that says: this counts only when agents.json knows the agent.
 */
#include "control/takeover.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "control/event.h"
#include "control/meta.h"
#include "control/recover.h"
#include "git/refs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX ".import-"
#define MARK "import"

char *takeover_dir(const struct hive *hive, const char *name)
{
	return str_format("%s/applied/" PREFIX "%s", hive->config->state_dir, name);
}

static int open_applied(const struct hive *hive, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/applied", hive->config->state_dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? error_set_errno(err, errno, "cannot open '%s'", path) : fd;
}

static int remove_dir(const struct hive *hive, const char *name, struct error *err)
{
	_cleanup_close_ int applied = open_applied(hive, err);

	return applied < 0 ? applied : file_remove_tree(applied, name, err);
}

int takeover_make_repository(struct hive *hive, const char *name, struct error *err)
{
	_cleanup_free_ char *entry = str_format(PREFIX "%s", name);
	_cleanup_free_ char *dir = takeover_dir(hive, name);
	int r = remove_dir(hive, entry, err);

	return r < 0 ? r : repo_create(dir, err);
}

static void remove_one(struct takeover *t, const char *name)
{
	_cleanup_free_ char *entry = str_format(PREFIX "%s", name);
	struct error err = {};

	if (remove_dir(t->hive, entry, &err) < 0)
		log_line(LOG_WARNING, "what was begun cannot be removed: %s", error_text(&err));
}

void takeover_clear(struct takeover *t)
{
	for (size_t i = 0; i < t->n_items; i++)
		remove_one(t, t->items[i].name);
	remove_one(t, ".meta");
}

/* ---- the tags ---- */

struct writer {
	struct takeover *t;
	const struct takeover_item *item;
	struct repo *repo;
	const json_t *deployed;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool has_family(const json_t *number, const char *family)
{
	return json_holds(json_object_get(number, "families"), family);
}

static int64_t time_of(const struct hive *hive, const json_t *number, const char *key)
{
	int64_t at = json_integer_value(json_object_get(number, key));

	return at > 0 && at <= hive->wall_s() ? at : hive->wall_s();
}

static void put_flags(struct entry *entry, const json_t *flags)
{
	json_t *flag;
	size_t i;

	json_array_foreach (flags, i, flag) {
		_cleanup_free_ char *line =
			str_format("%s %s", text_of(flag, "name"), text_of(flag, "place"));

		entry_put(entry, "Skep-Flag", line);
	}
}

static int write_tag(struct writer *w, enum proposal_state family, int64_t id,
		     const char *commit, const char *tree, const char *base, const char *title,
		     const json_t *flags, const char *body, int64_t wall_s, struct error *err)
{
	_cleanup_(entry_release) struct entry entry = {};
	_cleanup_free_ char *subject =
		str_format("%s %" PRId64 ": %s %.*s", proposal_tag_family(family), id,
			   w->item->name, OID_SHORT, commit);

	entry_begin(&entry, subject, body);
	entry_put(&entry, "Skep-Commit", commit);
	entry_put(&entry, "Skep-Tree", tree);
	entry_put(&entry, "Skep-Base", base && base[0] ? base : NULL);
	entry_put(&entry, "Skep-Title", title);
	entry_put(&entry, "Skep-Actor", "hyperhive");
	entry_put(&entry, "Skep-Channel", "import");
	put_flags(&entry, flags);
	return ledger_write_to(w->t->hive, w->repo, w->item->name, family, id, commit, &entry,
			       wall_s, err);
}

/* Its commit broke a rule, so that it is not here; its number is taken all the same. */
static int write_skipped(struct writer *w, const json_t *number, struct error *err)
{
	int64_t id = json_integer_value(json_object_get(number, "id"));
	_cleanup_free_ char *key = str_format("%" PRId64, id);
	_cleanup_free_ char *note =
		str_format("commit %s (%s there) was not taken over: %s",
			   text_of(number, "skipped"), text_of(number, "state"),
			   text_of(w->item->refusals, key));
	const char *commit = text_of(w->deployed, "commit"),
		   *tree = text_of(w->deployed, "tree");
	int64_t at = w->t->hive->wall_s();
	int r = write_tag(w, PROPOSAL_REVIEW, id, commit, tree, NULL,
			  "a commit that was left out", NULL, NULL, at, err);

	return r < 0 ? r
		     : write_tag(w, PROPOSAL_CANCELLED, id, commit, tree, NULL, NULL, NULL,
				 note, at, err);
}

/* Whether one that is still to be decided has a newer one beside it. */
static bool is_superseded(const json_t *numbers, int64_t id, int64_t *ret_by)
{
	json_t *number;
	size_t i;

	*ret_by = 0;
	json_array_foreach (numbers, i, number) {
		enum proposal_state state;
		_cleanup_free_ char *ref =
			str_format("refs/tags/%s/1", text_of(number, "state"));
		int64_t other = json_integer_value(json_object_get(number, "id")), one;

		if (other > id && !json_object_get(number, "skipped") &&
		    proposal_parse_ref(ref, &state, &one) == 0 && state < PROPOSAL_CANCELLED)
			*ret_by = other;
	}
	return *ret_by > 0;
}

static int write_outcome(struct writer *w, const json_t *number, enum proposal_state state,
			 struct error *err)
{
	int64_t id = json_integer_value(json_object_get(number, "id")), by;
	const char *commit = text_of(number, "commit"), *tree = text_of(number, "tree"),
		   *base = text_of(number, "base"), *text = text_of(number, "text");
	const char *when = text[0] ? "text_at" : "at";
	_cleanup_free_ char *note = NULL;

	if (state >= PROPOSAL_CANCELLED)
		return write_tag(w, state, id, commit, tree, base, NULL, NULL, text,
				 time_of(w->t->hive, number, when), err);
	if (state > PROPOSAL_REVIEW)
		takeover_warn(w->item->warnings,
			      "proposal %" PRId64
			      " was approved there but never deployed: it is "
			      "to be approved again",
			      id);
	if (!is_superseded(json_object_get(w->item->found, "numbers"), id, &by))
		return 0;
	note = str_format("proposal %" PRId64 " replaces it", by);
	return write_tag(w, PROPOSAL_SUPERSEDED, id, commit, tree, base, NULL, NULL, note,
			 w->t->hive->wall_s(), err);
}

static int write_number(struct writer *w, const json_t *number, struct error *err)
{
	_cleanup_free_ char *ref = str_format("refs/tags/%s/1", text_of(number, "state"));
	const char *commit = text_of(number, "commit"), *tree = text_of(number, "tree"),
		   *base = text_of(number, "base");
	int64_t id = json_integer_value(json_object_get(number, "id")), one;
	int64_t at = w->t->hive->wall_s();
	_cleanup_free_ char *building = str_format("refs/tags/building/%" PRId64, id);
	enum proposal_state state = PROPOSAL_REVIEW;
	int r;

	if (json_object_get(number, "skipped"))
		return write_skipped(w, number, err);
	r = proposal_parse_ref(ref, &state, &one);
	if (r < 0)
		return error_set(err, EIO, "the worker makes no sense");
	/* what is undecided waits from now on, and expires when nobody decides here */
	if (state >= PROPOSAL_CANCELLED)
		at = time_of(w->t->hive, number, "at");
	r = write_tag(w, PROPOSAL_REVIEW, id, commit, tree, base, text_of(number, "title"),
		      json_object_get(number, "flags"), NULL, at, err);
	if (r == 0 && state >= PROPOSAL_CANCELLED && has_family(number, "approved"))
		r = write_tag(w, PROPOSAL_APPROVED, id, commit, tree, base, NULL, NULL, NULL,
			      at, err);
	if (r == 0 && state >= PROPOSAL_CANCELLED && has_family(number, "building"))
		r = refs_create(w->repo, building, commit, err);
	return r < 0 ? r : write_outcome(w, number, state, err);
}

static int write_item(struct takeover *t, const struct takeover_item *item, struct error *err)
{
	_cleanup_free_ char *dir = takeover_dir(t->hive, item->name);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct writer w = {.t = t,
			   .item = item,
			   .deployed = json_object_get(item->found, "deployed")};
	json_t *first = json_object_get(item->found, "first"), *number;
	size_t i;
	int r = repo_open(dir, &repo, err);

	w.repo = repo;
	if (r == 0 && first)
		r = write_tag(&w, PROPOSAL_DEPLOYED, 0, text_of(first, "commit"),
			      text_of(first, "tree"), NULL, NULL, NULL, NULL, t->hive->wall_s(),
			      err);
	json_array_foreach (json_object_get(item->found, "numbers"), i, number)
		if (r == 0)
			r = write_number(&w, number, err);
	if (r == 0)
		r = refs_create(repo, "refs/heads/main", text_of(w.deployed, "commit"), err);
	return r < 0 ? r : refs_pack(repo, err);
}

/* ---- the places ---- */

static int mark(int applied, const char *entry, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/.git/" MARK, entry);
	_cleanup_close_ int fd =
		openat(applied, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);

	return fd < 0 ? error_set_errno(err, errno, "cannot make '%s'", path) : 0;
}

static void unmark(int applied, const char *entry)
{
	_cleanup_free_ char *path = str_format("%s/.git/" MARK, entry);

	(void)unlinkat(applied, path, 0);
}

static int move(int applied, const char *from, const char *to, struct error *err)
{
	if (renameat2(applied, from, applied, to, RENAME_NOREPLACE) < 0)
		return error_set_errno(err, errno, "cannot call '%s' '%s'", from, to);
	return 0;
}

static int enter(struct takeover *t, int applied, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < t->n_items && r == 0; i++) {
		_cleanup_free_ char *entry = str_format(PREFIX "%s", t->items[i].name);

		r = mark(applied, entry, err);
	}
	if (r == 0 && syncfs(applied) < 0)
		r = error_set_errno(err, errno, "cannot sync the repositories");
	for (size_t i = 0; i < t->n_items && r == 0; i++) {
		_cleanup_free_ char *entry = str_format(PREFIX "%s", t->items[i].name);

		r = move(applied, entry, t->items[i].name, err);
		t->items[i].entered = r == 0;
	}
	if (r == 0 && fsync(applied) < 0)
		r = error_set_errno(err, errno, "cannot sync the repositories");
	if (r == 0)
		crash_point("takeover-entered");
	return r;
}

static char *message_of(const struct takeover *t)
{
	struct buf names = {};

	buf_add_str(&names, "take over from hyperhive:");
	for (size_t i = 0; i < t->n_items && i < 20; i++)
		buf_addf(&names, " %s", t->items[i].name);
	if (t->n_items > 20)
		buf_addf(&names, " and %zu more", t->n_items - 20);
	return buf_take(&names);
}

static int write_entries(struct takeover *t, struct error *err)
{
	_cleanup_free_ char *message = message_of(t);
	int r;

	for (size_t i = 0; i < t->n_items; i++) {
		const json_t *deployed = json_object_get(t->items[i].found, "deployed");
		struct settings *s = &t->items[i].agent->settings;

		s->deployed = json_integer_value(json_object_get(deployed, "id"));
		snprintf(s->revision, sizeof(s->revision), "%s", text_of(deployed, "commit"));
		t->items[i].agent->unborn = false;
	}
	r = meta_commit(t->hive, message, err);
	for (size_t i = 0; i < t->n_items && r < 0; i++)
		t->items[i].agent->unborn = true;
	return r;
}

static void take_back(struct takeover *t, int applied)
{
	for (size_t i = 0; i < t->n_items; i++) {
		_cleanup_free_ char *entry = str_format(PREFIX "%s", t->items[i].name);

		if (t->items[i].entered)
			(void)move(applied, t->items[i].name, entry, NULL);
		t->items[i].entered = false;
	}
}

static void take_in(struct takeover *t, int applied)
{
	struct error err = {};

	for (size_t i = 0; i < t->n_items; i++) {
		const char *name = t->items[i].name;

		unmark(applied, name);
		if (recover_scan(t->hive, name, &err) < 0)
			log_line(LOG_ERR, "what was taken over cannot be read: %s",
				 error_text(&err));
	}
	hive_proposals_decided(t->hive);
	for (size_t i = 0; i < t->n_items; i++)
		event_agent(t->hive, t->items[i].agent);
}

int takeover_record(struct takeover *t, struct error *err)
{
	_cleanup_close_ int applied = open_applied(t->hive, err);
	struct hive *hive = t->hive;
	int64_t seq = hive->chain_seq;
	char head[OID_HEX_SIZE];
	int r = applied < 0 ? applied : 0;

	memcpy(head, hive->chain_head, sizeof(head));
	git_hold_sync(true);
	for (size_t i = 0; i < t->n_items && r == 0; i++)
		r = write_item(t, &t->items[i], err);
	git_hold_sync(false);
	if (r == 0)
		r = enter(t, applied, err);
	if (r == 0)
		r = write_entries(t, err);
	if (r < 0) {
		take_back(t, applied);
		hive->chain_seq = seq;
		memcpy(hive->chain_head, head, sizeof(head));
		return r;
	}
	t->recorded = true;
	crash_point("takeover-recorded");
	take_in(t, applied);
	return 0;
}

/* ---- after a crash ---- */

static int repair_one(struct hive *hive, int applied, const char *name, struct error *err)
{
	_cleanup_free_ char *parent = str_format("%s/applied", hive->config->state_dir);
	_cleanup_free_ char *path = str_format("%s/.git/" MARK, name);

	if (strncmp(name, PREFIX, strlen(PREFIX)) == 0)
		return file_remove_tree(applied, name, err);
	if (name_check(name, NULL) < 0 ||
	    faccessat(applied, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!hive_find(hive, name))
		return repo_remove(parent, name, err);
	unmark(applied, name);
	return 0;
}

int takeover_repair(struct hive *hive, struct error *err)
{
	_cleanup_close_ int applied = open_applied(hive, err);
	int list_fd =
		applied < 0 ? -1 : openat(applied, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;

	if (applied < 0)
		return applied;
	if (!dir)
		return error_set_errno(err, errno, "cannot list the repositories");
	while (errno = 0, (entry = readdir(dir))) {
		int r = repair_one(hive, applied, entry->d_name, err);

		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(err, errno, "cannot list the repositories") : 0;
}
