/* One file whose name or mode is odd, in a tree that has nothing else wrong. */
#include "corpus/corpus.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

struct odd {
	const char *mode, *name;
	size_t size; /* of a name that is 'n' all the way */
};

static void make_odd(struct raw_repo *repo, const void *arg)
{
	const struct odd *odd = arg;
	_cleanup_buf_ struct buf tree = {}, name = {};
	char blob[OID_HEX_SIZE];

	if (odd->name)
		buf_add_str(&name, odd->name);
	for (size_t i = 0; i < odd->size; i++)
		buf_add_char(&name, 'n');
	raw_init(repo);
	raw_put_text(repo, "content", blob);
	raw_add_entry(&tree, odd->mode, buf_str(&name), name.size, blob);
	raw_tip(repo, &tree);
}

/* The same one directory further down: the error names the whole path. */
static void make_deep(struct raw_repo *repo, const void *arg)
{
	const struct odd *odd = arg;
	_cleanup_buf_ struct buf tree = {}, top = {};
	char id[OID_HEX_SIZE];

	raw_init(repo);
	raw_put_text(repo, "content", id);
	raw_add_entry(&tree, odd->mode, odd->name, 0, id);
	raw_put_tree(repo, &tree, id);
	raw_add_entry(&top, "40000", "dir", 0, id);
	raw_tip(repo, &top);
}

static void make_twins(struct raw_repo *repo, const void *arg)
{
	const struct odd *odd = arg; /* two of them */
	_cleanup_buf_ struct buf tree = {};
	char blob[OID_HEX_SIZE];

	raw_init(repo);
	raw_put_text(repo, "content", blob);
	raw_add_entry(&tree, odd[0].mode, odd[0].name, 0, blob);
	raw_add_entry(&tree, odd[1].mode, odd[1].name, 0, blob);
	raw_tip(repo, &tree);
}

#define ODD(m, n)                                    \
	.make = make_odd, .arg = &(const struct odd) \
	{                                            \
		m, n, 0                              \
	}
#define DEEP(m, n)                                    \
	.make = make_deep, .arg = &(const struct odd) \
	{                                             \
		m, n, 0                               \
	}
#define LONG(n)                                      \
	.make = make_odd, .arg = &(const struct odd) \
	{                                            \
		"100644", NULL, n                    \
	}
#define TWINS(a, b)                                     \
	.make = make_twins, .arg = (const struct odd[]) \
	{                                               \
		{"100644", a, 0},                       \
		{                                       \
			"100644", b, 0                  \
		}                                       \
	}

static const struct corpus_case cases[] = {
	TAKE("plain file", ODD("100644", "a")),
	TAKE("executable", ODD("100755", "a")),
	TAKE("symlink", ODD("120000", "a")),
	TAKE("name ...", ODD("100644", "...")),
	TAKE("name .gitignore", ODD("100644", ".gitignore")),
	TAKE("name git~", ODD("100644", "git~")),
	TAKE("name with spaces", ODD("100644", " a b ")),
	TAKE("name -rf", ODD("100644", "-rf")),
	TAKE("name with quotes", ODD("100644", "\"$(x)`y`'")),
	TAKE("name in Chinese", ODD("100644", "\xe6\xbc\xa2")),
	TAKE("name of 255 bytes", LONG(255)),
	TAKE("case twins", TWINS("A", "a"), .flags = "case-collision"),
	TAKE("normalisation twins", TWINS("u\xcc\x88", "\xc3\xbc"), .flags = "case-collision"),
	REFUSE("name .git", EINVAL, "'.git' is a name git reserves", ODD("100644", ".git")),
	REFUSE("name .GIT", EINVAL, "reserves", ODD("100644", ".GIT")),
	REFUSE("name git~1", EINVAL, "reserves", ODD("100644", "git~1")),
	REFUSE("name .git and space", EINVAL, "reserves", ODD("100644", ".git ")),
	REFUSE("name .git.", EINVAL, "reserves", ODD("100644", ".git.")),
	REFUSE("name .git::$INDEX_ALLOCATION", EINVAL, "reserves",
	       ODD("100644", ".git::$INDEX_ALLOCATION")),
	REFUSE("name a\\.git", EINVAL, "reserves", ODD("100644", "a\\.git")),
	REFUSE("name dir/.git", EINVAL, "'dir/.git' is a name git reserves",
	       DEEP("100644", ".git")),
	REFUSE("name .", EINVAL, "direction", ODD("100644", ".")),
	REFUSE("name ..", EINVAL, "direction", ODD("100644", "..")),
	REFUSE("name a/b", EINVAL, "'/'", ODD("100644", "a/b")),
	REFUSE("name ../../etc/x", EINVAL, "'/'", ODD("100644", "../../etc/x")),
	REFUSE("empty name", EINVAL, "empty name", ODD("100644", NULL)),
	REFUSE("name of 256 bytes", EINVAL, "longer than 255", LONG(256)),
	REFUSE("name of 5000 bytes", EINVAL, "longer than 255", LONG(5000)),
	REFUSE("name with ESC", EINVAL, "'dir/a\\x1b[31m'", DEEP("100644", "a\x1b[31m")),
	REFUSE("name with newline", EINVAL, "control", ODD("100644", "a\nb")),
	REFUSE("name of bad UTF-8", EINVAL, "UTF-8", ODD("100644", "a\xff")),
	REFUSE("name with bidi", EINVAL, "'aU+202E'", ODD("100644", "a\xe2\x80\xae")),
	REFUSE("name with zero width", EINVAL, "invisible", ODD("100644", ".g\xe2\x80\x8bit")),
	REFUSE("mode 100664", EINVAL, "mode '100664'", ODD("100664", "a")),
	REFUSE("mode 100777", EINVAL, "'dir/a' has mode '100777'", DEEP("100777", "a")),
	REFUSE("mode 104755", EINVAL, "mode '104755'", ODD("104755", "a")),
	REFUSE("mode 040000", EINVAL, "mode '040000'", ODD("040000", "a")),
	REFUSE("mode 160000", EINVAL, "submodule", ODD("160000", "a")),
	REFUSE("symlink .gitmodules", EINVAL, "steers git", ODD("120000", ".gitmodules")),
	REFUSE("symlink .gitattributes", EINVAL, "steers git", ODD("120000", ".gitattributes")),
	REFUSE("symlink .GITIGNORE", EINVAL, "steers git", ODD("120000", ".GITIGNORE")),
	REFUSE("duplicate name", EINVAL, "'a' is there twice", TWINS("a", "a")),
	REFUSE("unsorted", EINVAL, "'a' is out of order", TWINS("b", "a")),
};

const struct corpus_list corpus_names = {cases, ARRAY_SIZE(cases)};
