/* Commits: their headers, their times, how many there are. */
#include "corpus/corpus.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define WHO " A <a@b> 1757000000 +0000\n"
#define AUTHOR "author" WHO
#define COMMITTER "committer" WHO

static void put_plain_tree(const struct raw_repo *repo, char ret[OID_HEX_SIZE])
{
	_cleanup_buf_ struct buf tree = {};
	char blob[OID_HEX_SIZE];

	raw_put_text(repo, "content", blob);
	raw_add_entry(&tree, "100644", "a", 0, blob);
	raw_put_tree(repo, &tree, ret);
}

/* arg follows the tree line; in it \001 becomes NUL and \002 the tree line once more. */
static void make_text(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf text = {};
	char tree[OID_HEX_SIZE];

	raw_init(repo);
	put_plain_tree(repo, tree);
	buf_addf(&text, "tree %s\n", tree);
	for (const char *p = arg; *p; p++) {
		if (*p == '\002')
			buf_addf(&text, "tree %s\n", tree);
		else
			buf_add_char(&text, *p == '\001' ? '\0' : *p);
	}
	raw_put(repo, GIT_OBJECT_COMMIT, text.data, text.size, repo->tip);
}

static void make_parents(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf text = {};
	char tree[OID_HEX_SIZE], parent[OID_HEX_SIZE];

	raw_init(repo);
	put_plain_tree(repo, tree);
	buf_addf(&text, "tree %s\n", tree);
	for (unsigned i = 0; i < *(const unsigned *)arg; i++) {
		_cleanup_free_ char *root =
			str_format("tree %s\n" AUTHOR COMMITTER "\n%u\n", tree, i);

		raw_put(repo, GIT_OBJECT_COMMIT, root, strlen(root), parent);
		buf_addf(&text, "parent %s\n", parent);
	}
	buf_add_str(&text, AUTHOR COMMITTER "\nmerge\n");
	raw_put(repo, GIT_OBJECT_COMMIT, text.data, text.size, repo->tip);
}

static void make_huge(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf text = {};
	char tree[OID_HEX_SIZE];

	raw_init(repo);
	put_plain_tree(repo, tree);
	buf_addf(&text, "tree %s\n" AUTHOR COMMITTER "\n", tree);
	while (text.size < *(const size_t *)arg)
		buf_add_char(&text, 'm');
	raw_put(repo, GIT_OBJECT_COMMIT, text.data, text.size, repo->tip);
}

static void make_history(struct raw_repo *repo, const void *arg)
{
	char tree[OID_HEX_SIZE];

	raw_init(repo);
	raw_begin(repo);
	put_plain_tree(repo, tree);
	raw_put_commit(repo, tree, NULL, repo->tip);
	for (unsigned i = 1; i < *(const unsigned *)arg; i++)
		raw_put_commit(repo, tree, repo->tip, repo->tip);
	raw_end(repo);
}

