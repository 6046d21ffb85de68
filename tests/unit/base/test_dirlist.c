/* All names of small and large directories, each once, with their types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/dirlist.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 500 /* more than one answer of the kernel holds */

static void test_all_names(void **state)
{
	char top[] = "/tmp/skep-test-XXXXXX";
	_cleanup_close_ int fd = -1;
	bool seen[MANY] = {};
	struct dirlist list;
	unsigned char type;
	const char *name;
	int r, dirs = 0;

	(void)state;
	assert_non_null(mkdtemp(top));
	fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dirlist_begin(&list, fd);
	assert_int_equal(dirlist_next(&list, &name, &type), 0);
	assert_int_equal(mkdirat(fd, "a-directory", 0755), 0);
	for (int i = 0; i < MANY; i++) {
		_cleanup_free_ char *file = str_format("file-%d", i);
		_cleanup_close_ int made =
			openat(fd, file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

		assert_true(made >= 0);
	}
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	dirlist_begin(&list, fd);
	while ((r = dirlist_next(&list, &name, &type)) > 0) {
		int i;

		if (sscanf(name, "file-%d", &i) == 1) {
			assert_true(type == DT_REG || type == DT_UNKNOWN);
			assert_false(seen[i]);
			seen[i] = true;
		} else {
			assert_string_equal(name, "a-directory");
			assert_true(type == DT_DIR || type == DT_UNKNOWN);
			dirs++;
		}
	}
	assert_int_equal(r, 0);
	assert_int_equal(dirs, 1);
	for (int i = 0; i < MANY; i++)
		assert_true(seen[i]);
	assert_int_equal(file_remove_tree(AT_FDCWD, top, NULL), 0);
}

static void test_no_directory(void **state)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct dirlist list;
	unsigned char type;
	const char *name;

	(void)state;
	dirlist_begin(&list, fd);
	assert_int_equal(dirlist_next(&list, &name, &type), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_names),
		cmocka_unit_test(test_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
