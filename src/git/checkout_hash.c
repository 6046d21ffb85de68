/* The tree id of a directory, computed from the files as git would. */
#include "git/checkout.h"

#include "base/buf.h"
#include "base/text.h"
#include "git/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct entry {
	char *name;
	unsigned mode;
	git_oid oid;
};

struct entries {
	struct entry *items;
	size_t count, room;
};

struct hasher {
	bool is_work; /* the .git at its top is no part of it */
	struct checkout_count count;
	struct buf path;
};

static void entries_release(struct entries *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->items[i].name);
	free(e->items);
}

static int refuse(const struct hasher *h, int errnum, const char *why, struct error *err)
{
	_cleanup_free_ char *shown = text_clean_dup(buf_str(&h->path), 200, false);

	return error_set(err, errnum, "'%s' %s", h->path.size ? shown : ".", why);
}

static int refuse_errno(const struct hasher *h, const char *what, struct error *err)
{
	int errnum = errno;
	_cleanup_free_ char *shown = text_clean_dup(buf_str(&h->path), 200, false);

	return error_set_errno(err, errnum, "cannot %s '%s'", what, h->path.size ? shown : ".");
}

/* git's order: a directory sorts as if its name ended in a slash */
static int in_git_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	size_t n = strlen(x->name), m = strlen(y->name), least = n < m ? n : m;
	int r = memcmp(x->name, y->name, least);
	unsigned char c, d;

	if (r)
		return r;
	c = (unsigned char)x->name[least];
	d = (unsigned char)y->name[least];
	if (!c && x->mode == GIT_FILEMODE_TREE)
		c = '/';
	if (!d && y->mode == GIT_FILEMODE_TREE)
		d = '/';
	return c < d ? -1 : c > d;
}

static int count_bytes(struct hasher *h, size_t size, struct error *err)
{
	if (size > TREE_MAX_BLOB_BYTES || h->count.bytes + size > TREE_MAX_BYTES)
		return refuse(h, E2BIG, "makes the tree too large", err);
	h->count.bytes += size;
	return 0;
}

