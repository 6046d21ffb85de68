/*
 * What an instrumented program does with the sanitizers' findings. They are added to one file,
 * opened at the start: the process may become another user, change its root and lose its
 * standard error later.
 */
#include <errno.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORTS_IN_HOST "/run/sanitizer/all"
#ifndef REPORTS /* of this machine; make says where */
#define REPORTS REPORTS_IN_HOST
#endif
#define FIRST_FD 1000 /* of those that nobody closes */

const char *__asan_default_options(void);
int __lsan_is_turned_off(void);

/* Where a process ends up, there is no program to read symbols with, nor limits to change. */
const char *__asan_default_options(void)
{
	return "exitcode=88:symbolize=0:disable_coredump=0:quarantine_size_mb=16";
}

/* Leaks are looked for by tracing: not in a process that nobody may look into, nor where no
 * process may be traced. */
int __lsan_is_turned_off(void)
{
	int status;
	pid_t pid;

	if (prctl(PR_GET_DUMPABLE) != 1 || access("/proc/self/maps", R_OK) < 0)
		return 1;
	pid = fork();
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0);
	return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

__attribute__((constructor)) static void open_reports(void)
{
	int fd = open(REPORTS, O_WRONLY | O_APPEND | O_CLOEXEC), kept;

	if (fd < 0)
		fd = open(REPORTS_IN_HOST, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return;
	kept = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
	(void)close(fd);
	if (kept >= 0)
		__sanitizer_set_report_fd((void *)(uintptr_t)kept);
}
