/* This program is also the zygote, and the children it forks. */
#include "loop_unit.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/zygote.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define LONG 70000

static char memory[] = "as it was loaded";

/* ---- in the children ---- */

/* Their numbers, but for that of the list itself. */
static void print_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir))
			printf("%s ", entry->d_name);
}

static int be_child(int argc, char **argv)
{
	const char *what = argv[1];

	if (strcmp(what, "exit") == 0)
		return atoi(argv[2]);
	if (strcmp(what, "sleep") == 0)
		(void)sleep(60);
	if (strcmp(what, "parent") == 0)
		printf("%d", (int)getppid());
	if (strcmp(what, "memory") == 0)
		printf("%s", memory);
	if (strcmp(what, "fds") == 0)
		print_fds();
	if (strcmp(what, "session") == 0)
		printf("%d", getsid(0) == getpid());
	if (strcmp(what, "count") == 0)
		printf("%d", argc);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- in the test ---- */

struct ending {
	struct child_exit exit;
	char output[256];
	bool done;
	struct loop *loop;
};

static void on_end(const struct child_exit *exit, const struct buf *output, void *data)
{
	struct ending *e = data;

	e->exit = *exit;
	snprintf(e->output, sizeof(e->output), "%s", buf_str(output));
	e->done = true;
	loop_stop(e->loop);
}

static struct ending run(struct zygote *z, struct child_spec spec, int64_t deadline_ms)
{
	struct loop *loop = loop_new();
	struct ending ending = {.loop = loop};
	struct error err = {};

	spec.zygote = z;
	if (child_start(loop, &spec, deadline_ms, 4096, on_end, &ending, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
	(void)loop_run(loop);
	loop_free(loop);
	assert_true(ending.done);
	return ending;
}

#define RUN(z, ...) \
	run(z, (struct child_spec){.argv = (const char *[]){"it", __VA_ARGS__, NULL}}, 0)

static struct zygote *make(void)
{
	return zygote_new("/proc/self/exe", "it");
}

static void test_child(void **state)
{
	struct zygote *z = make();
	struct ending e = RUN(z, "exit", "7");
	char pid[16];

	(void)state;
	assert_false(e.exit.signaled);
	assert_int_equal(e.exit.status, 7);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_string_equal(RUN(z, "parent").output, pid);
	assert_string_equal(RUN(z, "count", "", "b").output, "4");
	assert_string_equal(RUN(z, "session").output, "0");
	e = run(z,
		(struct child_spec){.argv = (const char *[]){"it", "session", NULL},
				    .new_session = true},
		0);
	assert_string_equal(e.output, "1");
	zygote_free(z);
}

/* A zygote is another program's image, not a copy of who asks. */
static void test_memory(void **state)
{
	struct zygote *z = make();

	(void)state;
	memcpy(memory, "agents'", 7);
	assert_string_equal(RUN(z, "memory").output, "as it was loaded");
	memcpy(memory, "as it w", 7);
	zygote_free(z);
}

static void test_descriptors(void **state)
{
	struct zygote *z = make();
	int leaked = dup2(STDERR_FILENO, 20), given = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const struct child_fd fds[] = {{.fd = given, .target = 4}, {.fd = given, .target = 9}};
	struct child_spec spec = {.argv = (const char *[]){"it", "fds", NULL}};

	(void)state;
	assert_string_equal(run(z, spec, 0).output, "0 1 2 ");
	spec.fds = fds;
	spec.n_fds = 2;
	assert_string_equal(run(z, spec, 0).output, "0 1 2 4 9 ");
	spec.n_fds = 0;
	assert_string_equal(run(z, spec, 0).output, "0 1 2 ");
	close(leaked);
	close(given);
	zygote_free(z);
}

static void test_deadline(void **state)
{
	struct zygote *z = make();
	struct child_spec spec = {.argv = (const char *[]){"it", "sleep", NULL}};
	struct ending e = run(z, spec, 100);

	(void)state;
	assert_true(e.exit.timed_out);
	assert_int_equal(e.exit.status, SIGKILL);
	zygote_free(z);
}

static pid_t start(struct zygote *z, const char *what, int *ret_pidfd)
{
	const struct child_spec spec = {.argv = (const char *[]){"it", what, "one",
								 "and another", NULL},
					.zygote = z};
	struct error err = {};
	pid_t pid = 0;

	if (child_spawn(&spec, &pid, ret_pidfd, &err) < 0)
		fail_msg("%s", error_text(&err));
	return pid;
}

static pid_t zygote_of(const struct zygote *z)
{
	_cleanup_fclose_ FILE *list = fopen("/proc/thread-self/children", "re");
	int pid;

	while (list && fscanf(list, "%d", &pid) == 1)
		if (zygote_own(z, pid))
			return pid;
	return 0;
}

/* Also one that nobody has waited for yet. */
static bool is_dead(pid_t pid)
{
	_cleanup_free_ char *path = str_format("/proc/%d/stat", (int)pid);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char state = 0;

	return !f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z';
}

static void test_title(void **state)
{
	struct zygote *z = make();
	int pidfd = -1;
	pid_t pid = start(z, "sleep", &pidfd);
	_cleanup_free_ char *path = str_format("/proc/%d/cmdline", (int)pid);
	char line[64] = "";

	(void)state;
	for (int i = 0; i < 500 && !strstr(line, "sleep"); i++) {
		_cleanup_buf_ struct buf text = {};

		assert_int_equal(file_read(AT_FDCWD, path, 4096, &text, NULL), 0);
		snprintf(line, sizeof(line), "%s", buf_str(&text));
		(void)usleep(10000);
	}
	assert_string_equal(line, "it sleep one and another");
	child_kill(pidfd);
	close(pidfd);
	zygote_free(z);
}

/* What it forked lives on, and the next job gets another. */
static void test_killed(void **state)
{
	struct zygote *z = make();
	struct child_exit exit;
	int pidfd = -1, other = -1;
	pid_t first, second;

	(void)state;
	(void)start(z, "sleep", &pidfd);
	first = zygote_of(z);
	assert_true(first > 0);
	assert_int_equal(kill(first, SIGKILL), 0);
	while (!is_dead(first))
		(void)usleep(10000);
	(void)start(z, "sleep", &other);
	second = zygote_of(z);
	assert_true(second > 0 && second != first);
	assert_int_equal(child_wait(pidfd, 0, &exit), -ETIMEDOUT);
	child_kill(pidfd);
	child_kill(other);
	close(pidfd);
	close(other);
	zygote_free(z);
}

static void test_freed(void **state)
{
	struct zygote *z = make();
	struct child_exit exit;
	int pidfd = -1;
	pid_t pid;

	(void)state;
	(void)start(z, "sleep", &pidfd);
	pid = zygote_of(z);
	zygote_free(z);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(child_wait(pidfd, 0, &exit), -ETIMEDOUT);
	child_kill(pidfd);
	close(pidfd);
}

/* It ends with who started it, however that ends. */
static void test_orphan(void **state)
{
	int told[2];
	pid_t pid, zygote = 0;

	(void)state;
	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (pid == 0) {
		struct zygote *z = make();
		int pidfd = -1;

		(void)start(z, "exit", &pidfd);
		zygote = zygote_of(z);
		(void)!write(told[1], &zygote, sizeof(zygote));
		(void)pause();
	}
	assert_int_equal(read(told[0], &zygote, sizeof(zygote)), sizeof(zygote));
	assert_true(zygote > 0);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	for (int i = 0; i < 1000 && !is_dead(zygote); i++)
		(void)usleep(10000);
	assert_true(is_dead(zygote));
	close(told[0]);
	close(told[1]);
}

static void test_refused(void **state)
{
	struct zygote *z = make(), *absent = zygote_new("/nonexistent/it", "it");
	_cleanup_free_ char *text = mem_new(LONG + 1, 1);
	struct child_spec spec = {.argv = (const char *[]){"it", text, NULL}, .zygote = z};
	struct error err = {};
	pid_t pid;
	int pidfd;

	(void)state;
	memset(text, 'a', LONG);
	assert_int_equal(child_spawn(&spec, &pid, &pidfd, &err), -E2BIG);
	assert_int_equal(RUN(z, "exit", "3").exit.status, 3);
	spec.argv = (const char *[]){"it", "exit", "0", NULL};
	spec.zygote = absent;
	assert_int_equal(child_spawn(&spec, &pid, &pidfd, &err), -ENOENT);
	zygote_free(absent);
	zygote_free(z);
	zygote_free(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child),       cmocka_unit_test(test_memory),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_title),       cmocka_unit_test(test_killed),
		cmocka_unit_test(test_freed),       cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_refused),
	};

	if (argc == 2 && strcmp(argv[1], ZYGOTE_WORD) == 0)
		zygote_serve(&argc, &argv);
	if (argc > 1)
		return be_child(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
