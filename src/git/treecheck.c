/*
 * Tree objects: (octal mode, space, name, NUL, 20 bytes of id)*, sorted as if the names of
 * directories ended in '/'. Format and order: git's gitformat documentation and
 * base_name_compare() semantics.
 */
#include "git/treecheck.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 255
#define MODE_MAX_DIGITS 6
#define SHOWN_PATH_BYTES 200

/* The tree object of no bytes. A directory that holds nothing exists in git and is dropped by
 * some who export it. */
static const unsigned char empty_tree[RAW_ID_SIZE] = {
	0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60,
	0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb, 0xee, 0x49, 0x04,
};

void tree_entries_release(struct tree_entries *entries)
{
	free(entries->items);
	*entries = (struct tree_entries){};
}

/* entry may be NULL: the tree at path itself breaks the rule. */
static int refuse(struct error *err, int errnum, const char *path,
		  const struct tree_entry *entry, const char *rule)
{
	_cleanup_buf_ struct buf whole = {}, shown = {};

	buf_add_str(&whole, path);
	if (entry) {
		if (*path)
			buf_add_char(&whole, '/');
		buf_add(&whole, entry->name, entry->name_size);
	}
	if (!entry && !*path)
		return error_set(err, errnum, "the top directory %s", rule);
	text_clean(&shown, buf_str(&whole), whole.size, SHOWN_PATH_BYTES, false);
	return error_set(err, errnum, "'%s' %s", buf_str(&shown), rule);
}

/* Whether name is word, but for letter case, once what Windows and macOS ignore at its end is
 * gone. */
static bool folds_to(const char *name, size_t size, const char *word)
{
	size_t n = strlen(word);

	return size >= n && strncasecmp(name, word, n) == 0 &&
	       strspn(name + n, " .") >= size - n;
}

/* "git~1": the short name such systems make up for ".git". */
static bool is_short_dotgit(const char *name, size_t size)
{
	size_t n = 4 + (size > 4 ? strspn(name + 4, "0123456789") : 0);

	return n > 4 && n <= size && strncasecmp(name, "git~", 4) == 0 &&
	       strspn(name + n, " .") >= size - n;
}

/* Looks at each part before a '\' (a separator elsewhere) and before a ':' (a stream of the
 * same file). */
static bool is_dotgit(const char *name, size_t size)
{
	while (size > 0) {
		size_t n = strcspn(name, "\\:");

		if (n > size)
			n = size;
		if (folds_to(name, n, ".git") || is_short_dotgit(name, n))
			return true;
		if (n == size)
			return false;
		name += n + 1;
		size -= n + 1;
	}
	return false;
}

/* Names of files that steer git: ".git*", and the short names that stand for them ("GITMOD~1",
 * "gi7eba~1"). */
static bool is_control_file(const char *name, size_t size)
{
	if (size >= 4 && strncasecmp(name, ".git", 4) == 0)
		return true;
	if (size >= 8 && name[6] == '~' && name[7] >= '0' && name[7] <= '9' &&
	    (strncasecmp(name, "gi", 2) == 0 || strncasecmp(name, "ma", 2) == 0))
		return true;
	return size >= 8 && strncasecmp(name, ".mailmap", 8) == 0;
}