static void make_tag(struct raw_repo *repo, const void *arg)
{
	_cleanup_free_ char *text = NULL;
	char tree[OID_HEX_SIZE], commit[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	put_plain_tree(repo, tree);
	raw_put_commit(repo, tree, NULL, commit);
	text = str_format("object %s\ntype commit\ntag v1\ntagger" WHO "\nv1\n", commit);
	raw_put(repo, GIT_OBJECT_TAG, text, strlen(text), repo->tip);
}

static void make_tree_as_tip(struct raw_repo *repo, const void *arg)
{
	(void)arg;
	raw_init(repo);
	put_plain_tree(repo, repo->tip);
}

static void make_commit_as_tree(struct raw_repo *repo, const void *arg)
{
	char tree[OID_HEX_SIZE], commit[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	put_plain_tree(repo, tree);
	raw_put_commit(repo, tree, NULL, commit);
	raw_put_commit(repo, commit, NULL, repo->tip);
}

static void make_tree_as_parent(struct raw_repo *repo, const void *arg)
{
	char tree[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	put_plain_tree(repo, tree);
	raw_put_commit(repo, tree, tree, repo->tip);
}

#define TEXT(t) .make = make_text, .arg = t
#define PARENTS(n)                                     \
	.make = make_parents, .arg = &(const unsigned) \
	{                                              \
		n                                      \
	}
#define HISTORY(n)                                     \
	.make = make_history, .arg = &(const unsigned) \
	{                                              \
		n                                      \
	}
#define HUGE_TEXT(n)                              \
	.make = make_huge, .arg = &(const size_t) \
	{                                         \
		n                                 \
	}

static const struct corpus_case cases[] = {
	TAKE("plain commit", TEXT(AUTHOR COMMITTER "\nmessage\n")),
	TAKE("signed commit", TEXT(AUTHOR COMMITTER "gpgsig x\n y\n z\n\nm\n")),
	TAKE("encoding UTF-8", TEXT(AUTHOR COMMITTER "encoding UTF-8\n\nm\n")),
	TAKE("escapes in the message", TEXT(AUTHOR COMMITTER "\n\x1b[31m\xe2\x80\xae\n"),
	     .flags = "invisible-characters"),
	REFUSE("encoding UTF-7", EINVAL, "not in UTF-8",
	       TEXT(AUTHOR COMMITTER "encoding UTF-7\n\nm\n")),
	REFUSE("unknown header", EINVAL, "header that is not known",
	       TEXT(AUTHOR COMMITTER "x y\n\nm\n")),
	REFUSE("NUL in the message", EINVAL, "contains a NUL",
	       TEXT(AUTHOR COMMITTER "\na\001b\n")),
	REFUSE("NUL in a header", EINVAL, "contains a NUL",
	       TEXT("author A\001 <a@b> 1 +0000\n" COMMITTER "\nm\n")),
	REFUSE("no author", EINVAL, "has no author", TEXT(COMMITTER "\nm\n")),
	REFUSE("no committer", EINVAL, "has no committer", TEXT(AUTHOR "\nm\n")),
	REFUSE("two authors", EINVAL, "has no committer",
	       TEXT(AUTHOR AUTHOR COMMITTER "\nm\n")),
	REFUSE("two trees", EINVAL, "has no author", TEXT("\002" AUTHOR COMMITTER "\nm\n")),
	REFUSE("time before 1970", EINVAL, "malformed author",
	       TEXT("author A <a@b> -1 +0000\n" COMMITTER "\n")),
	REFUSE("time beyond 64 bits", EINVAL, "malformed committer",
	       TEXT(AUTHOR "committer A <a@b> 99999999999999999999 +0000\n\n")),
	TAKE("time in the year 9999", TEXT(AUTHOR "committer A <a@b> 253402300799 +0000\n\n")),
	REFUSE("headers without end", EINVAL, "ends within", TEXT(AUTHOR COMMITTER)),
	TAKE("16 parents", PARENTS(16)),
	REFUSE("17 parents", E2BIG, "more than 16 parents", PARENTS(17)),
	TAKE("message of almost 1 MiB", HUGE_TEXT(1048576)),
	REFUSE("message of more than 1 MiB", E2BIG, "is too large: 1048576 bytes",
	       HUGE_TEXT(1048577)),
	TAKE("10000 commits", HISTORY(10000)),
	REFUSE("100000 commits", E2BIG, "is one too many: 10000 new commits", HISTORY(100000)),
	REFUSE("tag for a commit", EINVAL, "object of another type", .make = make_tag),
	REFUSE("tree for a commit", EINVAL, "object of another type", .make = make_tree_as_tip),
	REFUSE("commit for a tree", EINVAL, "object of another type",
	       .make = make_commit_as_tree),
	REFUSE("tree for a parent", EINVAL, "another type too", .make = make_tree_as_parent),
};

const struct corpus_list corpus_commits = {cases, ARRAY_SIZE(cases)};
