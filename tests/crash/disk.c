#include "disk.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS 16384
#define FILE_MAX (64u << 20)

/* What skepd owns; the rest is others' and not looked at. */
static const char *const owned[] = {"applied", "audit", "logs", "meta"};

struct name {
	char *name;
	ino_t inode;
};

struct node {
	ino_t inode; /* 0: a free slot */
	mode_t mode;
	char *rest;         /* a file that was there at the beginning: its path */
	char *data;         /* else what was synced; NULL: nothing */
	size_t size;        /* of data */
	struct name *names; /* of a directory */
	size_t n;
	char *now; /* its path when the power fails; NULL: it has none */
};

struct disk {
	const char *top, *rest;
	struct node nodes[SLOTS];
};

static struct node *find(struct disk *d, ino_t inode)
{
	size_t i = (size_t)inode * 0x9e3779b97f4a7c15u >> 50;

	while (d->nodes[i % SLOTS].inode && d->nodes[i % SLOTS].inode != inode)
		i++;
	return &d->nodes[i % SLOTS];
}

static struct node *see(struct disk *d, const struct stat *st)
{
	struct node *node = find(d, st->st_ino);

	node->inode = st->st_ino;
	node->mode = st->st_mode;
	return node;
}

static void forget_names(struct node *node)
{
	for (size_t i = 0; i < node->n; i++)
		free(node->names[i].name);
	free(TAKE_PTR(node->names));
	node->n = 0;
}

static void add_name(struct node *node, const char *name, ino_t inode)
{
	for (size_t i = 0; i < node->n; i++)
		if (strcmp(node->names[i].name, name) == 0) {
			node->names[i].inode = inode;
			return;
		}
	node->names = mem_grow(node->names, node->n + 1, sizeof(*node->names));
	node->names[node->n++] = (struct name){.name = str_dup(name), .inode = inode};
}

static void read_names(struct disk *d, const char *path, struct node *node)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;

	forget_names(node);
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *below = str_format("%s/%s", path, entry->d_name);
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    lstat(below, &st) < 0)
			continue;
		(void)see(d, &st);
		add_name(node, entry->d_name, st.st_ino);
	}
}

/* Calls fn for everything below a path, parents first. */
static void walk(struct disk *d, const char *path, void (*fn)(struct disk *d, const char *path))
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;

	fn(d, path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *below = str_format("%s/%s", path, entry->d_name);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			walk(d, below, fn);
	}
}

static void note_rest(struct disk *d, const char *path)
{
	struct node *node;
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	node = see(d, &st);
	if (S_ISDIR(st.st_mode))
		read_names(d, path, node);
	else if (S_ISREG(st.st_mode))
		node->rest = str_format("%s%s", d->rest, path + strlen(d->top));
}

static void note_now(struct disk *d, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		see(d, &st)->now = str_dup(path);
}

struct disk *disk_new(const char *top, const char *rest)
{
	struct disk *d = mem_new(1, sizeof(*d));

	d->top = top;
	d->rest = rest;
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", top, owned[i]);

		walk(d, path, note_rest);
	}
	return d;
}

static bool is_owned(const struct disk *d, const char *path)
{
	size_t n = strlen(d->top);

	if (strncmp(path, d->top, n) != 0 || path[n] != '/')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		size_t m = strlen(owned[i]);

		if (strncmp(path + n + 1, owned[i], m) == 0 && strchr("/", path[n + 1 + m]))
			return true;
	}
	return false;
}

/* A directory on disk is found from the top on. */
static void reach(struct disk *d, char *path, ino_t inode)
{
	char *slash = strrchr(path, '/');
	struct stat st;

	*slash = '\0';
	if (is_owned(d, path) && stat(path, &st) == 0) {
		add_name(see(d, &st), slash + 1, inode);
		reach(d, path, st.st_ino);
	}
}

