/* Trees that are wrong as a whole: twins, depth, size, what they unfold to. */
#include "corpus/corpus.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static void make_spread_twins(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf sub = {}, tree = {};
	char blob[OID_HEX_SIZE], dir[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	raw_put_text(repo, "content", blob);
	raw_add_entry(&sub, "100644", "f", 0, blob);
	raw_put_tree(repo, &sub, dir);
	raw_add_entry(&tree, "100644", "x", 0, blob);
	raw_add_entry(&tree, "100644", "x-y", 0, blob);
	raw_add_entry(&tree, "40000", "x", 0, dir);
	raw_tip(repo, &tree);
}

static void make_truncated(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf tree = {};
	char blob[OID_HEX_SIZE];

	raw_init(repo);
	raw_put_text(repo, "content", blob);
	raw_add_entry(&tree, "100644", "a", 0, blob);
	raw_add_entry(&tree, "100644", "b", 0, blob);
	buf_truncate(&tree, tree.size - *(const size_t *)arg);
	raw_tip(repo, &tree);
}

static void make_empty_root(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf tree = {};

	(void)arg;
	raw_init(repo);
	raw_tip(repo, &tree);
}

static void make_empty_directory(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf empty = {}, tree = {};
	char dir[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	raw_put_tree(repo, &empty, dir);
	raw_add_entry(&tree, "40000", "empty", 0, dir);
	raw_tip(repo, &tree);
}

/* levels directories inside one another, names of name_size bytes */
struct depth {
	unsigned levels;
	size_t name_size;
};

static void make_deep(struct raw_repo *repo, const void *arg)
{
	const struct depth *depth = arg;
	_cleanup_buf_ struct buf name = {};
	char id[OID_HEX_SIZE];

	for (size_t i = 0; i < depth->name_size; i++)
		buf_add_char(&name, 'd');
	raw_init(repo);
	raw_begin(repo);
	raw_put_text(repo, "content", id);
	for (unsigned i = 0; i <= depth->levels; i++) {
		_cleanup_buf_ struct buf tree = {};

		raw_add_entry(&tree, i == 0 ? "100644" : "40000", buf_str(&name), 0, id);
		raw_put_tree(repo, &tree, id);
	}
	raw_put_commit(repo, id, NULL, repo->tip);
	raw_end(repo);
}

static void add_numbered(struct buf *tree, const char *mode, unsigned n, const char *id)
{
	for (unsigned i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%07u", i);
		raw_add_entry(tree, mode, name, 0, id);
	}
}

static void make_wide(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf tree = {};
	char blob[OID_HEX_SIZE];

	raw_init(repo);
	raw_put_text(repo, "content", blob);
	add_numbered(&tree, "100644", *(const unsigned *)arg, blob);
	raw_tip(repo, &tree);
}

/* levels trees, each of which holds the next one width times */
struct bomb {
	unsigned levels, width;
};

static void make_bomb(struct raw_repo *repo, const void *arg)
{
	const struct bomb *bomb = arg;
	char id[OID_HEX_SIZE];

	raw_init(repo);
	raw_put_text(repo, "0123456789abcdef", id);
	for (unsigned i = 0; i < bomb->levels; i++) {
		_cleanup_buf_ struct buf tree = {};

		add_numbered(&tree, i == 0 ? "100644" : "40000", bomb->width, id);
		raw_put_tree(repo, &tree, id);
	}
	raw_put_commit(repo, id, NULL, repo->tip);
}

/* A tree of the first commit, which nobody unfolds, is fine; the tip's own is what counts. */
static void make_bomb_in_history(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf tree = {};
	char blob[OID_HEX_SIZE], id[OID_HEX_SIZE], parent[OID_HEX_SIZE];

	make_bomb(repo, arg);
	memcpy(parent, repo->tip, sizeof(parent));
	raw_put_text(repo, "content", blob);
	raw_add_entry(&tree, "100644", "a", 0, blob);
	raw_put_tree(repo, &tree, id);
	raw_put_commit(repo, id, parent, repo->tip);
}

static void make_link(struct raw_repo *repo, const void *arg)
{
	const struct buf *target = arg;
	_cleanup_buf_ struct buf tree = {};
	char blob[OID_HEX_SIZE];

	raw_init(repo);
	raw_put(repo, GIT_OBJECT_BLOB, target->data, target->size, blob);
	raw_add_entry(&tree, "120000", "link", 0, blob);
	raw_tip(repo, &tree);
}

static char long_target[4096];

static void make_long_link(struct raw_repo *repo, const void *arg)
{
	struct buf target = {.data = long_target, .size = *(const size_t *)arg};

	memset(long_target, 't', sizeof(long_target));
	make_link(repo, &target);
}

#define DEEP(l, n)                                      \
	.make = make_deep, .arg = &(const struct depth) \
	{                                               \
		l, n                                    \
	}
#define BOMB(l, w)                                     \
	.make = make_bomb, .arg = &(const struct bomb) \
	{                                              \
		l, w                                   \
	}
#define WIDE(n)                                     \
	.make = make_wide, .arg = &(const unsigned) \
	{                                           \
		n                                   \
	}
#define CUT(n)                                         \
	.make = make_truncated, .arg = &(const size_t) \
	{                                              \
		n                                      \
	}
#define LINK(text)                                    \
	.make = make_link, .arg = &(const struct buf) \
	{                                             \
		(char[]){text}, sizeof(text) - 1, 0   \
	}
#define LONG_LINK(n)                                   \
	.make = make_long_link, .arg = &(const size_t) \
	{                                              \
		n                                      \
	}

static const struct corpus_case cases[] = {
	REFUSE("file and directory apart", EINVAL, "'x' is there twice",
	       .make = make_spread_twins),
	REFUSE("tree cut in an id", EINVAL, "cut short", CUT(1)),
	REFUSE("tree cut in a name", EINVAL, "cut short", CUT(22)),
	TAKE("empty commit", .make = make_empty_root),
	REFUSE("empty directory", EINVAL, "'empty' is an empty directory",
	       .make = make_empty_directory),
	TAKE("63 deep", DEEP(63, 2)),
	REFUSE("70 deep", E2BIG, "lies too deep: 64 directories", DEEP(70, 2)),
	REFUSE("5000 deep", E2BIG, "lies too deep: 64 directories", DEEP(5000, 1)),
	TAKE("path of 1023 bytes", DEEP(3, 255)),
	REFUSE("path of 1279 bytes", E2BIG, "has too long a path: 1024 bytes", DEEP(4, 255)),
	TAKE("20000 entries", WIDE(20000), .not_written = true, .flags = "large-diff"),
	REFUSE("20001 entries", E2BIG, "has too many entries: 20000", WIDE(20001)),
	REFUSE("1000000 entries", E2BIG, "is too large: 16777216 bytes", WIDE(1000000)),
	REFUSE("bomb of 10^10 files", E2BIG, "unfolds to more files than 200000", BOMB(10, 10)),
	REFUSE("bomb of 20000^3 files", E2BIG, "unfolds to more files than", BOMB(3, 20000)),
	REFUSE("bomb of 2^63 files", E2BIG, "unfolds to more files than", BOMB(63, 2)),
	REFUSE("bomb of bytes", E2BIG, "unfolds to more bytes than 11663", BOMB(3, 9),
	       .max_expanded = 11663),
	TAKE("as many bytes as allowed", BOMB(3, 9), .max_expanded = 11664),
	TAKE("as many files as allowed", BOMB(2, 10), .max_files = 110),
	REFUSE("one file more than allowed", E2BIG, "unfolds", BOMB(2, 10), .max_files = 109),
	TAKE("bomb in the history", .make = make_bomb_in_history,
	     .arg = &(const struct bomb){10, 10}),
	TAKE("absolute symlink", LINK("/etc/passwd"), .flags = "symlink-escape"),
	TAKE("symlink upwards", LINK("../../../etc/passwd"), .flags = "symlink-escape"),
	REFUSE("symlink with NUL", EINVAL, "'link' is a symlink with a NUL byte", LINK("a\0b")),
	REFUSE("symlink to nothing", EINVAL, "target is empty or too long", LINK("")),
	TAKE("symlink of 4095 bytes", LONG_LINK(4095)),
	REFUSE("symlink of 4096 bytes", EINVAL, "target is empty or too long", LONG_LINK(4096)),
};

const struct corpus_list corpus_trees = {cases, ARRAY_SIZE(cases)};
