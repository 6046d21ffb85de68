/*
 * A filter for seccomp(2). Calls are of four kinds: those of the list are made (a few with some
 * arguments alone); what nothing does that only reads and writes files, but whoever broke into
 * such a process would, ends it; everything else is refused. What is newer than the list does
 * not exist, so that libraries of a newer system go back to the calls they made before.
 */
#include "base/calls.h"

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(SKEP_SANITIZE)

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define MISSING (SECCOMP_RET_ERRNO | ENOSYS)
#define NEWEST SYS_faccessat2 /* of the calls below */

/* instructions of the filter for each call, for each rule, and for the rest */
#define PER_CALL 2
#define PER_RULE 5
#define AROUND 9
#define MOST_RULES 8

static const unsigned short allowed[] = {
	/* what is open */
	SYS_read,
	SYS_write,
	SYS_pread64,
	SYS_pwrite64,
	SYS_readv,
	SYS_writev,
	SYS_lseek,
	SYS_close,
	SYS_close_range,
	SYS_dup,
	SYS_dup3,
	SYS_fcntl,
	SYS_ioctl,
	SYS_flock,
	SYS_fstat,
	SYS_fstatfs,
	SYS_ftruncate,
	SYS_fallocate,
	SYS_fadvise64,
	SYS_fsync,
	SYS_fdatasync,
	SYS_syncfs,
	SYS_fchmod,
	SYS_copy_file_range,
	SYS_sendfile,
	SYS_ppoll,
	SYS_pselect6,
	SYS_sendto,
	SYS_sendmsg,
	SYS_recvfrom,
	SYS_recvmsg,
	SYS_shutdown,
	SYS_getsockopt,
	/* names */
	SYS_openat,
	SYS_openat2,
	SYS_newfstatat,
	SYS_statx,
	SYS_statfs,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_readlinkat,
	SYS_getdents64,
	SYS_getcwd,
	SYS_chdir,
	SYS_fchdir,
	SYS_mkdirat,
	SYS_unlinkat,
	SYS_linkat,
	SYS_symlinkat,
	SYS_renameat,
	SYS_renameat2,
	SYS_fchmodat,
	SYS_truncate,
	SYS_utimensat,
	SYS_umask,
	/* memory */
	SYS_brk,
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_mprotect,
	SYS_madvise,
	/* this process, and time */
	SYS_exit,
	SYS_exit_group,
	SYS_getpid,
	SYS_getppid,
	SYS_gettid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_tgkill,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_sigaltstack,
	SYS_restart_syscall,
	SYS_futex,
	SYS_set_robust_list,
	SYS_sched_yield,
	SYS_sched_getaffinity,
	SYS_getrandom,
	SYS_getrusage,
	SYS_prlimit64,
	SYS_uname,
	SYS_sysinfo,
	SYS_clock_gettime,
	SYS_clock_getres,
	SYS_clock_nanosleep,
	SYS_nanosleep,
	SYS_gettimeofday,
	SYS_setitimer,
#ifdef __x86_64__
	/* older names of the same */
	SYS_open,
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_mkdir,
	SYS_rmdir,
	SYS_unlink,
	SYS_link,
	SYS_symlink,
	SYS_rename,
	SYS_chmod,
	SYS_dup2,
	SYS_poll,
	SYS_select,
	SYS_utime,
	SYS_utimes,
	SYS_getrlimit,
	SYS_time,
	SYS_alarm,
#endif
};

/* Programs, processes, others' memory, mounts, identities: nobody asks for one by mistake. */
static const unsigned short fatal[] = {
	SYS_execve,
	SYS_execveat,
	SYS_clone,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_kill,
	SYS_tkill,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_setns,
	SYS_unshare,
	SYS_setuid,
	SYS_setgid,
	SYS_setreuid,
	SYS_setregid,
	SYS_setresuid,
	SYS_setresgid,
	SYS_setgroups,
	SYS_capset,
	SYS_bpf,
#ifdef __x86_64__
	SYS_fork,
	SYS_vfork,
#endif
};