const char *treecheck_name(const char *name, size_t size)
{
	if (size == 0)
		return "has an empty name";
	if (size > NAME_MAX_BYTES)
		return "has a name longer than 255 bytes";
	if (memchr(name, '/', size))
		return "has a '/' in its name";
	if ((size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.'))
		return "is not a name but a direction";
	if (is_dotgit(name, size))
		return "is a name git reserves";
	for (size_t i = 0, n; i < size; i += n) {
		uint32_t c;

		n = text_decode(name + i, size - i, &c);
		if (n == 0)
			return "has a name that is not UTF-8";
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return "has a control character in its name";
		if (text_is_deceptive(c))
			return "has an invisible or reordering character in its name";
	}
	return NULL;
}

static int parse_mode(const char *digits, size_t n, enum tree_mode *ret)
{
	unsigned value = 0;

	if (n == 0 || n > MODE_MAX_DIGITS || digits[0] == '0')
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (digits[i] < '0' || digits[i] > '7')
			return -EINVAL;
		value = value * 8 + (unsigned)(digits[i] - '0');
	}
	switch (value) {
	case TREE_MODE_DIR:
	case TREE_MODE_FILE:
	case TREE_MODE_EXEC:
	case TREE_MODE_LINK:
		*ret = (enum tree_mode)value;
		return 0;
	}
	return -EINVAL;
}

static int refuse_mode(struct error *err, const char *path, const struct tree_entry *entry,
		       const char *digits, size_t n)
{
	char rule[120];
	_cleanup_buf_ struct buf shown = {};

	if (n == 6 && memcmp(digits, "160000", 6) == 0)
		return refuse(err, EINVAL, path, entry,
			      "is a submodule: only files, directories and symlinks are taken");
	text_clean(&shown, digits, n, 24, false);
	snprintf(rule, sizeof(rule),
		 "has mode '%s': only 40000, 100644, 100755 and 120000 are taken",
		 buf_str(&shown));
	return refuse(err, EINVAL, path, entry, rule);
}

/* One entry at *p; moves *p behind it. Its place among the others is not looked at. */
static int parse_entry(const char *path, const char **p, const char *end,
		       struct tree_entry *ret, struct error *err)
{
	static const unsigned char null_id[RAW_ID_SIZE];
	const char *space = memchr(*p, ' ', (size_t)(end - *p));
	const char *nul = space ? memchr(space, '\0', (size_t)(end - space)) : NULL;
	const char *rule;
	size_t n_digits;

	if (!nul || end - nul - 1 < RAW_ID_SIZE)
		return refuse(err, EINVAL, path, NULL, "is cut short or no tree at all");
	n_digits = (size_t)(space - *p);
	*ret = (struct tree_entry){
		.name = space + 1,
		.name_size = (size_t)(nul - space - 1),
		.id = (const unsigned char *)nul + 1,
	};
	rule = treecheck_name(ret->name, ret->name_size);
	if (rule)
		return refuse(err, EINVAL, path, ret, rule);
	if (parse_mode(*p, n_digits, &ret->mode) < 0)
		return refuse_mode(err, path, ret, *p, n_digits);
	if (ret->mode == TREE_MODE_LINK && is_control_file(ret->name, ret->name_size))
		return refuse(err, EINVAL, path, ret, "steers git and must not be a symlink");
	if (memcmp(ret->id, null_id, RAW_ID_SIZE) == 0)
		return refuse(err, EINVAL, path, ret, "has the null id");
	if (ret->mode == TREE_MODE_DIR && memcmp(ret->id, empty_tree, RAW_ID_SIZE) == 0)
		return refuse(err, EINVAL, path, ret, "is an empty directory");
	*p = nul + 1 + RAW_ID_SIZE;
	return 0;
}

static int compare_names(const char *a, size_t a_size, bool a_dir, const char *b, size_t b_size,
			 bool b_dir)
{
	size_t common = a_size < b_size ? a_size : b_size;
	int r = memcmp(a, b, common);
	unsigned char next_a, next_b;

	if (r != 0)
		return r;
	next_a = common < a_size ? (unsigned char)a[common] : (a_dir ? '/' : '\0');
	next_b = common < b_size ? (unsigned char)b[common] : (b_dir ? '/' : '\0');
	return (int)next_a - (int)next_b;
}

/* Whether there is a file called name: entries are in order, so a search by halves finds it. */
static bool has_file(const struct tree_entry *items, size_t n, const struct tree_entry *dir)
{
	size_t low = 0;

	while (low < n) {
		size_t middle = low + (n - low) / 2;
		const struct tree_entry *e = &items[middle];
		int r = compare_names(e->name, e->name_size, e->mode == TREE_MODE_DIR,
				      dir->name, dir->name_size, false);

		if (r == 0)
			return true;
		if (r < 0)
			low = middle + 1;
		else
			n = middle;
	}
	return false;
}

/* Order, and no name twice; a file and a directory of one name can stand apart, around
 * "name-more". */
static int check_place(const char *path, const struct tree_entry *items, size_t count,
		       struct error *err)
{
	const struct tree_entry *last = &items[count - 1];
	bool is_dir = last->mode == TREE_MODE_DIR;
	int r;

	if (count == 1)
		return 0;
	r = compare_names(last[-1].name, last[-1].name_size, last[-1].mode == TREE_MODE_DIR,
			  last->name, last->name_size, is_dir);
	if (r == 0 || (is_dir && has_file(items, count - 1, last)))
		return refuse(err, EINVAL, path, last, "is there twice");
	if (r > 0)
		return refuse(err, EINVAL, path, last, "is out of order");
	return 0;
}

static int refuse_entries(struct error *err, const char *path, size_t max)
{
	char rule[80];

	snprintf(rule, sizeof(rule), "has too many entries: %zu are all it may", max);
	return refuse(err, E2BIG, path, NULL, rule);
}

int treecheck_tree(const char *path, const void *data, size_t size, size_t max_entries,
		   struct tree_entries *ret, struct error *err)
{
	_cleanup_(tree_entries_release) struct tree_entries entries = {};
	const char *p = data, *end = p + size;
	size_t room = 0;

	while (p < end) {
		int r;

		if (entries.count == max_entries)
			return refuse_entries(err, path, max_entries);
		if (entries.count == room) {
			room = room ? room * 2 : 32;
			entries.items = mem_grow(entries.items, room, sizeof(*entries.items));
		}
		r = parse_entry(path, &p, end, &entries.items[entries.count], err);
		if (r < 0)
			return r;
		entries.count++;
		r = check_place(path, entries.items, entries.count, err);
		if (r < 0)
			return r;
	}
	*ret = entries;
	entries = (struct tree_entries){};
	return 0;
}
