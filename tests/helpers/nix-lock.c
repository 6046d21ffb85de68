/*
 * Does to a directory what skepd does to the meta repository: writes flake.nix and flake.lock.
 * nix-lock DIR APPLIED TEMPLATE NIXPKGS BASE put NAME COMMIT TIME | remove NAME | render
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "nix/flake.h"
#include "nix/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct names {
	char **items;
	size_t count;
};

static void add_name(const char *node, const json_t *locked, void *data)
{
	struct names *names = data;

	(void)locked;
	if (strncmp(node, "agent-", 6) != 0)
		return;
	names->items = mem_grow(names->items, names->count + 1, sizeof(*names->items));
	names->items[names->count++] = str_dup(node + 6);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int write_flake(int dir_fd, const char *applied, const char *template, char **argv,
		       const struct lock *lock, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *out = NULL;
	struct names names = {};
	struct flake flake = {.applied_dir = applied,
			      .nixpkgs = argv[0],
			      .base = argv[1],
			      .base_follows = !lock_has_input(lock, "base") ||
					      lock_follows(lock, "base", "nixpkgs")};
	int r = file_read(AT_FDCWD, template, 65536, &text, err);

	lock_each(lock, add_name, &names);
	if (names.count > 0)
		qsort(names.items, names.count, sizeof(*names.items), compare);
	flake.agents = (const char *const *)names.items;
	flake.n_agents = names.count;
	if (r == 0)
		r = flake_render(buf_str(&text), &flake, &out, err);
	if (r == 0)
		r = file_write_atomic(dir_fd, "flake.nix", out, strlen(out), 0644, err);
	for (size_t i = 0; i < names.count; i++)
		free(names.items[i]);
	free(names.items);
	return r;
}

static int work(int argc, char **argv, struct error *err)
{
	_cleanup_close_ int fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(lock_freep) struct lock *lock = NULL;
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *out = NULL;
	int r = fd < 0 ? error_set_errno(err, errno, "cannot open '%s'", argv[1]) : 0;

	if (r == 0)
		r = file_read(fd, "flake.lock", LOCK_MAX_BYTES, &text, err);
	if (r == 0 || r == -ENOENT)
		r = lock_parse(buf_str(&text), text.size, &lock, err);
	if (r < 0)
		return r;
	if (strcmp(argv[6], "put") == 0 && argc == 10)
		r = lock_put_agent(lock, argv[2], argv[7], argv[8], atoll(argv[9]), err);
	else if (strcmp(argv[6], "remove") == 0 && argc == 8)
		lock_remove_agent(lock, argv[7]);
	else if (strcmp(argv[6], "render") != 0)
		r = error_set(err, EINVAL, "there is no '%s'", argv[6]);
	if (r == 0)
		r = write_flake(fd, argv[2], argv[3], argv + 4, lock, err);
	out = lock_write(lock);
	return r < 0 || !*out
		       ? r
		       : file_write_atomic(fd, "flake.lock", out, strlen(out), 0644, err);
}

int main(int argc, char **argv)
{
	struct error err = {};

	if (argc < 7 || work(argc, argv, &err) < 0) {
		fprintf(stderr, "nix-lock: %s\n", error_text(&err));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
