#include "control/chain.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "git/refs.h"
#include "git/tagfile.h"
#include "model/entry.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	struct chain *chain;
	struct tagbook *book; /* NULL: none */
	struct repo *repo;
	const char *agent; /* NULL: in meta, where each tag says whose it is */
	struct error *err;
};

static void add(struct chain *chain, const char *agent, const char *ref, const char *oid,
		const struct tag *tag)
{
	struct chain_entry entry = {.wall_s = tag->wall_s};
	_cleanup_free_ char *claimed = entry_get(buf_str(&tag->message), "Skep-Agent", 0);

	if (proposal_parse_ref(ref, &entry.state, &entry.id) < 0)
		return;
	if (entry_get_int(buf_str(&tag->message), "Skep-Seq", &entry.seq) < 0)
		entry.seq = 0;
	memcpy(entry.oid, oid, OID_HEX_SIZE);
	memcpy(entry.target, tag->target, OID_HEX_SIZE);
	snprintf(entry.agent, sizeof(entry.agent), "%s",
		 agent     ? agent
		 : claimed ? claimed
			   : "");
	entry.message = str_dup(buf_str(&tag->message));
	entry.is_named_so = strcmp(tag->name, ref + strlen("refs/tags/")) == 0;
	chain->entries = mem_grow(chain->entries, chain->count + 1, sizeof(*chain->entries));
	chain->entries[chain->count++] = entry;
}

static int read_tag(const struct scan *s, const char *oid, struct tag *ret)
{
	if (!s->book)
		return tag_read(s->repo, oid, ret, s->err);
	return tagbook_get(s->book, oid, ret) == 1
		       ? 0
		       : tagbook_read(s->book, s->repo, oid, ret, s->err);
}

static int on_ref(const char *name, const char *oid, void *data)
{
	struct scan *s = data;
	enum proposal_state state;
	struct tag tag;
	int64_t id;
	int r;

	if (proposal_parse_ref(name, &state, &id) == 0 && state == PROPOSAL_BUILDING)
		return 0; /* a plain reference */
	r = read_tag(s, oid, &tag);
	if (r == -EINVAL)
		return 0;
	if (r < 0)
		return r;
	add(s->chain, s->agent, name, oid, &tag);
	tag_release(&tag);
	return 0;
}

static int read_repo(const char *dir, const char *agent, struct tagbook *book,
		     struct chain *chain, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct scan scan = {.chain = chain, .book = book, .agent = agent, .err = err};
	int r = repo_open(dir, &repo, err);

	if (r < 0)
		return r;
	scan.repo = repo;
	return refs_scan(dir, "refs/tags/", on_ref, &scan, err);
}

static int on_kept_tag(const char *name, const char *oid, const struct tag *tag, void *data)
{
	struct scan *s = data;

	add(s->chain, s->agent, name, oid, tag);
	return 0;
}

static int on_purged(const char *name, const char *oid, void *data)
{
	struct scan *s = data;

	(void)oid;
	s->agent = name + strlen("refs/skep/purged/");
	return tagfile_each(s->repo, name, on_kept_tag, s, s->err);
}

static int read_requests(struct hive *hive, struct tagbook *book, struct chain *chain,
			 struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);

	return read_repo(dir, NULL, book, chain, err);
}

static int read_purged(struct hive *hive, struct chain *chain, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct scan scan = {.chain = chain, .err = err};
	int r = repo_open(dir, &repo, err);

	if (r < 0)
		return r;
	scan.repo = repo;
	return refs_scan(dir, "refs/skep/purged/", on_purged, &scan, err);
}

static int read_applied(struct hive *hive, struct tagbook *book, struct chain *chain,
			struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/applied", hive->config->state_dir);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return error_set_errno(err, errno, "cannot list '%s'", path);
	while (errno = 0, (entry = readdir(dir))) {
		_cleanup_free_ char *git = NULL, *applied = NULL;
		int r;

		/* a link is another name for one of them (control/rename_nix.h) */
		if (name_check(entry->d_name, NULL) < 0 || entry->d_type == DT_LNK)
			continue;
		applied = hive_applied_dir(hive, entry->d_name);
		git = str_format("%s/.git", applied);
		if (access(git, F_OK) < 0)
			continue;
		r = read_repo(applied, entry->d_name, book, chain, err);
		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(err, errno, "cannot list '%s'", path) : 0;
}

static int by_seq(const void *a, const void *b)
{
	const struct chain_entry *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* A purge that was cut short leaves the same tag in both places: it counts once. */
static void drop_copies(struct chain *chain)
{
	size_t n = 0;

	for (size_t i = 0; i < chain->count; i++) {
		struct chain_entry *e = &chain->entries[i];

		if (n > 0 && strcmp(chain->entries[n - 1].oid, e->oid) == 0)
			free(e->message);
		else
			chain->entries[n++] = *e;
	}
	chain->count = n;
}

int chain_read(struct hive *hive, struct tagbook *book, struct chain *ret, struct error *err)
{
	struct chain chain = {};
	int r = read_applied(hive, book, &chain, err);

	if (r == 0)
		r = read_requests(hive, book, &chain, err);
	if (r == 0)
		r = read_purged(hive, &chain, err);
	if (r < 0) {
		chain_release(&chain);
		return r;
	}
	if (chain.count)
		qsort(chain.entries, chain.count, sizeof(*chain.entries), by_seq);
	drop_copies(&chain);
	*ret = chain;
	return 0;
}

void chain_release(struct chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		free(chain->entries[i].message);
	free(chain->entries);
	*chain = (struct chain){};
}