static int hash_file(struct hasher *h, int dir_fd, struct entry *entry, struct error *err)
{
	_cleanup_close_ int fd =
		openat(dir_fd, entry->name,
		       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	struct stat st;
	size_t got = 0;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse_errno(h, "open", err);
	if (!S_ISREG(st.st_mode))
		return refuse(h, EINVAL, "is not a regular file", err);
	r = count_bytes(h, (size_t)st.st_size, err);
	if (r < 0)
		return r;
	data = mem_new((size_t)st.st_size + 1, 1);
	while (got <= (size_t)st.st_size) {
		ssize_t n = read(fd, data + got, (size_t)st.st_size + 1 - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return refuse_errno(h, "read", err);
		if (n == 0)
			break;
		got += (size_t)n;
	}
	if (got != (size_t)st.st_size)
		return refuse(h, EINVAL, "changes while it is read", err);
	entry->mode = st.st_mode & S_IXUSR ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB;
	r = git_odb_hash(&entry->oid, data, got, GIT_OBJECT_BLOB);
	if (r < 0)
		return git_fail(r, err, "cannot hash '%s'", buf_str(&h->path));
	return 0;
}

static int hash_link(struct hasher *h, int dir_fd, struct entry *entry, struct error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, entry->name, target, sizeof(target));
	int r;

	if (n < 0)
		return refuse_errno(h, "read link", err);
	r = count_bytes(h, (size_t)n, err);
	if (r < 0)
		return r;
	entry->mode = GIT_FILEMODE_LINK;
	r = git_odb_hash(&entry->oid, target, (size_t)n, GIT_OBJECT_BLOB);
	if (r < 0)
		return git_fail(r, err, "cannot hash '%s'", buf_str(&h->path));
	return 0;
}

static int hash_dir(struct hasher *h, int fd, int depth, git_oid *ret, struct error *err);

static int hash_entry(struct hasher *h, int dir_fd, struct entry *entry, int depth,
		      struct error *err)
{
	struct stat st;
	int fd;

	if (h->path.size > TREE_MAX_PATH)
		return refuse(h, E2BIG, "is too long a path", err);
	if (fstatat(dir_fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return refuse_errno(h, "look at", err);
	if (S_ISDIR(st.st_mode)) {
		if (depth >= TREE_MAX_DEPTH)
			return refuse(h, E2BIG, "is nested too deep", err);
		fd = openat(dir_fd, entry->name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return refuse_errno(h, "open", err);
		entry->mode = GIT_FILEMODE_TREE;
		return hash_dir(h, fd, depth + 1, &entry->oid, err);
	}
	if (++h->count.files > TREE_MAX_FILES)
		return refuse(h, E2BIG, "is one file too many", err);
	if (S_ISLNK(st.st_mode))
		return hash_link(h, dir_fd, entry, err);
	if (S_ISREG(st.st_mode))
		return hash_file(h, dir_fd, entry, err);
	return refuse(h, EINVAL, "is neither a file, a link nor a directory", err);
}

static int list_dir(struct hasher *h, DIR *dir, int depth, struct entries *entries,
		    struct error *err)
{
	size_t base = h->path.size;
	struct dirent *found;
	int r;

	while (errno = 0, (found = readdir(dir))) {
		struct entry *entry;

		if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0 ||
		    (h->is_work && depth == 0 && strcmp(found->d_name, ".git") == 0))
			continue;
		if (entries->count == entries->room) {
			entries->room = entries->room ? 2 * entries->room : 16;
			entries->items = mem_grow(entries->items, entries->room,
						  sizeof(*entries->items));
		}
		entry = &entries->items[entries->count++];
		*entry = (struct entry){.name = str_dup(found->d_name)};
		if (base)
			buf_add_char(&h->path, '/');
		buf_add_str(&h->path, entry->name);
		r = hash_entry(h, dirfd(dir), entry, depth, err);
		if (r < 0)
			return r;
		buf_truncate(&h->path, base);
	}
	if (errno)
		return refuse_errno(h, "list", err);
	return 0;
}

/* Takes over fd. */
static int hash_dir(struct hasher *h, int fd, int depth, git_oid *ret, struct error *err)
{
	_cleanup_(entries_release) struct entries entries = {};
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	_cleanup_buf_ struct buf tree = {};
	int r;

	if (!dir) {
		r = refuse_errno(h, "list", err);
		(void)close(fd);
		return r;
	}
	r = list_dir(h, dir, depth, &entries, err);
	if (r < 0)
		return r;
	if (entries.count == 0 && depth > 0)
		return refuse(h, EINVAL, "is an empty directory, which no commit can hold",
			      err);
	if (entries.count > 1)
		qsort(entries.items, entries.count, sizeof(*entries.items), in_git_order);
	for (size_t i = 0; i < entries.count; i++) {
		buf_addf(&tree, "%o %s", entries.items[i].mode, entries.items[i].name);
		buf_add_char(&tree, '\0');
		buf_add(&tree, entries.items[i].oid.id, GIT_OID_RAWSZ);
	}
	r = git_odb_hash(ret, buf_str(&tree), tree.size, GIT_OBJECT_TREE);
	if (r < 0)
		return git_fail(r, err, "cannot hash directory '%s'", buf_str(&h->path));
	return 0;
}

static int hash(int dir_fd, bool is_work, char ret[OID_HEX_SIZE],
		struct checkout_count *ret_count, struct error *err)
{
	/* a description of its own: reading the caller's would move its position */
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct hasher h = {.is_work = is_work};
	git_oid oid;
	int r;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open the directory to be hashed");
	r = hash_dir(&h, fd, 0, &oid, err);
	buf_release(&h.path);
	if (r < 0)
		return r;
	oid_from_git(ret, &oid);
	*ret_count = h.count;
	return 0;
}

int checkout_hash(int dir_fd, char ret[OID_HEX_SIZE], struct checkout_count *ret_count,
		  struct error *err)
{
	return hash(dir_fd, false, ret, ret_count, err);
}

int checkout_hash_work(int dir_fd, char ret[OID_HEX_SIZE], struct checkout_count *ret_count,
		       struct error *err)
{
	return hash(dir_fd, true, ret, ret_count, err);
}
