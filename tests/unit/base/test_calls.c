/* What a process can still do once its system calls are limited. */
#include "unit.h"

#include "base/calls.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define I386_GETPID 20

static int call_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int call_socketpair(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static int call_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int call_tgkill(void)
{
	return tgkill(getppid(), getppid(), 0);
}

static int call_setown(void)
{
	return fcntl(STDERR_FILENO, F_SETOWN, getpid());
}

static int call_setsig(void)
{
	return fcntl(STDERR_FILENO, F_SETSIG, 0);
}

static int call_ioctl(void)
{
	int n;

	return ioctl(STDIN_FILENO, FIONREAD, &n) < 0 && errno == EPERM ? -1 : 0;
}

static int call_isatty(void)
{
	return !isatty(STDIN_FILENO) && errno == EPERM ? -1 : 0;
}

static int call_prlimit(void)
{
	struct rlimit limit;

	return prlimit(getppid(), RLIMIT_CPU, NULL, &limit);
}

static int call_mmap(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int call_mprotect(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int call_execve(void)
{
	char *argv[] = {(char *)"true", NULL}, *envp[] = {NULL};

	return execve("/bin/true", argv, envp);
}

/* The child goes the way its parent goes. */
static int call_fork(void)
{
	return fork();
}

static int call_ptrace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int call_mount(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static int call_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}

static int call_setuid(void)
{
	return (int)syscall(SYS_setuid, getuid());
}

static int call_kill(void)
{
	return kill(getpid(), 0);
}

static int call_clone3(void)
{
	return (int)syscall(SYS_clone3, NULL, 0);
}

/* One that is younger than the list. */
static int call_futex_waitv(void)
{
	return (int)syscall(449, NULL, 0, 0, NULL, 0);
}

static int call_unknown(void)
{
	return (int)syscall(4000);
}

static int call_raise(void)
{
	(void)signal(SIGUSR1, SIG_IGN);
	return raise(SIGUSR1);
}

static int call_abort(void)
{
	(void)signal(SIGABRT, SIG_IGN);
	return raise(SIGABRT);
}

static int call_utimes(void)
{
	return utimes("/dev/null/no", NULL) < 0 && errno == ENOTDIR ? 0 : -1;
}

static int call_faccessat2(void)
{
	return faccessat(AT_FDCWD, "/", R_OK, AT_EACCESS);
}

/* Runs call in a process of its own: its errno, 0 where it succeeded, minus the signal it died
 * of. */
static int errno_of(bool limited, int (*call)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    (limited && calls_limit(NULL) < 0))
			_exit(255);
		_exit(call() < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void test_limited(void **state)
{
	static const struct {
		const char *name;
		int (*call)(void);
		int result;
	} cases[] = {
		{"socket", call_socket, EPERM},
		{"socketpair", call_socketpair, EPERM},
		{"prctl", call_prctl, EPERM},
		{"tgkill", call_tgkill, EPERM},
		{"fcntl F_SETOWN", call_setown, EPERM},
		{"fcntl F_SETSIG", call_setsig, EPERM},
		{"prlimit64", call_prlimit, EPERM},
		{"ioctl", call_ioctl, EPERM},
		{"mmap", call_mmap, EPERM},
		{"mprotect", call_mprotect, EPERM},
		{"execve", call_execve, -SIGSYS},
		{"fork", call_fork, -SIGSYS},
		{"ptrace", call_ptrace, -SIGSYS},
		{"mount", call_mount, -SIGSYS},
		{"unshare", call_unshare, -SIGSYS},
		{"setuid", call_setuid, -SIGSYS},
		{"kill", call_kill, -SIGSYS},
		{"clone3", call_clone3, ENOSYS},
		{"futex_waitv", call_futex_waitv, ENOSYS},
		{"of a kernel to come", call_unknown, ENOSYS},
		{"isatty", call_isatty, 0},
		{"raise", call_raise, 0},
		{"abort", call_abort, 0},
		{"utimes", call_utimes, 0},
		{"faccessat2", call_faccessat2, 0},
	};

	(void)state;
#ifndef SKEP_SANITIZE
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = errno_of(true, cases[i].call);

		if (r != cases[i].result)
			fail_msg("%s: %d", cases[i].name, r);
	}
#endif
	/* none of the kinds are refused to just anybody */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = cases[i].call == call_mount || cases[i].call == call_unshare ||
					cases[i].result == ENOSYS
				? 0
				: errno_of(false, cases[i].call);

		if (r != 0)
			fail_msg("%s, not limited: %d", cases[i].name, r);
	}
}

#if defined(__x86_64__) && !defined(SKEP_SANITIZE)
#define HAS_FOREIGN

/* By the way into the kernel that programs of 32 bits take, whose numbers mean other calls. */
static int call_as_i386(void)
{
	int r = I386_GETPID;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory");
	return r;
}

static int call_as_x32(void)
{
	return (int)syscall(0x40000000 | SYS_getpid);
}

static void test_foreign(void **state)
{
	(void)state;
	assert_int_equal(errno_of(true, call_as_i386), -SIGSYS);
	assert_int_equal(errno_of(true, call_as_x32), ENOSYS);
}
#endif

static int work(const char *dir)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *much = malloc(8 << 20);

	return fd < 0 || !much || file_write_atomic(fd, "name", "text", 4, 0644, NULL) < 0 ||
	       file_read(fd, "name", 100, &text, NULL) < 0 || text.size != 4 ||
	       unlinkat(fd, "name", 0) < 0;
}

static void test_files(void **state)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || calls_limit(NULL) < 0)
			_exit(255);
		_exit(work(*state));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limited),
#ifdef HAS_FOREIGN
		cmocka_unit_test(test_foreign),
#endif
		cmocka_unit_test_setup_teardown(test_files, unit_dir_setup, unit_dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
