/*
 * A parser for the tree objects of a repository nobody vouches for. It takes only what our
 * rules allow, which is less than git does, and an error names the path and the rule. Pure:
 * bytes in, borrowed pointers out.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define RAW_ID_SIZE 20 /* SHA-1 as it stands in a tree */

enum tree_mode {
	TREE_MODE_DIR = 0040000,
	TREE_MODE_FILE = 0100644,
	TREE_MODE_EXEC = 0100755,
	TREE_MODE_LINK = 0120000,
};

struct tree_entry {
	enum tree_mode mode;
	const char *name; /* NUL-terminated, inside the object's bytes */
	size_t name_size;
	const unsigned char *id; /* RAW_ID_SIZE bytes, inside the object's bytes */
};

struct tree_entries {
	struct tree_entry *items;
	size_t count;
};

void tree_entries_release(struct tree_entries *entries);

/*
 * The entries of a tree object, in git's order. path ("" for the root) is where the tree
 * stands, for the error. The bytes must outlive *ret, which the caller releases. -EINVAL: a
 * rule is broken; -E2BIG: more than max_entries.
 */
int treecheck_tree(const char *path, const void *data, size_t size, size_t max_entries,
		   struct tree_entries *ret, struct error *err);

/*
 * What is wrong with one path component ("is a name git reserves"), or NULL: 1 to 255 bytes of
 * strict UTF-8, no '/', no control or deceptive character, not ".", "..", nor anything a file
 * system could take for ".git". A NUL must follow somewhere behind the component.
 */
const char *treecheck_name(const char *name, size_t size);
