/*
 * forbidden PROGRAM ARGUMENT...
 *
 * Runs the program once for each of some system calls, with its own descriptors. As soon as the
 * program has limited its calls, the next one it makes is exchanged for that call, and what
 * comes of it is printed: NAME refused (EPERM), missing (ENOSYS), ended (SIGSYS) or made. The
 * first line says what /proc has about the process then. The program does not live on.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>
#include <linux/seccomp.h>

#define STATUS_MAX 65536
#define UNKNOWN_CALL 4000

static const struct {
	const char *name;
	int call;
} calls[] = {
	{"socket", SYS_socket},
	{"prctl", SYS_prctl},
	{"io_uring_setup", SYS_io_uring_setup},
	{"execve", SYS_execve},
	{"clone", SYS_clone},
	{"ptrace", SYS_ptrace},
	{"kill", SYS_kill},
	{"mount", SYS_mount},
	{"unshare", SYS_unshare},
	{"setresuid", SYS_setresuid},
	{"clone3", SYS_clone3},
	{"one-to-come", UNKNOWN_CALL},
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* To the next stop; false: it has ended, and *ret_status says how. */
static bool go_on(pid_t pid, int *ret_status)
{
	if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
		die("PTRACE_SYSCALL");
	if (waitpid(pid, ret_status, 0) != pid)
		die("waitpid");
	return WIFSTOPPED(*ret_status);
}

static struct ptrace_syscall_info info_of(pid_t pid)
{
	struct ptrace_syscall_info info = {};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		die("PTRACE_GET_SYSCALL_INFO");
	return info;
}

static bool is_filter(const struct ptrace_syscall_info *info)
{
	return (info->entry.nr == SYS_seccomp &&
		info->entry.args[0] == SECCOMP_SET_MODE_FILTER) ||
	       (info->entry.nr == SYS_prctl && info->entry.args[0] == PR_SET_SECCOMP);
}

static pid_t start(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
			die("PTRACE_TRACEME");
		execv(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		die("waitpid");
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
		die("PTRACE_SETOPTIONS");
	return pid;
}

/* Stands at the entry of the first call after the filter. */
static void run_to_filter(pid_t pid)
{
	bool asked = false, limited = false;
	int status;

	while (go_on(pid, &status)) {
		struct ptrace_syscall_info info = info_of(pid);

		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && limited)
			return;
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			asked = is_filter(&info);
		else if (info.op == PTRACE_SYSCALL_INFO_EXIT && asked)
			limited = info.exit.rval == 0;
	}
	fprintf(stderr, "it ended (%#x) before it limited its calls\n", (unsigned)status);
	exit(1);
}

static void exchange(pid_t pid, int call)
{
#ifdef __x86_64__
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax),
		   (unsigned long)call) < 0)
		die("PTRACE_POKEUSER");
#else
	(void)pid;
	(void)call;
	fprintf(stderr, "calls can be exchanged on x86-64 alone\n");
	exit(2);
#endif
}

static void print_status(pid_t pid)
{
	_cleanup_free_ char *path = str_format("/proc/%d/status", (int)pid);
	_cleanup_buf_ struct buf text = {};
	static const char *const keys[] = {"NoNewPrivs:\t", "Seccomp:\t"};

	if (file_read(AT_FDCWD, path, STATUS_MAX, &text, NULL) < 0)
		die(path);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *at = strstr(buf_str(&text), keys[i]);

		printf("%s%s%c", i ? " " : "", keys[i], at ? at[strlen(keys[i])] : '?');
	}
	putchar('\n');
}

static const char *what_came(pid_t pid)
{
	struct ptrace_syscall_info info;
	int status;

	if (!go_on(pid, &status))
		return "gone";
	info = info_of(pid);
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == -EPERM)
		return "refused";
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == -ENOSYS)
		return "missing";
	/* it leaves a call that is its end, too, and dies on the way out */
	return !go_on(pid, &status) && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
		       ? "ended"
		       : "made";
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: forbidden PROGRAM ARGUMENT...\n");
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		pid_t pid = start(argv + 1);

		run_to_filter(pid);
		if (i == 0)
			print_status(pid);
		exchange(pid, calls[i].call);
		printf("%s %s\n", calls[i].name, what_came(pid));
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	return 0;
}
