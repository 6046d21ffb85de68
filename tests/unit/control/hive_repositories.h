/* What the stand-in for skep-exec does with repositories, below the scratch directory top. */
#pragma once

#include "unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "git/reader.h"
#include "git/repo.h"
#include "git/seed.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void fake_seed(const char *top, const json_t *request, const char *agent)
{
	json_t *list = json_object_get(request, "files"), *file;
	_cleanup_free_ char *dir = str_format("%s/proposed/%s", top, agent);
	struct seed_file *files = mem_new(json_array_size(list), sizeof(*files));
	struct error err = {};
	size_t i;

	if (mkdir(dir, 0755) < 0)
		return;
	json_array_foreach (list, i, file)
		files[i] = (struct seed_file){
			.path = json_string_value(json_object_get(file, "path")),
			.data = json_string_value(json_object_get(file, "data")),
			.size = json_string_length(json_object_get(file, "data")),
			.symlink = json_is_true(json_object_get(file, "symlink")),
			.executable = json_is_true(json_object_get(file, "executable")),
		};
	if (fork() == 0) {
		if (chdir(dir) < 0 || git_setup(true, &err) < 0 ||
		    seed_repository(files, json_array_size(list),
				    json_string_value(json_object_get(request, "url")),
				    json_integer_value(json_object_get(request, "time")),
				    &err) < 0)
			fprintf(stderr, "seed: %s\n", error_text(&err));
		_exit(0);
	}
	wait(NULL);
	free(files);
}

/* The same from what applied has. */
static inline void fake_checkout(const char *top, const json_t *request, const char *agent)
{
	_cleanup_free_ char *script = str_format(
		"cd %s && [ -d proposed/%s ] || { mkdir -p proposed/%s/.git && cp -r "
		"applied/%s/.git/objects proposed/%s/.git/; }",
		top, agent, agent, agent, agent);
	_cleanup_free_ char *dir = str_format("%s/proposed/%s", top, agent);
	struct error err = {};

	if (system(script) != 0)
		return;
	if (fork() == 0) {
		if (access(dir, F_OK) == 0 && chdir(dir) == 0 && access(".git/HEAD", F_OK) == 0)
			_exit(0);
		if (chdir(dir) < 0 || git_setup(true, &err) < 0 ||
		    seed_from_commit(json_string_value(json_object_get(request, "commit")),
				     json_string_value(json_object_get(request, "url")),
				     &err) < 0)
			fprintf(stderr, "checkout: %s\n", error_text(&err));
		_exit(0);
	}
	wait(NULL);
}

static inline void fake_copy_state(const char *top, const json_t *request)
{
	_cleanup_free_ char *path =
		str_format("%s/state-%s-of-%s", top,
			   json_string_value(json_object_get(request, "agent")),
			   json_string_value(json_object_get(request, "from")));

	(void)close(open(path, O_CREAT | O_WRONLY, 0600));
}

static inline void fake_rename(const char *top, const json_t *request)
{
	_cleanup_free_ char *from =
		str_format("%s/proposed/%s", top,
			   json_string_value(json_object_get(request, "agent")));
	_cleanup_free_ char *to = str_format("%s/proposed/%s", top,
					     json_string_value(json_object_get(request, "to")));

	if (access(from, F_OK) == 0)
		(void)rename(from, to);
}

static inline void fake_export(const char *top, const char *agent, int fd)
{
	_cleanup_free_ char *dir = str_format("%s/proposed/%s", top, agent);
	struct reader_limits limits = {.max_object_bytes = 16 << 20};

	if (fork() == 0) {
		if (chdir(dir) == 0 && git_setup(false, NULL) == 0)
			(void)reader_serve(fd, &limits, NULL);
		_exit(0);
	}
}
