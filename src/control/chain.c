#include "control/chain.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "git/refs.h"
#include "git/tag.h"
#include "model/entry.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	struct chain *chain;
	struct repo *repo;
	const char *agent; /* NULL: the name is in the reference */
	const char *prefix;
	struct error *err;
};

static int on_ref(const char *name, const char *oid, void *data)
{
	struct scan *s = data;
	const char *rest = name + strlen(s->prefix),
		   *slash = s->agent ? NULL : strchr(rest, '/');
	_cleanup_free_ char *ref = str_format("refs/tags/%s", slash ? slash + 1 : rest);
	struct chain_entry entry = {};
	struct tag tag;
	int r;

	if (proposal_parse_ref(ref, &entry.state, &entry.id) < 0)
		return 0;
	r = tag_read(s->repo, oid, &tag, s->err);
	if (r == -EINVAL)
		return 0; /* building/N is a plain reference */
	if (r < 0)
		return r;
	if (entry_get_int(buf_str(&tag.message), "Skep-Seq", &entry.seq) < 0)
		entry.seq = 0;
	entry.wall_s = tag.wall_s;
	memcpy(entry.oid, oid, OID_HEX_SIZE);
	memcpy(entry.target, tag.target, OID_HEX_SIZE);
	entry.message = buf_take(&tag.message);
	if (s->agent)
		snprintf(entry.agent, sizeof(entry.agent), "%s", s->agent);
	else
		snprintf(entry.agent, sizeof(entry.agent), "%.*s",
			 (int)(slash ? slash - rest : 0), rest);
	tag_release(&tag);
	s->chain->entries =
		mem_grow(s->chain->entries, s->chain->count + 1, sizeof(*s->chain->entries));
	s->chain->entries[s->chain->count++] = entry;
	return 0;
}

static int read_repo(const char *dir, const char *agent, const char *prefix,
		     struct chain *chain, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct scan scan = {.chain = chain, .agent = agent, .prefix = prefix, .err = err};
	int r = repo_open(dir, &repo, err);

	if (r < 0)
		return r;
	scan.repo = repo;
	return refs_scan(dir, prefix, on_ref, &scan, err);
}

static int read_applied(struct hive *hive, struct chain *chain, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/applied", hive->config->state_dir);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return error_set_errno(err, errno, "cannot list '%s'", path);
	while (errno = 0, (entry = readdir(dir))) {
		_cleanup_free_ char *git = NULL, *applied = NULL;
		int r;

		if (name_check(entry->d_name, NULL) < 0)
			continue;
		applied = hive_applied_dir(hive, entry->d_name);
		git = str_format("%s/.git", applied);
		if (access(git, F_OK) < 0)
			continue;
		r = read_repo(applied, entry->d_name, "refs/tags/", chain, err);
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

int chain_read(struct hive *hive, struct chain *ret, struct error *err)
{
	_cleanup_free_ char *meta = hive_meta_dir(hive);
	struct chain chain = {};
	int r = read_applied(hive, &chain, err);

	if (r == 0)
		r = read_repo(meta, NULL, "refs/skep/purged/", &chain, err);
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
