/* Symbolic links of a tree, and whether following them stays in it. */
#include "git/risk_links.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROOTFS "rootfs"
#define MAX_FOLLOWED 40 /* as the kernel */
#define MAX_PENDING 16384
#define MAX_WORK (64u << 20) /* past it links count as leading out */

void risk_links_add(struct risk_links *links, const char *path, const char *target)
{
	if (links->count == links->room) {
		links->room = links->room ? 2 * links->room : 32;
		links->items = mem_grow(links->items, links->room, sizeof(*links->items));
	}
	links->items[links->count++] = (struct risk_link){str_dup(path), str_dup(target)};
}

void risk_links_release(struct risk_links *links)
{
	for (size_t i = 0; i < links->count; i++) {
		free(links->items[i].path);
		free(links->items[i].target);
	}
	free(links->items);
	*links = (struct risk_links){};
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct risk_link *)a)->path, ((const struct risk_link *)b)->path);
}

static const struct risk_link *find(const struct risk_links *links, const char *path)
{
	const struct risk_link key = {.path = (char *)path};

	return bsearch(&key, links->items, links->count, sizeof(key), by_path);
}

/* A walk in progress: where it stands, and what it has still to go. */
struct walk {
	const struct risk_links *links;
	size_t root_size; /* of the path of the directory it must not leave */
	struct buf here;
	struct buf pending;
	size_t at; /* in pending */
	int followed;
	size_t work;
};

static void walk_release(struct walk *w)
{
	buf_release(&w->here);
	buf_release(&w->pending);
}

static void go_up(struct walk *w)
{
	const char *slash = w->here.size ? strrchr(w->here.data, '/') : NULL;

	buf_truncate(&w->here, slash ? (size_t)(slash - w->here.data) : 0);
}

/* Puts a link's target before what is left to go. False: it leads out. */
static bool follow(struct walk *w, const char *target)
{
	struct buf pending = {};

	if (*target == '/') {
		if (w->root_size == 0)
			return false;
		buf_truncate(&w->here, w->root_size);
	}
	buf_add_str(&pending, target);
	buf_add_char(&pending, '/');
	buf_add_str(&pending, buf_str(&w->pending) + w->at);
	buf_release(&w->pending);
	w->pending = pending;
	w->at = 0;
	w->work += pending.size;
	return pending.size <= MAX_PENDING;
}

/* One component of what is pending. False: it leads out. */
static bool step(struct walk *w)
{
	const char *name = w->pending.data + w->at;
	size_t size = strcspn(name, "/");
	const struct risk_link *link;

	w->at += size + (name[size] == '/');
	w->work += size + 1;
	if (size == 0 || (size == 1 && name[0] == '.'))
		return true;
	if (size == 2 && memcmp(name, "..", 2) == 0) {
		if (w->here.size <= w->root_size)
			return false;
		go_up(w);
		return true;
	}
	if (w->here.size)
		buf_add_char(&w->here, '/');
	buf_add(&w->here, name, size);
	link = find(w->links, buf_str(&w->here));
	if (!link)
		return true;
	w->followed++;
	go_up(w);
	return follow(w, link->target);
}

/* work counts bytes looked at, over all links of the tree. */
static bool stays_inside(const struct risk_links *links, const struct risk_link *link,
			 size_t *work)
{
	_cleanup_(walk_release) struct walk w = {.links = links, .work = *work};
	size_t n = strlen(ROOTFS "/");
	bool inside;

	if (strncmp(link->path, ROOTFS "/", n) == 0)
		w.root_size = n - 1;
	else if (strcmp(link->path, ROOTFS) == 0)
		return false; /* a root directory is a directory */
	buf_add_str(&w.here, link->path);
	go_up(&w);
	inside = *link->target && follow(&w, link->target);
	/* a loop leads nowhere */
	while (inside && w.at < w.pending.size && w.followed <= MAX_FOLLOWED)
		inside = w.work <= MAX_WORK && step(&w);
	*work = w.work;
	return inside;
}

void risk_links_check(struct risk_links *links, struct flags *flags)
{
	size_t work = 0;

	if (links->count > 1)
		qsort(links->items, links->count, sizeof(*links->items), by_path);
	for (size_t i = 0; i < links->count; i++)
		if (!stays_inside(links, &links->items[i], &work))
			flags_add(flags, FLAG_SYMLINK_ESCAPE, links->items[i].path);
}
