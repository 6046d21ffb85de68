#include "git/takeover.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "git/commit.h"
#include "git/commitcheck.h"
#include "git/risk.h"
#include "git/tag.h"
#include "git/takeover_source.h"
#include "model/entry.h"
#include "model/proposal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 5000
#define NUMBER_MAX 1000000000
#define TAGS_DEEP 4 /* tags of tags of tags */
#define TAG_MAX_BYTES (2u << 20)
#define TITLE_MAX_BYTES 1024
#define NORMAL_MESSAGE "flake.nix: nothing but the module\n"

struct number {
	int64_t id;
	bool has[PROPOSAL_STATE_COUNT];
	enum proposal_state state; /* the strongest */
	char commit[OID_HEX_SIZE]; /* of that one */
	char *text;                /* of a tag that has some, with its time */
	int64_t text_at;
	char tree[OID_HEX_SIZE], base[OID_HEX_SIZE];
	bool skipped;
};

struct takeover {
	struct repo *applied;
	const struct takeover_order *order;
	struct takeover_source source;
	struct number *numbers;
	size_t count;
	struct number *deployed; /* the highest; NULL: none */
	json_t *result, *warnings;
	int reader_fd;
};

static void takeover_release(struct takeover *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->numbers[i].text);
	free(t->numbers);
	takeover_source_release(&t->source);
	json_decref(t->warnings);
}

