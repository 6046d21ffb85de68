#include "trace.h"

#include "disk.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* the kernel's own header of ptrace does not go with the one of the C library */
#include <linux/ptrace.h>

#define PROCESSES 64
#define TORN_MAX 65536

static const int changing[] = {
	SYS_write,     SYS_pwrite64,  SYS_writev,    SYS_pwritev,         SYS_sendto,
	SYS_sendmsg,   SYS_renameat,  SYS_renameat2, SYS_unlinkat,        SYS_linkat,
	SYS_symlinkat, SYS_mkdirat,   SYS_ftruncate, SYS_truncate,        SYS_fallocate,
	SYS_fsync,     SYS_fdatasync, SYS_fchmod,    SYS_fchmodat,        SYS_fchown,
	SYS_fchownat,  SYS_utimensat, SYS_sendfile,  SYS_copy_file_range,
#ifdef SYS_rename
	SYS_rename,    SYS_unlink,    SYS_link,      SYS_symlink,         SYS_mkdir,
	SYS_rmdir,     SYS_chmod,     SYS_chown,     SYS_creat,
#endif
};

struct process {
	pid_t pid;
	int syncing; /* the descriptor, until the call returns; −1: none */
};

struct tracer {
	struct trace *trace;
	struct disk *disk;
	struct process processes[PROCESSES];
};

const char *death_name(enum death how)
{
	static const char *const names[DEATHS] = {"before", "torn",  "alone",
						  "losing", "empty", "mixed"};

	return names[how];
}

struct trace *trace_new(void)
{
	struct trace *trace = mmap(NULL, sizeof(*trace), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return trace == MAP_FAILED ? NULL : trace;
}

void trace_free(struct trace *trace)
{
	(void)munmap(trace, sizeof(*trace));
}

/* ---- in the program's process ---- */

/* Asks the tracer about the calls that change something, and about no other. */
static int ask_about_changes(void)
{
	struct sock_filter code[2 * ARRAY_SIZE(changing) + 16];
	struct sock_fprog program = {.filter = code};
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(changing); i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 (unsigned)changing[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, args[2]));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT | O_TRUNC,
						 0, 1);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
#ifdef SYS_open
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 0, 3);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, args[1]));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT | O_TRUNC,
						 0, 1);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
#endif
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

static void become(const struct traced *traced, int begin)
{
	int log = open(traced->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char byte;

	(void)dup2(log, STDERR_FILENO);
	if (read(begin, &byte, 1) != 1)
		_exit(126);
	if (traced->fd == 3)
		(void)fcntl(3, F_SETFD, 0);
	else
		(void)dup2(traced->fd, 3);
	for (const char *const *e = traced->env; *e; e++)
		(void)putenv((char *)*e);
	(void)putenv(str_format("LISTEN_PID=%d", (int)getpid()));
	if (ask_about_changes() == 0)
		(void)execv(traced->argv[0], (char *const *)traced->argv);
	_exit(126);
}

/* ---- in the tracer's ---- */

static struct process *process_of(struct tracer *t, pid_t pid)
{
	struct process *free_one = NULL;

	for (size_t i = 0; i < PROCESSES; i++) {
		if (t->processes[i].pid == pid)
			return &t->processes[i];
		if (!free_one && t->processes[i].pid == 0)
			free_one = &t->processes[i];
	}
	if (!free_one)
		abort();
	*free_one = (struct process){.pid = pid, .syncing = -1};
	return free_one;
}

static void kill_all(const struct tracer *t)
{
	for (size_t i = 0; i < PROCESSES; i++)
		if (t->processes[i].pid > 0)
			(void)kill(t->processes[i].pid, SIGKILL);
}

/* Half of what the call would write is written for it. */
static void tear(pid_t pid, const struct ptrace_syscall_info *info)
{
	static char data[TORN_MAX];
	_cleanup_free_ char *link =
		str_format("/proc/%d/fd/%d", (int)pid, (int)info->seccomp.args[0]);
	_cleanup_free_ char *about =
		str_format("/proc/%d/fdinfo/%d", (int)pid, (int)info->seccomp.args[0]);
	size_t half = (size_t)info->seccomp.args[2] / 2;
	_cleanup_fclose_ FILE *f = fopen(about, "re");
	struct iovec local = {data, half},
		     remote = {(void *)(uintptr_t)info->seccomp.args[1], half};
	_cleanup_close_ int fd = -1;
	long long at = 0;
	unsigned flags = 0;
	struct stat st;

	if (half > sizeof(data) || stat(link, &st) < 0 || !S_ISREG(st.st_mode) || !f ||
	    fscanf(f, "pos: %lld flags: %o", &at, &flags) != 2 ||
	    process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)half)
		return;
	fd = open(link, O_WRONLY | O_CLOEXEC | ((int)flags & O_APPEND));
	if (fd >= 0 && flags & O_APPEND)
		(void)!write(fd, data, half);
	else if (fd >= 0)
		(void)!pwrite(fd, data, half, at);
}