void disk_synced(struct disk *d, pid_t pid, int fd)
{
	_cleanup_free_ char *link = str_format("/proc/%d/fd/%d", (int)pid, fd);
	_cleanup_buf_ struct buf data = {};
	char path[4096];
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	struct node *node;
	struct stat st;

	if (n < 0 || stat(link, &st) < 0)
		return;
	path[n] = '\0';
	if (!is_owned(d, path))
		return;
	node = see(d, &st);
	if (S_ISDIR(st.st_mode)) {
		read_names(d, path, node);
		reach(d, path, st.st_ino);
	} else if (file_read(AT_FDCWD, link, FILE_MAX, &data, NULL) == 0) {
		free(TAKE_PTR(node->rest));
		free(node->data);
		node->data = memcpy(mem_new(data.size + 1, 1), buf_str(&data), data.size);
		node->size = data.size;
	}
}

/* ---- the power fails ---- */

struct cut {
	struct disk *disk;
	enum death how;
	uint64_t chance;
};

static bool toss(struct cut *c)
{
	c->chance ^= c->chance << 13;
	c->chance ^= c->chance >> 7;
	c->chance ^= c->chance << 17;
	return c->chance >> 40 & 1;
}

static int write_file(const char *path, const char *data, size_t size, mode_t mode)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : file_write_all(fd, data, size);

	return r == 0 && fchmod(fd, mode & 07777) < 0 ? -errno : r;
}

static int put_file(struct cut *c, const struct node *node, const char *to)
{
	const char *from = node->rest;
	_cleanup_buf_ struct buf data = {};
	int r;

	if (c->how == DEATH_MIXED && node->now && toss(c))
		from = node->now;
	else if (node->data)
		return write_file(to, node->data, node->size, node->mode);
	if (!from)
		return write_file(to, "", 0, node->mode);
	r = file_read(AT_FDCWD, from, FILE_MAX, &data, NULL);
	return r < 0 ? r : write_file(to, buf_str(&data), data.size, node->mode);
}

static int put(struct cut *c, ino_t inode, const char *to);

static int put_names(struct cut *c, const struct node *node, const char *to)
{
	int r = 0;

	for (size_t i = 0; i < node->n && r == 0; i++) {
		_cleanup_free_ char *below = str_format("%s/%s", to, node->names[i].name);

		r = put(c, node->names[i].inode, below);
	}
	return r;
}

static int put_dir(struct cut *c, const struct node *node, const char *to)
{
	bool now = node->now && (c->how == DEATH_EMPTY || (c->how == DEATH_MIXED && toss(c)));
	struct node current = {};
	int r;

	if (mkdir(to, 0700) < 0)
		return -errno;
	if (now)
		read_names(c->disk, node->now, &current);
	r = put_names(c, now ? &current : node, to);
	forget_names(&current);
	return r == 0 && chmod(to, node->mode & 07777) < 0 ? -errno : r;
}

static int put(struct cut *c, ino_t inode, const char *to)
{
	struct node *node = find(c->disk, inode);

	if (!node->inode)
		return 0;
	if (S_ISDIR(node->mode))
		return put_dir(c, node, to);
	return S_ISREG(node->mode) ? put_file(c, node, to) : 0;
}

int disk_cut(struct disk *d, enum death how, uint64_t chance)
{
	struct cut c = {.disk = d, .how = how, .chance = chance | 1};

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", d->top, owned[i]);

		walk(d, path, note_now);
	}
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", d->top, owned[i]);
		_cleanup_free_ char *cut = str_format("%s/cut-%s", d->top, owned[i]);
		struct stat st;
		int r;

		if (lstat(path, &st) < 0)
			return -errno;
		if ((r = put(&c, st.st_ino, cut)) < 0 ||
		    (r = file_remove_tree(AT_FDCWD, path, NULL)) < 0)
			return r;
		if (rename(cut, path) < 0)
			return -errno;
	}
	return 0;
}