/* One argument decides: the call is refused where the test holds, or, with only, where not. */
struct rule {
	unsigned short call, argument, test;
	unsigned value;
	bool only;
};

struct code {
	struct sock_filter text[PER_CALL * (ARRAY_SIZE(allowed) + ARRAY_SIZE(fatal) + 1) +
				PER_RULE * MOST_RULES + AROUND];
	unsigned short n;
};

static void add(struct code *code, int operation, unsigned value)
{
	assert(code->n < ARRAY_SIZE(code->text));
	code->text[code->n++] = (struct sock_filter)BPF_STMT((unsigned short)operation, value);
}

/* Skips as many instructions where the test holds, and where it does not. */
static void add_jump(struct code *code, int test, unsigned value, int so, int not_so)
{
	add(code, BPF_JMP | test | BPF_K, value);
	code->text[code->n - 1].jt = (unsigned char)so;
	code->text[code->n - 1].jf = (unsigned char)not_so;
}

static void add_load(struct code *code, size_t offset)
{
	add(code, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset);
}

static void add_call(struct code *code, unsigned call, unsigned action)
{
	add_jump(code, BPF_JEQ, call, 0, 1);
	add(code, BPF_RET | BPF_K, action);
}

/* The lower half of the argument: each that is looked at is an int, or bits of one. */
static void add_rule(struct code *code, const struct rule *rule)
{
	add_jump(code, BPF_JEQ, rule->call, 0, PER_RULE - 1);
	add_load(code, offsetof(struct seccomp_data, args) +
			       rule->argument * sizeof(unsigned long long));
	add_jump(code, rule->test, rule->value, rule->only, !rule->only);
	add(code, BPF_RET | BPF_K, REFUSE);
	add_load(code, offsetof(struct seccomp_data, nr));
}

int calls_limit(struct error *err)
{
	const struct rule rules[] = {
		/* no signal to another process of this user, by any way */
		{SYS_tgkill, 0, BPF_JEQ, (unsigned)getpid(), true},
		{SYS_fcntl, 1, BPF_JEQ, F_SETOWN, false},
		{SYS_fcntl, 1, BPF_JEQ, F_SETOWN_EX, false},
		{SYS_fcntl, 1, BPF_JEQ, F_SETSIG, false},
		/* nor limits that end it */
		{SYS_prlimit64, 0, BPF_JEQ, 0, true},
		/* of a device, whether it is a terminal: the C library asks before it writes */
		{SYS_ioctl, 1, BPF_JEQ, TCGETS, true},
		/* what was written is never run */
		{SYS_mmap, 2, BPF_JSET, PROT_EXEC, false},
		{SYS_mprotect, 2, BPF_JSET, PROT_EXEC, false},
	};
	struct code code = {};
	struct sock_fprog program = {.filter = code.text};

	_Static_assert(ARRAY_SIZE(rules) <= MOST_RULES, "no room for the rules");
	add_load(&code, offsetof(struct seccomp_data, arch));
	add_jump(&code, BPF_JEQ, ARCHITECTURE, 1, 0);
	add(&code, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	add_load(&code, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		add_rule(&code, &rules[i]);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		add_call(&code, allowed[i], SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		add_call(&code, fatal[i], SECCOMP_RET_KILL_PROCESS);
	/* a filter cannot see what it would start: the older call can be judged */
	add_call(&code, SYS_clone3, MISSING);
	add_jump(&code, BPF_JGT, NEWEST, 0, 1);
	add(&code, BPF_RET | BPF_K, MISSING);
	add(&code, BPF_RET | BPF_K, REFUSE);
	program.len = code.n;
	/* what is refused is told in the kernel's log, where the filter around this one permits
	 */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program) <
		    0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return error_set_errno(err, errno, "cannot give up system calls");
	return 0;
}

#else

int calls_limit(struct error *err)
{
	(void)err;
	return 0;
}

#endif
