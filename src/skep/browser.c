#include "skep/browser.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define OPENER "/usr/bin/xdg-open"
#define PAGE "skep-dashboard.html"

extern char **environ;

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && value[0];
}

/* Ours alone, in a directory that is ours alone; the next link replaces it. */
static char *write_page(const char *url)
{
	_cleanup_free_ char *path = str_format("%s/" PAGE, getenv("XDG_RUNTIME_DIR"));
	_cleanup_free_ char *page =
		str_format("<!doctype html>\n<meta charset=\"utf-8\">\n"
			   "<meta name=\"referrer\" content=\"no-referrer\">\n"
			   "<meta http-equiv=\"refresh\" content=\"0; url=%s\">\n"
			   "<title>skep</title>\n",
			   url);

	if (strpbrk(url, "\"<>&") || path[0] != '/' ||
	    file_write_atomic(AT_FDCWD, path, page, strlen(page), 0600, NULL) < 0)
		return NULL;
	return TAKE_PTR(path);
}

/* It may stay for as long as the browser does, so nobody waits for it. */
static bool start(const char *page)
{
	const char *const argv[] = {"xdg-open", page, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	pid_t pid;
	int r;

	if (posix_spawn_file_actions_init(&files) != 0)
		return false;
	if (posix_spawnattr_init(&attributes) != 0) {
		(void)posix_spawn_file_actions_destroy(&files);
		return false;
	}
	r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	for (int fd = 0; fd < 3 && r == 0; fd++)
		r = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawn(&pid, OPENER, &files, &attributes, (char *const *)argv,
				environ);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&files);
	return r == 0;
}

bool browser_open(const char *url)
{
	_cleanup_free_ char *page = NULL;

	if ((!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY")) || !is_set("XDG_RUNTIME_DIR") ||
	    access(OPENER, X_OK) < 0)
		return false;
	page = write_page(url);
	return page && start(page);
}
