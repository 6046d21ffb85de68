/* What one container keeps, copied for another: owners shifted, holes kept, nothing followed.
 */
#include "unit.h"

#include "base/cleanup.h"
#include "host/copy_state.h"

#include <errno.h>
#include <sys/stat.h>

struct sides {
	int from, into;
	struct copy_state copy;
};

static void sides_close(struct sides *s)
{
	closep(&s->from);
	closep(&s->into);
}

static struct sides make_sides(void **state)
{
	char path[256];
	struct sides s = {.copy = {.from_base = getuid(),
				   .to_base = getuid(),
				   .max_files = 100,
				   .max_bytes = 10 << 20}};

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
	assert_int_equal(st.st_mode & 07777, mode);
	assert_int_equal(file_read(dir_fd, path, 1000, &found, NULL), 0);
	assert_string_equal(buf_str(&found), text);
}

static void test_copies(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct error err = {};
	struct stat st;
	char target[64] = "";

	assert_int_equal(mkdirat(s.from, "d", 0750), 0);
	put(s.from, "d/a", "one", 0640);
	put(s.from, "run", "two", 04755);
	put(s.from, "-\n", "odd name", 0600);
	assert_int_equal(symlinkat("/etc/shadow", s.from, "d/link"), 0);
	assert_int_equal(mkfifoat(s.from, "fifo", 0600), 0);
	assert_int_equal(utimensat(s.from, "d", times, 0), 0);
	assert_int_equal(copy_state(s.from, s.into, "it", &s.copy, &err), 0);
	assert_file(s.into, "d/a", "one", 0640);
	assert_file(s.into, "run", "two", 04755);
	assert_file(s.into, "-\n", "odd name", 0600);
	assert_true(readlinkat(s.into, "d/link", target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "/etc/shadow");
	assert_int_equal(fstatat(s.into, "fifo", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(s.copy.left_out, 1);
	assert_int_equal(fstatat(s.into, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(st.st_mtim.tv_sec, 2000);
	/* only into an empty one */
	assert_true(copy_state(s.from, s.into, "it", &s.copy, &err) < 0);
}

/* A file of a gigabyte that takes no room takes none in the copy. */
static void test_holes(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	_cleanup_close_ int fd = openat(s.from, "big", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct error err = {};
	struct stat st;
	char c = 0;

	assert_int_equal(pwrite(fd, "x", 1, 600 << 20), 1);
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	assert_int_equal(copy_state(s.from, s.into, "it", &s.copy, &err), 0);
	assert_int_equal(fstatat(s.into, "big", &st, 0), 0);
	assert_int_equal(st.st_size, 1 << 30);
	assert_true(st.st_blocks < 4096);
	(void)close(fd);
	fd = openat(s.into, "big", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, &c, 1, 600 << 20), 1);
	assert_int_equal(c, 'x');
}

static void test_too_many(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	struct error err = {};

	s.copy.max_files = 2;
	put(s.from, "1", "x", 0600);
	put(s.from, "2", "x", 0600);
	put(s.from, "3", "x", 0600);
	assert_int_equal(copy_state(s.from, s.into, "it", &s.copy, &err), -E2BIG);
	assert_non_null(strstr(error_text(&err), "too much"));
}

static void test_too_deep(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	struct error err = {};
	int at = dup(s.from);

	s.copy.max_files = 10000;
	for (int i = 0; i < 200; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0700), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(at);
		at = next;
	}
	(void)close(at);
	assert_int_equal(copy_state(s.from, s.into, "it", &s.copy, &err), -ELOOP);
}

/* Owners keep their place; what is not of the range becomes its root's. Needs root. */
static void test_owners(void **state)
{
	_cleanup_(sides_close) struct sides s = make_sides(state);
	struct error err = {};
	struct stat st;

	if (geteuid() != 0)
		return;
	s.copy.from_base = 1310720;
	s.copy.to_base = 1376256;
	put(s.from, "root", "x", 0600);
	put(s.from, "user", "x", 04700);
	put(s.from, "foreign", "x", 0600);
	assert_int_equal(fchownat(s.from, "root", 1310720, 1310720, 0), 0);
	assert_int_equal(fchownat(s.from, "user", 1310720 + 1000, 1310720 + 100, 0), 0);
	assert_int_equal(fchmodat(s.from, "user", 04700, 0), 0);
	assert_int_equal(copy_state(s.from, s.into, "it", &s.copy, &err), 0);
	assert_int_equal(fstatat(s.into, "root", &st, 0), 0);
	assert_int_equal(st.st_uid, 1376256);
	assert_int_equal(fstatat(s.into, "user", &st, 0), 0);
	assert_int_equal(st.st_uid, 1376256 + 1000);
	assert_int_equal(st.st_gid, 1376256 + 100);
	assert_int_equal(st.st_mode & 07777, 04700);
	assert_int_equal(fstatat(s.into, "foreign", &st, 0), 0);
	assert_int_equal(st.st_uid, 1376256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_dir_test(test_copies),   unit_dir_test(test_holes),
		unit_dir_test(test_too_many), unit_dir_test(test_too_deep),
		unit_dir_test(test_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
