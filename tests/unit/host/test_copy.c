#include "unit.h"

#include "base/cleanup.h"
#include "host/copy.h"

#include <errno.h>
#include <sys/stat.h>

struct sides {
	int from, into;
	struct copy copy;
};

static void sides_close(struct sides *s)
{
	closep(&s->from);
	closep(&s->into);
}

static struct sides make_sides(void **state)
{
	char path[256];
	struct sides s = {.copy = {.uid = getuid(),
				   .gid = getgid(),
				   .max_files = 100,
				   .max_bytes = 100000}};

	assert_int_equal(mkdir(unit_path(path, state, "from"), 0755), 0);
	s.from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdir(unit_path(path, state, "into"), 0755), 0);
	s.into = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s;
}

static void put(int dir_fd, const char *path, const char *text, mode_t mode)
{
	_cleanup_close_ int fd =
		openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void assert_file(int dir_fd, const char *path, const char *text, mode_t mode)
{
	_cleanup_buf_ struct buf found = {};
	struct stat st;

	assert_int_equal(fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, mode);
	assert_int_equal(file_read(dir_fd, path, 1000, &found, NULL), 0);
	assert_string_equal(buf_str(&found), text);
}

static void test_merges(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	struct error err = {};
	struct stat st;
	char target[32] = "";

	mkdirat(s.from, "etc", 0755);
	mkdirat(s.from, "etc/new", 0700);
	mkdirat(s.from, "usr", 0755);
	mkdirat(s.from, "tmp", 0755);
	put(s.from, "etc/motd", "new", 0644);
	put(s.from, "etc/new/tool", "#!", 04755);
	put(s.from, "usr/x", "x", 0644);
	assert_int_equal(symlinkat("/absolute/target", s.from, "etc/link"), 0);
	mkdirat(s.into, "etc", 0755);
	mkdirat(s.into, "tmp", 01777);
	assert_int_equal(fchmodat(s.into, "tmp", 01777, 0), 0);
	put(s.into, "etc/motd", "old and longer", 0600);
	put(s.into, "etc/kept", "kept", 0600);
	put(s.into, "etc/link", "a file", 0600);
	assert_int_equal(copy_over(s.from, s.into, "rootfs", "usr", &s.copy, &err), 0);
	assert_file(s.into, "etc/motd", "new", 0644);
	assert_file(s.into, "etc/new/tool", "#!", 0755); /* no setuid bit */
	assert_file(s.into, "etc/kept", "kept", 0600);
	assert_int_equal(readlinkat(s.into, "etc/link", target, sizeof(target)), 16);
	assert_string_equal(target, "/absolute/target");
	assert_int_equal(fstatat(s.into, "tmp", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
	assert_int_equal(faccessat(s.into, "usr", F_OK, 0), -1);
}

/* Symlinks of the base are never followed and its directories never replaced. */
static void test_clashes(void **state)
{
	static const char *const names[] = {"bin", "state", "lib"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(sides_close) struct sides s = make_sides(state);
		struct error err = {};
		char path[256];

		mkdirat(s.into, "usr", 0755);
		mkdirat(s.into, "usr/bin", 0755);
		assert_int_equal(symlinkat("usr/bin", s.into, "bin"), 0);
		assert_int_equal(symlinkat("usr/bin", s.into, "lib"), 0);
		mkdirat(s.into, "state", 0700);
		if (i == 0) {
			mkdirat(s.from, "bin", 0755);
			put(s.from, "bin/sh", "evil", 0755);
		} else if (i == 1) {
			assert_int_equal(symlinkat("/etc", s.from, "state"), 0);
		} else {
			put(s.from, "lib", "a file", 0644);
		}
		assert_int_equal(copy_over(s.from, s.into, "rootfs", "usr", &s.copy, &err),
				 -EEXIST);
		assert_text(&err, names[i]);
		assert_text(&err, "rootfs/");
		assert_int_equal(faccessat(s.into, "usr/bin/sh", F_OK, 0), -1);
		assert_int_equal(file_remove_tree(AT_FDCWD, unit_path(path, state, "from"),
						  NULL),
				 0);
		assert_int_equal(file_remove_tree(AT_FDCWD, unit_path(path, state, "into"),
						  NULL),
				 0);
	}
}

/* A link that the tree itself brings leads nowhere while it is copied. */
static void test_symlink_then_directory(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	struct error err = {};
	char path[256];

	assert_int_equal(mkdir(unit_path(path, state, "outside"), 0755), 0);
	mkdirat(s.into, "etc", 0755);
	assert_int_equal(symlinkat("../../outside", s.into, "etc/sub"), 0);
	mkdirat(s.from, "etc", 0755);
	mkdirat(s.from, "etc/sub", 0755);
	put(s.from, "etc/sub/file", "x", 0644);
	assert_int_equal(copy_over(s.from, s.into, "rootfs", NULL, &s.copy, &err), -EEXIST);
	assert_text(&err, "rootfs/etc/sub");
	assert_int_equal(access(unit_path(path, state, "outside/file"), F_OK), -1);
}

static void test_special_files(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	struct error err = {};

	assert_int_equal(mkfifoat(s.from, "pipe", 0600), 0);
	assert_int_equal(copy_over(s.from, s.into, "rootfs", NULL, &s.copy, &err), -EINVAL);
	assert_text(&err, "rootfs/pipe");
	assert_int_equal(copy_entry(s.from, "pipe", s.into, "pipe", "/etc", &s.copy, &err), 0);
	mkdirat(s.from, "sub", 0755);
	put(s.from, "sub/secret", "old passwords", 0640);
	put(s.from, "sub/public", "text", 0644);
	mkdirat(s.from, "sub/closed", 0700);
	assert_int_equal(copy_entry(s.from, "sub", s.into, "sub", "/etc", &s.copy, &err), 0);
	assert_file(s.into, "sub/public", "text", 0644);
	assert_int_equal(faccessat(s.into, "sub/secret", F_OK, 0), -1);
	assert_int_equal(faccessat(s.into, "sub/closed", F_OK, 0), -1);
	assert_int_equal(copy_entry(s.from, "none", s.into, "none", "/etc", &s.copy, &err), 0);
	assert_int_equal(faccessat(s.into, "pipe", F_OK, 0), -1);
}

static void test_bounds(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	struct error err = {};

	put(s.from, "one", "12345", 0644);
	put(s.from, "two", "12345", 0644);
	s.copy.max_bytes = 9;
	assert_int_equal(copy_over(s.from, s.into, "rootfs", NULL, &s.copy, &err), -E2BIG);
	s.copy = (struct copy){.uid = getuid(),
			       .gid = getgid(),
			       .max_files = 1,
			       .max_bytes = 99};
	assert_int_equal(copy_over(s.from, s.into, "rootfs", NULL, &s.copy, &err), -E2BIG);
	s.copy = (struct copy){.uid = getuid(),
			       .gid = getgid(),
			       .max_files = 2,
			       .max_bytes = 10};
	assert_int_equal(copy_over(s.from, s.into, "rootfs", NULL, &s.copy, &err), 0);
}

static void test_depth(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	_cleanup_close_ int fd = dup(s.from);
	struct error err = {};

	s.copy.max_files = 10000;
	for (int i = 0; i < 300; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	assert_int_equal(copy_over(s.from, s.into, "rootfs", NULL, &s.copy, &err), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_dir_test(test_merges),
		unit_dir_test(test_clashes),
		unit_dir_test(test_symlink_then_directory),
		unit_dir_test(test_special_files),
		unit_dir_test(test_bounds),
		unit_dir_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