/* Whether it goes on. */
static bool on_call(struct tracer *t, pid_t pid, enum __ptrace_request *ret_how)
{
	struct trace *trace = t->trace;
	struct ptrace_syscall_info info;
	struct process *p = process_of(t, pid);
	long n, nr;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) < 0)
		return true; /* it is gone */
	nr = (long)info.seccomp.nr;
	/* what it says to people changes nothing */
	if (!trace->armed || (nr == SYS_write && info.seccomp.args[0] == STDERR_FILENO))
		n = 0;
	else
		n = ++trace->calls;
	if (n > 0 && n == trace->at) {
		trace->struck = true;
		trace->number = (int)nr;
		if (trace->how == DEATH_ALONE && pid != trace->main) {
			(void)kill(pid, SIGKILL);
			return false;
		}
		if (trace->how == DEATH_TORN && nr == SYS_write)
			tear(pid, &info);
		kill_all(t);
		return false;
	}
	if (t->disk && (nr == SYS_fsync || nr == SYS_fdatasync)) {
		p->syncing = (int)info.seccomp.args[0];
		*ret_how = PTRACE_SYSCALL;
	}
	return true;
}

static void on_return(struct tracer *t, pid_t pid)
{
	struct ptrace_syscall_info info;
	struct process *p = process_of(t, pid);

	if (p->syncing >= 0 &&
	    ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0 &&
	    info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == 0)
		disk_synced(t->disk, pid, p->syncing);
	p->syncing = -1;
}

static void on_stop(struct tracer *t, pid_t pid, int status)
{
	enum __ptrace_request how = PTRACE_CONT;
	int event = status >> 16, deliver = 0;
	unsigned long child = 0;

	(void)process_of(t, pid);
	if (event == PTRACE_EVENT_SECCOMP) {
		if (!on_call(t, pid, &how))
			return;
	} else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
		   event == PTRACE_EVENT_CLONE) {
		if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &child) == 0)
			(void)process_of(t, (pid_t)child);
	} else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
		on_return(t, pid);
	} else if (event == 0) {
		deliver = WSTOPSIG(status);
	}
	(void)ptrace(how, pid, 0, deliver);
}

/* Until none is left. */
static void follow(struct tracer *t)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			on_stop(t, pid, status);
			continue;
		}
		process_of(t, pid)->pid = 0;
		if (pid == t->trace->main)
			kill_all(t);
	}
}

static void trace_main(struct trace *trace, const struct traced *traced)
{
	struct tracer t = {.trace = trace};
	int begin[2], r = 0;
	pid_t pid;

	if (trace->how >= DEATH_LOSING)
		t.disk = disk_new(traced->top, traced->rest);
	if (pipe2(begin, O_CLOEXEC) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0)
		become(traced, begin[0]);
	trace->main = pid;
	(void)process_of(&t, pid);
	if (ptrace(PTRACE_SEIZE, pid, 0,
		   PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			   PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
		trace->failed = errno;
	(void)!write(begin[1], "", 1);
	follow(&t);
	if (t.disk)
		r = disk_cut(t.disk, trace->how, trace->chance);
	if (r < 0)
		trace->failed = -r;
	_exit(0);
}

pid_t trace_start(struct trace *trace, const struct traced *traced)
{
	pid_t pid;

	trace->calls = 0;
	trace->struck = false;
	trace->failed = 0;
	trace->main = 0;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		trace_main(trace, traced);
	}
	return pid;
}
