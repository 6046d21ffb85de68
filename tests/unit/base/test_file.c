#include "unit.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

static void put(void **state, const char *name, const char *text)
{
	char path[256];
	_cleanup_close_ int fd =
		open(unit_path(path, state, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_content(void **state, const char *name, const char *text)
{
	_cleanup_buf_ struct buf b = {};
	struct error err = {};
	char path[256];

	if (file_read(AT_FDCWD, unit_path(path, state, name), 4096, &b, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(buf_str(&b), text);
}

static bool exists(void **state, const char *name)
{
	struct stat st;
	char path[256];

	return lstat(unit_path(path, state, name), &st) == 0;
}

static void make_dir(void **state, const char *name)
{
	char path[256];

	assert_int_equal(mkdir(unit_path(path, state, name), 0755), 0);
}

static void make_link(void **state, const char *target, const char *name)
{
	char path[256];

	assert_int_equal(symlink(target, unit_path(path, state, name)), 0);
}

static int open_dir(void **state)
{
	int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_read(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	_cleanup_buf_ struct buf b = {};
	struct error err = {};

	put(state, "f", "hello");
	buf_add_str(&b, "old");
	assert_int_equal(file_read(dir, "f", 5, &b, &err), 0);
	assert_string_equal(b.data, "hello");
	assert_int_equal(file_read(dir, "f", 4, &b, &err), -E2BIG);
	assert_text(&err, "'f' is larger than 4 bytes");
	assert_int_equal(file_read(dir, "none", 4, &b, &err), -ENOENT);
	assert_text(&err, "'none'");
	assert_string_equal(b.data, "hello");
	put(state, "empty", "");
	assert_int_equal(file_read(dir, "empty", 0, &b, &err), 0);
	assert_int_equal(b.size, 0);
	assert_string_equal(buf_str(&b), "");
}

/* None of these may hang, and none is a file. */
static void test_read_refuses_what_is_no_file(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	_cleanup_buf_ struct buf b = {};
	char path[256];
	struct error err = {};
	int before = unit_count_fds();

	assert_int_equal(mkfifo(unit_path(path, state, "fifo"), 0600), 0);
	make_link(state, "loop", "loop");
	assert_int_equal(file_read(dir, "fifo", 100, &b, &err), -EINVAL);
	assert_text(&err, "not a regular file");
	assert_int_equal(file_read(dir, ".", 100, &b, &err), -EINVAL);
	assert_int_equal(file_read(dir, "/dev/zero", 100, &b, &err), -EINVAL);
	assert_int_equal(file_read(dir, "loop", 100, &b, &err), -ELOOP);
	assert_int_equal(unit_count_fds(), before);
}

static void on_alarm(int signum)
{
	(void)signum;
}

struct slow_reader {
	int fd;
	size_t got;
	bool right;
};

static void *read_slowly(void *data)
{
	struct slow_reader *reader = data;
	char chunk[777];
	ssize_t n;

	reader->right = true;
	while ((n = read(reader->fd, chunk, sizeof(chunk))) != 0) {
		for (ssize_t i = 0; i < n; i++)
			if (chunk[i] != (char)(reader->got++ % 251))
				reader->right = false;
	}
	return NULL;
}

/* A signal that interrupts makes write(2) return early: nothing may be lost or written twice.
 */
static void test_write_all_over_short_writes(void **state)
{
	const size_t size = 8 << 20;
	_cleanup_free_ char *data = malloc(size);
	struct sigaction action = {.sa_handler = on_alarm}, old;
	const struct itimerval often = {{0, 500}, {0, 500}}, never = {};
	struct slow_reader reader = {};
	pthread_t thread;
	sigset_t set;
	int fds[2];

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i % 251);
	assert_int_equal(pipe(fds), 0);
	reader.fd = fds[0];
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_int_equal(file_write_all(fds[1], data, size), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	close(fds[1]);
	pthread_join(thread, NULL);
	close(fds[0]);
	assert_int_equal(reader.got, size);
	assert_true(reader.right);
}

static void test_write_all_fails(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(file_write_all(fds[1], "x", 1), -EPIPE);
	close(fds[1]);
	assert_int_equal(file_write_all(-1, "x", 1), -EBADF);
	assert_int_equal(file_write_all(-1, "", 0), 0);
}

static void test_write_atomic(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	struct error err = {};
	struct stat st;
	mode_t mask = umask(077);

	make_dir(state, "sub");
	assert_int_equal(file_write_atomic(dir, "sub/f", "one", 3, 0644, &err), 0);
	assert_content(state, "sub/f", "one");
	assert_int_equal(file_write_atomic(dir, "sub/f", "two", 3, 0640, &err), 0);
	assert_content(state, "sub/f", "two");
	assert_int_equal(fstatat(dir, "sub/f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_write_atomic(dir, "f", "", 0, 0600, &err), 0);
	assert_content(state, "f", "");
	assert_false(exists(state, "f.new"));
	assert_false(exists(state, "sub/f.new"));
	umask(mask);
}

/* A symlink or a leftover where the temporary file goes is replaced, never written through. */
static void test_write_atomic_follows_nothing(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	struct error err = {};

	put(state, "victim", "precious");
	make_link(state, "victim", "f.new");
	make_link(state, "victim", "f");
	assert_int_equal(file_write_atomic(dir, "f", "mine", 4, 0600, &err), 0);
	assert_content(state, "victim", "precious");
	assert_content(state, "f", "mine");
	put(state, "g.new", "left over from a crash");
	assert_int_equal(file_write_atomic(dir, "g", "x", 1, 0600, &err), 0);
	assert_content(state, "g", "x");
}

static void test_write_atomic_fails_whole(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	struct error err = {};
	int before = unit_count_fds();

	make_dir(state, "taken");
	assert_true(file_write_atomic(dir, "taken", "x", 1, 0600, &err) < 0);
	assert_text(&err, "'taken'");
	assert_false(exists(state, "taken.new"));
	assert_int_equal(file_write_atomic(dir, "none/f", "x", 1, 0600, &err), -ENOENT);
	assert_int_equal(file_write_atomic(dir, "taken/", "x", 1, 0600, &err), -EINVAL);
	assert_int_equal(file_write_atomic(dir, "..", "x", 1, 0600, &err), -EINVAL);
	assert_int_equal(unit_count_fds(), before);
}

static void test_open_beneath(void **state)
{
	_cleanup_close_ int dir = open_dir(state), root = open("/", O_RDONLY | O_DIRECTORY);
	struct error err = {};
	int fd;

	make_dir(state, "a");
	make_dir(state, "a/..b");
	put(state, "a/f", "x");
	make_link(state, "a", "link");
	make_link(state, "/", "a/root");
	fd = file_open_beneath(dir, "a/..b", O_RDONLY | O_DIRECTORY, &err);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(file_open_beneath(dir, "link", O_RDONLY, &err), -ELOOP);
	assert_int_equal(file_open_beneath(dir, "link/f", O_RDONLY, &err), -ELOOP);
	assert_int_equal(file_open_beneath(dir, "a/root/etc", O_RDONLY, &err), -ELOOP);
	assert_int_equal(file_open_beneath(dir, "..", O_RDONLY, &err), -EXDEV);
	assert_int_equal(file_open_beneath(dir, "a/..", O_RDONLY, &err), -EXDEV);
	assert_int_equal(file_open_beneath(dir, "a/../a/f", O_RDONLY, &err), -EXDEV);
	assert_int_equal(file_open_beneath(dir, "/etc", O_RDONLY, &err), -EXDEV);
	assert_int_equal(file_open_beneath(dir, "none", O_RDONLY, &err), -ENOENT);
	assert_int_equal(file_open_beneath(dir, "a/f", O_RDONLY | O_DIRECTORY, &err), -ENOTDIR);
	/* a mount point, whoever may have made it */
	assert_int_equal(file_open_beneath(root, "proc/self", O_RDONLY, &err), -EXDEV);
	assert_text(&err, "'proc/self'");
}

static void test_make_dir(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	struct error err = {};
	struct stat st;
	mode_t mask = umask(077);

	assert_int_equal(file_make_dir(dir, "d", 02750, getuid(), getgid(), &err), 0);
	assert_int_equal(fstatat(dir, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 02750);
	assert_int_equal(file_make_dir(dir, "d", 0700, getuid(), getgid(), &err), 0);
	assert_int_equal(fstatat(dir, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	umask(mask);
}

/* Owner and mode must never reach what a link in the place of the directory points at. */
static void test_make_dir_refuses_links_and_files(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	struct error err = {};
	struct stat st;

	make_dir(state, "victim");
	make_link(state, "victim", "link");
	put(state, "file", "x");
	assert_int_equal(file_make_dir(dir, "link", 0777, getuid(), getgid(), &err), -ENOTDIR);
	assert_int_equal(fstatat(dir, "victim", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(file_make_dir(dir, "file", 0777, getuid(), getgid(), &err), -ENOTDIR);
	assert_text(&err, "'file'");
	assert_int_equal(file_make_dir(dir, "no/sub", 0777, getuid(), getgid(), &err), -ENOENT);
}

static void test_make_path(void **state)
{
	char path[256];
	struct error err = {};
	struct stat st;

	assert_int_equal(file_make_path(unit_path(path, state, "a/b//c/"), 0755, &err), 0);
	assert_true(exists(state, "a/b/c"));
	assert_int_equal(chmod(unit_path(path, state, "a"), 0711), 0);
	assert_int_equal(file_make_path(unit_path(path, state, "a/b/c"), 0700, &err), 0);
	assert_int_equal(stat(unit_path(path, state, "a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	put(state, "f", "x");
	assert_int_equal(file_make_path(unit_path(path, state, "f"), 0755, &err), -ENOTDIR);
	assert_int_equal(file_make_path(unit_path(path, state, "f/g"), 0755, &err), -ENOTDIR);
	assert_int_equal(file_make_path("", 0755, &err), -ENOENT);
	assert_int_equal(file_make_path("/", 0755, &err), 0);
}

static void test_remove_tree(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	struct error err = {};
	int before = unit_count_fds();
	char path[256];

	make_dir(state, "t");
	make_dir(state, "t/a");
	make_dir(state, "t/a/empty");
	put(state, "t/a/f", "x");
	put(state, "t/f", "x");
	put(state, "t/.removed-0", "a name we use ourselves");
	make_dir(state, "t/locked");
	put(state, "t/locked/f", "x");
	assert_int_equal(chmod(unit_path(path, state, "t/locked"), 0500), 0);
	assert_int_equal(mkfifo(unit_path(path, state, "t/fifo"), 0600), 0);
	assert_int_equal(file_remove_tree(dir, "t", &err), 0);
	assert_false(exists(state, "t"));
	assert_int_equal(file_remove_tree(dir, "t", &err), 0);
	assert_int_equal(file_remove_tree(dir, "no/such", &err), 0);
	put(state, "file", "x");
	assert_int_equal(file_remove_tree(dir, "file", &err), 0);
	assert_false(exists(state, "file"));
	assert_int_equal(file_remove_tree(dir, "..", &err), -EINVAL);
	assert_int_equal(file_remove_tree(dir, ".", &err), -EINVAL);
	assert_int_equal(file_remove_tree(dir, "", &err), -EINVAL);
	assert_int_equal(unit_count_fds(), before);
}

static void test_remove_tree_follows_nothing(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	struct error err = {};

	make_dir(state, "outside");
	put(state, "outside/f", "precious");
	make_dir(state, "t");
	make_link(state, "../outside", "t/link");
	make_link(state, "../outside/f", "t/file");
	make_link(state, "outside", "top");
	assert_int_equal(file_remove_tree(dir, "t", &err), 0);
	assert_int_equal(file_remove_tree(dir, "top", &err), 0);
	assert_false(exists(state, "t"));
	assert_false(exists(state, "top"));
	assert_content(state, "outside/f", "precious");
}

/* An agent can make a tree deeper than any path and than any number of descriptors. */
static void test_remove_tree_of_any_depth(void **state)
{
	_cleanup_close_ int dir = open_dir(state);
	struct error err = {};
	int fd = dup(dir);

	for (int i = 0; i < 5000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		if (i % 100 == 0)
			assert_int_equal(mkdirat(fd, ".removed-3", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(file_remove_tree(dir, ".removed-3", &err), 0);
	if (file_remove_tree(dir, "d", &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_false(exists(state, "d"));
}

static int write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : file_write_all(fd, text, strlen(text));
}

/* Exit status: 0 when the removal stopped at the mount and the file behind it is still there.
 */
static int remove_with_mount(const char *dir, const char *from, const char *onto,
			     const char *kept, const char *victim)
{
	_cleanup_close_ int fd = -1;
	char map[64];
	struct error err = {};
	uid_t uid = getuid();

	if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return 2;
	(void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	if (uid != 0 && write_text("/proc/self/uid_map", map) < 0)
		return 3;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(from, onto, NULL, MS_BIND, NULL) < 0)
		return 4;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file_remove_tree(fd, victim, &err) != -EXDEV)
		return 5;
	return access(kept, F_OK) == 0 ? 0 : 6;
}

/* A directory bound into the tree is on the same file system, and still not part of the tree.
 */
static void test_remove_tree_stops_at_mounts(void **state)
{
	char from[256], onto[256], kept[256];
	static const char *const victims[] = {"t", "t/inner"};

	make_dir(state, "outside");
	put(state, "outside/f", "precious");
	make_dir(state, "t");
	make_dir(state, "t/inner");
	unit_path(from, state, "outside");
	unit_path(onto, state, "t/inner");
	unit_path(kept, state, "outside/f");
	for (size_t i = 0; i < ARRAY_SIZE(victims); i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(remove_with_mount(*state, from, onto, kept, victims[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_content(state, "outside/f", "precious");
}

static void test_lock(void **state)
{
	char path[256], link[256];
	struct error err = {};
	int fd = file_lock(unit_path(path, state, "lock"), &err);

	assert_true(fd >= 0);
	assert_int_equal(file_lock(path, &err), -EBUSY);
	assert_text(&err, path);
	close(fd);
	fd = file_lock(path, &err);
	assert_true(fd >= 0);
	close(fd);
	make_link(state, "elsewhere", "link");
	assert_int_equal(file_lock(unit_path(link, state, "link"), &err), -ELOOP);
	assert_false(exists(state, "elsewhere"));
}

static void test_program_dir(void **state)
{
	_cleanup_free_ char *dir = file_program_dir();
	_cleanup_free_ char *self = realpath("/proc/self/exe", NULL);

	(void)state;
	assert_int_equal(dir[0], '/');
	assert_non_null(self);
	assert_memory_equal(self, dir, strlen(dir));
	assert_string_equal(self + strlen(dir), "/test_file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_dir_test(test_read),
		unit_dir_test(test_read_refuses_what_is_no_file),
		cmocka_unit_test(test_write_all_over_short_writes),
		cmocka_unit_test(test_write_all_fails),
		unit_dir_test(test_write_atomic),
		unit_dir_test(test_write_atomic_follows_nothing),
		unit_dir_test(test_write_atomic_fails_whole),
		unit_dir_test(test_open_beneath),
		unit_dir_test(test_make_dir),
		unit_dir_test(test_make_dir_refuses_links_and_files),
		unit_dir_test(test_make_path),
		unit_dir_test(test_remove_tree),
		unit_dir_test(test_remove_tree_follows_nothing),
		unit_dir_test(test_remove_tree_of_any_depth),
		unit_dir_test(test_remove_tree_stops_at_mounts),
		unit_dir_test(test_lock),
		cmocka_unit_test(test_program_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