static void warn(struct takeover *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void warn(struct takeover *t, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(t->warnings, json_string(text));
}

/* ---- the tags ---- */

static struct number *find_number(struct takeover *t, int64_t id)
{
	for (size_t i = t->count; i > 0; i--)
		if (t->numbers[i - 1].id == id)
			return &t->numbers[i - 1];
	t->numbers = mem_grow(t->numbers, t->count + 1, sizeof(*t->numbers));
	t->numbers[t->count] = (struct number){.id = id};
	return &t->numbers[t->count++];
}

/* Where a tag leads to in the end, and what it says if it is one that says something. */
static int follow(struct takeover *t, const char *oid, char commit[OID_HEX_SIZE],
		  char **ret_text, int64_t *ret_at, struct error *err)
{
	char at[OID_HEX_SIZE];

	memcpy(at, oid, sizeof(at));
	for (unsigned i = 0; i < TAGS_DEEP; i++) {
		_cleanup_buf_ struct buf data = {};
		git_object_t type;
		struct tag tag;
		int r = takeover_source_read(&t->source, at, TAG_MAX_BYTES, &type, &data, err);

		if (r < 0)
			return r;
		if (type == GIT_OBJECT_COMMIT) {
			memcpy(commit, at, sizeof(at));
			return 0;
		}
		if (type != GIT_OBJECT_TAG)
			return error_set(err, EINVAL, "it is the tag of no commit");
		r = tag_parse(buf_str(&data), data.size, &tag, err);
		if (r < 0)
			return r;
		memcpy(at, tag.target, sizeof(at));
		if (!*ret_text) {
			*ret_text =
				text_clean_dup(buf_str(&tag.message), 2 * ENTRY_BODY_MAX, true);
			*ret_at = tag.wall_s;
		}
		tag_release(&tag);
	}
	return error_set(err, EINVAL, "it is a tag of tags");
}

static int take_tag(struct takeover *t, const struct takeover_source_ref *ref,
		    struct error *err)
{
	_cleanup_free_ char *text = NULL;
	char commit[OID_HEX_SIZE];
	enum proposal_state state;
	struct number *n;
	int64_t id, at = 0;
	int r;

	if (proposal_parse_ref(ref->name, &state, &id) < 0)
		return 0;
	if (id > NUMBER_MAX || (id == 0 && state != PROPOSAL_DEPLOYED)) {
		warn(t, "%s is no number that can be given: it is left out", ref->name);
		return 0;
	}
	if (t->count >= NUMBERS_MAX)
		return error_set(err, E2BIG, "there are more than %d proposals", NUMBERS_MAX);
	r = follow(t, ref->oid, commit, &text, &at, err);
	if (r < 0)
		return error_prefix(err, "%s", ref->name);
	n = find_number(t, id);
	if (n->commit[0] && strcmp(n->commit, commit) != 0)
		warn(t,
		     "the tags of number %" PRId64
		     " name more than one commit: that of %s counts",
		     id, proposal_tag_family(state > n->state ? state : n->state));
	n->has[state] = true;
	if (!n->commit[0] || state > n->state) {
		memcpy(n->commit, commit, sizeof(commit));
		n->state = state;
		free(n->text);
		n->text = TAKE_PTR(text);
		n->text_at = at;
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct number *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int take_tags(struct takeover *t, struct error *err)
{
	const char *last = "";

	for (size_t i = 0; i < t->source.n_refs; i++) {
		int r = take_tag(t, &t->source.refs[i], err);

		if (r < 0)
			return r;
	}
	if (t->count > 1)
		qsort(t->numbers, t->count, sizeof(*t->numbers), by_id);
	for (size_t i = 0; i < t->count; i++) {
		struct number *n = &t->numbers[i];
		_cleanup_free_ char *word = str_format(" %" PRId64 " ", n->id);

		memcpy(n->base, last, strlen(last) + 1);
		n->skipped = strstr(t->order->skip, word) != NULL;
		if (n->has[PROPOSAL_DEPLOYED])
			t->deployed = n;
		if (n->has[PROPOSAL_DEPLOYED] && !n->skipped)
			last = n->commit;
	}
	return 0;
}

/* ---- the commits ---- */

static int import(struct takeover *t, const char *commit, char tree[OID_HEX_SIZE],
		  struct error *err)
{
	struct import_result result;
	int r = import_commit(t->applied, t->reader_fd, commit, t->order->limits, &result, err);

	if (r == 0)
		memcpy(tree, result.tree, OID_HEX_SIZE);
	return r;
}

/* One that does not matter any more may be left out, but whoever asks must know. */
static int refuse(struct takeover *t, const struct number *n, const struct error *why)
{
	json_object_clear(t->result);
	json_object_set_new(t->result, "ok", json_true());
	json_object_set_new(t->result, "refused",
			    json_pack("{s:I,s:s}", "id", (json_int_t)n->id, "error",
				      error_text(why)));
	return 1;
}

/* 1: one was refused. */
static int import_all(struct takeover *t, struct error *err)
{
	if (t->deployed) {
		int r = import(t, t->deployed->commit, t->deployed->tree, err);

		if (r < 0)
			return error_prefix(err, "deployed/%" PRId64, t->deployed->id);
	}
	for (size_t i = 0; i < t->count; i++) {
		struct number *n = &t->numbers[i];
		struct error why = {};
		int r = n->skipped || n == t->deployed ? 0
						       : import(t, n->commit, n->tree, &why);

		if (r == -EINVAL || r == -E2BIG || r == -ENOENT || r == -EPIPE)
			return refuse(t, n, &why);
		if (r < 0) {
			*err = why;
			return error_prefix(err, "number %" PRId64, n->id);
		}
	}
	return 0;
}

/* ---- what is deployed ---- */

static int has_file(struct takeover *t, const char *commit, const char *path, bool *ret,
		    struct error *err)
{
	_cleanup_buf_ struct buf data = {};
	int r = commit_read_file(t->applied, commit, path, IMPORT_MAX_BLOB_BYTES, &data, err);

	*ret = r == 0;
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

/* Of the time before the meta flake: each repository was a flake of a whole system. */
static int make_first(struct takeover *t, char commit[OID_HEX_SIZE], char tree[OID_HEX_SIZE],
		      struct error *err)
{
	const struct commit_file file = {.path = "flake.nix",
					 .data = t->order->flake,
					 .size = strlen(t->order->flake)};
	_cleanup_buf_ struct buf now = {};
	char main[OID_HEX_SIZE];
	int r;

	if ((r = takeover_source_main(&t->source, main, err)) < 0 ||
	    (r = import(t, main, tree, err)) < 0)
		return error_prefix(err, "main");
	memcpy(commit, main, sizeof(main));
	r = commit_read_file(t->applied, main, "flake.nix", TAG_MAX_BYTES, &now, err);
	if (r == 0 && strcmp(buf_str(&now), t->order->flake) == 0)
		return 0;
	if (r < 0 && r != -ENOENT)
		return r;
	r = commit_files(t->applied, main, &file, 1, NORMAL_MESSAGE, t->order->wall_s, commit,
			 err);
	return r < 0 ? r : repo_commit_tree(t->applied, commit, tree, err);
}

static int settle_deployed(struct takeover *t, struct error *err)
{
	char commit[OID_HEX_SIZE], tree[OID_HEX_SIZE], main[OID_HEX_SIZE];
	int64_t id = t->deployed ? t->deployed->id : 0;
	bool has_module = false;
	int r = 0;

	if (t->deployed) {
		memcpy(commit, t->deployed->commit, sizeof(commit));
		memcpy(tree, t->deployed->tree, sizeof(tree));
		if (takeover_source_main(&t->source, main, NULL) < 0)
			warn(t, "it has no main; deployed/%" PRId64 " counts", id);
		else if (strcmp(main, commit) != 0)
			warn(t,
			     "main is at %.*s, which was never recorded as deployed; "
			     "deployed/%" PRId64 " (%.*s) counts",
			     OID_SHORT, main, id, OID_SHORT, commit);
	} else {
		r = make_first(t, commit, tree, err);
	}
	if (r == 0)
		r = has_file(t, commit, "agent.nix", &has_module, err);
	if (r < 0)
		return r;
	if (!has_module)
		warn(t, "what is deployed has no agent.nix: it cannot be built");
	if (t->source.broken)
		warn(t, "not every reference can be read: %s", t->source.broken);
	json_put_str(t->result, "layout", t->deployed ? "today" : "old");
	json_object_set_new(t->result, "deployed",
			    json_pack("{s:I,s:s,s:s}", "id", (json_int_t)id, "commit", commit,
				      "tree", tree));
	if (t->count > 0 && t->numbers[0].id == 0 && t->deployed) {
		memcpy(commit, t->numbers[0].commit, sizeof(commit));
		memcpy(tree, t->numbers[0].tree, sizeof(tree));
	} else if (t->deployed) {
		return 0;
	}
	json_object_set_new(t->result, "first",
			    json_pack("{s:s,s:s}", "commit", commit, "tree", tree));
	return 0;
}

/* ---- the answer ---- */

static int take_time(const char *oid, int64_t wall_s, const char *message, void *data)
{
	(void)oid;
	(void)message;
	*(int64_t *)data = wall_s;
	return 1;
}

static json_t *families_of(const struct number *n)
{
	json_t *list = json_array();

	for (int state = 0; state < PROPOSAL_STATE_COUNT; state++)
		if (n->has[state])
			json_array_append_new(list, json_string(proposal_tag_family(
							    (enum proposal_state)state)));
	return list;
}

/* Only what is still to be decided is looked through for what to be careful about. */
static int put_flags(struct takeover *t, const struct number *n, const char *base,
		     json_t *object, struct error *err)
{
	struct flags flags = {};
	int r = risk_scan(t->applied, base, n->commit, t->order->current, &flags, err);

	if (r == 0)
		json_object_set_new(object, "flags", flags_to_json(&flags));
	flags_release(&flags);
	return r;
}

static int put_number(struct takeover *t, struct number *n, struct error *err)
{
	json_t *object = json_pack("{s:I,s:s,s:o}", "id", (json_int_t)n->id, "state",
				   proposal_tag_family(n->state), "families", families_of(n));
	const char *deployed = json_string_value(
		json_object_get(json_object_get(t->result, "deployed"), "commit"));
	_cleanup_free_ char *title = NULL, *author = NULL, *shown = NULL;
	int64_t at = 0;
	int r;

	json_array_append_new(json_object_get(t->result, "numbers"), object);
	json_put_str(object, "text", n->text);
	if (n->text)
		json_object_set_new(object, "text_at", json_integer(n->text_at));
	if (n->skipped) {
		json_put_str(object, "skipped", n->commit);
		return 0;
	}
	if ((r = repo_commit_summary(t->applied, n->commit, &title, &author, err)) < 0 ||
	    (r = commit_log(t->applied, n->commit, 1, take_time, &at, err)) < 0)
		return r;
	json_put_str(object, "commit", n->commit);
	json_put_str(object, "tree", n->tree);
	json_put_str(object, "base", n->state < PROPOSAL_CANCELLED ? deployed : n->base);
	shown = text_clean_dup(title, TITLE_MAX_BYTES, false);
	json_put_str(object, "title", shown);
	json_object_set_new(object, "at", json_integer(at));
	return n->state < PROPOSAL_CANCELLED ? put_flags(t, n, deployed, object, err) : 0;
}

int takeover_read(struct repo *applied, int reader_fd, const struct takeover_order *order,
		  json_t *result, struct error *err)
{
	_cleanup_(takeover_release) struct takeover t = {
		.applied = applied,
		.order = order,
		.result = result,
		.warnings = json_array(),
		.reader_fd = reader_fd,
	};
	int r = takeover_source_open(&t.source, reader_fd,
				     clock_boot_ms() + order->limits->deadline_ms, err);

	if (r == 0)
		r = take_tags(&t, err);
	if (r == 0)
		r = import_all(&t, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = settle_deployed(&t, err);
	json_object_set_new(result, "numbers", json_array());
	for (size_t i = 0; i < t.count && r == 0; i++)
		r = t.numbers[i].id > 0 ? put_number(&t, &t.numbers[i], err) : 0;
	json_object_set(result, "warnings", t.warnings);
	return r;
}

/* ---- the rest ---- */

static int tree_of(struct takeover_source *source, const char *commit, char ret[OID_HEX_SIZE],
		   struct error *err)
{
	_cleanup_buf_ struct buf data = {};
	struct commit_ids ids;
	git_object_t type;
	git_oid id;
	int r = takeover_source_read(source, commit, TAG_MAX_BYTES, &type, &data, err);

	if (r == 0 && type != GIT_OBJECT_COMMIT)
		r = error_set(err, EINVAL, "%s is no commit", commit);
	if (r == 0)
		r = commitcheck(commit, buf_str(&data), data.size, COMMIT_MAX_PARENTS, &ids,
				err);
	if (r < 0)
		return r;
	memcpy(id.id, ids.tree, sizeof(id.id));
	oid_from_git(ret, &id);
	return 0;
}

static void look_at_work(struct takeover_source *source, const char *head, json_t *result)
{
	char tree[OID_HEX_SIZE], work[OID_HEX_SIZE];
	struct reader_answer answer;
	git_oid id;

	if (tree_of(source, head, tree, NULL) < 0)
		return;
	reader_client_ask_work(&source->reader);
	if (reader_client_next(&source->reader, &answer, NULL) < 0 ||
	    answer.status != READER_OK || answer.size != sizeof(id.id) ||
	    reader_client_fetch(&source->reader, id.id, sizeof(id.id), NULL) < 0)
		return;
	oid_from_git(work, &id);
	json_object_set_new(result, "clean", json_boolean(strcmp(tree, work) == 0));
}

int takeover_look(int reader_fd, int64_t deadline_ms, json_t *result, struct error *err)
{
	_cleanup_(takeover_source_release) struct takeover_source source = {};
	const char *branch = NULL, *head;
	int r = takeover_source_open(&source, reader_fd, clock_boot_ms() + deadline_ms, err);

	if (r < 0)
		return r;
	if (source.head && strncmp(source.head, "ref: ", 5) == 0)
		branch = source.head + 5;
	head = branch ? takeover_source_find(&source, branch) : source.head;
	if (branch) {
		_cleanup_free_ char *shown = text_clean_dup(branch, 100, false);

		json_put_str(result, "branch", shown);
	}
	if (!head || !oid_is_valid(head))
		return 0;
	json_put_str(result, "head", head);
	look_at_work(&source, head, result);
	return 0;
}

int takeover_file(struct repo *scratch, int reader_fd, const char *path, size_t max,
		  const struct import_limits *limits, struct buf *ret, struct error *err)
{
	_cleanup_(takeover_source_release) struct takeover_source source = {};
	struct import_result imported;
	char main[OID_HEX_SIZE];
	int r = takeover_source_open(&source, reader_fd, clock_boot_ms() + limits->deadline_ms,
				     err);

	if (r == 0)
		r = takeover_source_main(&source, main, err);
	if (r == 0)
		r = import_commit(scratch, reader_fd, main, limits, &imported, err);
	return r < 0 ? r : commit_read_file(scratch, imported.commit, path, max, ret, err);
}
