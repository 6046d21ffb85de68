/* Tree objects of a repository nobody vouches for: what is taken says the same to libgit2, and
 * holds no name that lies. */
#include "git_oracle.h"

#include "git/treecheck.h"

#include <ctype.h>
#include <strings.h>

#define ENTRIES_MAX 100

/* What a file system that folds case or drops what follows could take for ".git". */
static bool is_dotgit(const char *name)
{
	size_t n = strcspn(name, ":");

	while (n > 0 && (name[n - 1] == '.' || name[n - 1] == ' '))
		n--;
	return (n == 4 && strncasecmp(name, ".git", 4) == 0) ||
	       (n == 5 && strncasecmp(name, "git~", 4) == 0 && isdigit((unsigned char)name[4]));
}

static void look_at(const struct tree_entry *e, const git_tree_entry *theirs)
{
	must(strlen(e->name) == e->name_size && e->name_size >= 1 && e->name_size <= 255);
	must(fuzz_is_clean(e->name, e->name_size, false) && !strchr(e->name, '\t'));
	must(!strchr(e->name, '/') && strcmp(e->name, ".") != 0 && strcmp(e->name, "..") != 0);
	must(!is_dotgit(e->name) && treecheck_name(e->name, e->name_size) == NULL);
	must(strcmp(git_tree_entry_name(theirs), e->name) == 0);
	must((int)git_tree_entry_filemode_raw(theirs) == (int)e->mode);
	must(memcmp(git_tree_entry_id(theirs)->id, e->id, RAW_ID_SIZE) == 0);
}

/* The entries written again are the object's bytes: nothing stood between them. */
static void writes_the_same(const struct tree_entries *entries, const void *data, size_t size)
{
	_cleanup_buf_ struct buf again = {};

	for (size_t i = 0; i < entries->count; i++) {
		const struct tree_entry *e = &entries->items[i];

		buf_addf(&again, "%o %s", (unsigned)e->mode, e->name);
		buf_add_char(&again, '\0');
		buf_add(&again, e->id, RAW_ID_SIZE);
	}
	must(again.size == size && (size == 0 || memcmp(again.data, data, size) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tree_entries entries = {};
	struct error err = {};
	git_repository *repo;
	git_tree *tree = NULL;
	git_oid id;

	if (treecheck_tree("a/b", data, size, ENTRIES_MAX, &entries, &err) < 0) {
		must(!entries.items && fuzz_is_clean(err.text, strlen(err.text), false));
		return 0;
	}
	must(entries.count <= ENTRIES_MAX);
	writes_the_same(&entries, data, size);
	repo = oracle_repo();
	oracle_add(repo, &id, data, size, GIT_OBJECT_TREE);
	must(git_tree_lookup(&tree, repo, &id) == 0);
	must(git_tree_entrycount(tree) == entries.count);
	for (size_t i = 0; i < entries.count; i++) {
		look_at(&entries.items[i], git_tree_entry_byindex(tree, i));
		for (size_t k = 0; k < i; k++)
			must(strcmp(entries.items[i].name, entries.items[k].name) != 0);
	}
	git_tree_free(tree);
	tree_entries_release(&entries);
	return 0;
}
