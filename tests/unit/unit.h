/* What every unit test needs: cmocka with what its header forgets, and a directory of its own.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The error's text holds each of the words: what a user is told names what was wrong. */
#define assert_text(err, word)                                                       \
	do {                                                                         \
		if (!strstr(error_text(err), (word)))                                \
			fail_msg("'%s' does not say '%s'", error_text(err), (word)); \
	} while (0)

/* cmocka set-up and tear-down: *state is the path of a fresh directory. */
static inline int unit_dir_setup(void **state)
{
	char path[] = "/tmp/skep-unit-XXXXXX";

	if (!mkdtemp(path))
		return -1;
	*state = strdup(path);
	return *state ? 0 : -1;
}

static inline int unit_dir_teardown(void **state)
{
	struct error err = {};
	int r = file_remove_tree(AT_FDCWD, *state, &err);

	if (r < 0)
		fprintf(stderr, "%s\n", error_text(&err));
	free(*state);
	return r;
}

/* "DIR/NAME" in a buffer of the caller's. */
static inline const char *unit_path(char out[256], void **state, const char *name)
{
	(void)snprintf(out, 256, "%s/%s", (const char *)*state, name);
	return out;
}

/* How many descriptors the process has open: a test that gives back what it took leaves it
 * unchanged. */
static inline int unit_count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			n++;
	return n;
}

#define unit_dir_test(f) cmocka_unit_test_setup_teardown(f, unit_dir_setup, unit_dir_teardown)
