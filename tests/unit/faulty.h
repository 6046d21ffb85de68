/*
 * System calls and allocations that fail on purpose, for the program that includes this once:
 * its own and those of every library it is linked with go through the functions below. A plan
 * in shared memory says which call of which kinds fails and how; only the processes that called
 * faulty_here() count and fail. What libc calls inside itself (fopen, posix_spawn) does not
 * pass here.
 */
#pragma once

/* its inline read() and poll() would stand in the way of ours: this header comes first */
#undef _FORTIFY_SOURCE

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum fault_kind {
	FAULT_WRITE = 1 << 0,  /* what is written to a file */
	FAULT_SYNC = 1 << 1,   /* of a file or a directory */
	FAULT_CREATE = 1 << 2, /* a new file, directory or name */
	FAULT_NAME = 1 << 3,   /* renames and removals */
	FAULT_CHANGE = 1 << 4, /* modes and sizes */
	FAULT_READ = 1 << 5,   /* of a file */
	FAULT_OPEN = 1 << 6,   /* anything that needs a new descriptor */
	FAULT_TALK = 1 << 7,   /* what waits: sockets, and files once more */
	FAULT_MEMORY = 1 << 8,
};
#define FAULT_KINDS 9

#define FAULT_SHORT (-1) /* instead of an errno: half of it is written or read */

struct fault_plan {
	bool armed;
	unsigned kinds;
	int errnum;
	bool lasts; /* not that one call, but all from it on */
	long after; /* so many calls pass */
	long calls; /* of these kinds since it was armed */
	long hits;
	char where[80];
	long counted[FAULT_KINDS]; /* of every kind since it was armed */
};

static struct fault_plan *fault_plan; /* NULL: as if none of this were here */

/* Shared with the processes that are forked from this one. */
static inline struct fault_plan *faulty_new(void)
{
	return mmap(NULL, sizeof(struct fault_plan), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static inline void faulty_here(struct fault_plan *plan)
{
	fault_plan = plan;
}

static inline void fault_arm(struct fault_plan *plan, unsigned kinds, int errnum, bool lasts,
			     long after)
{
	plan->kinds = kinds;
	plan->errnum = errnum;
	plan->lasts = lasts;
	plan->after = after;
	plan->calls = plan->hits = 0;
	memset(plan->counted, 0, sizeof(plan->counted));
	plan->where[0] = '\0';
	__atomic_store_n(&plan->armed, true, __ATOMIC_SEQ_CST);
}

/* Whether it came to it. */
static inline bool fault_disarm(struct fault_plan *plan)
{
	__atomic_store_n(&plan->armed, false, __ATOMIC_SEQ_CST);
	return plan->hits > 0;
}

/* 0: it goes on; else what is wrong, an errno or FAULT_SHORT */
static int fault_now(unsigned kinds, const char *call, const char *name)
{
	struct fault_plan *p = fault_plan;

	if (!p)
		return 0;
	for (unsigned i = 0; i < FAULT_KINDS; i++)
		if (kinds & (1u << i))
			p->counted[i]++;
	if (!p->armed || !(p->kinds & kinds))
		return 0;
	if (p->calls++ < p->after || (p->hits > 0 && !p->lasts))
		return 0;
	if (p->hits++ == 0)
		(void)snprintf(p->where, sizeof(p->where), "%s %.60s", call, name ? name : "");
	return p->errnum;
}

static bool fault_is_file(int fd)
{
	struct stat st;

	return fault_plan && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Fails a call that has no half. */
#define FAULT(kinds, call, name)                           \
	do {                                               \
		int _fault = fault_now(kinds, call, name); \
                                                           \
		if (_fault > 0) {                          \
			errno = _fault;                    \
			return -1;                         \
		}                                          \
	} while (0)

/* ---- data ---- */

/* How much of it is done; -1: it fails. */
static ssize_t fault_part(unsigned kind, int fd, size_t size, const char *call)
{
	int fault = fault_is_file(fd) ? fault_now(kind | FAULT_TALK, call, NULL) : 0;

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	return (ssize_t)(fault == FAULT_SHORT && size > 1 ? size / 2 : size);
}

ssize_t write(int fd, const void *data, size_t size)
{
	ssize_t part = fault_part(FAULT_WRITE, fd, size, "write");

	return part < 0 ? -1 : syscall(SYS_write, fd, data, part);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	ssize_t part = fault_part(FAULT_WRITE, fd, size, "pwrite");

	return part < 0 ? -1 : syscall(SYS_pwrite64, fd, data, part, at);
}

ssize_t read(int fd, void *data, size_t size)
{
	ssize_t part = fault_part(FAULT_READ, fd, size, "read");

	return part < 0 ? -1 : syscall(SYS_read, fd, data, part);
}

ssize_t pread(int fd, void *data, size_t size, off_t at)
{
	ssize_t part = fault_part(FAULT_READ, fd, size, "pread");

	return part < 0 ? -1 : syscall(SYS_pread64, fd, data, part, at);
}

/* What _FORTIFY_SOURCE makes of the two above. */
ssize_t __read_chk(int fd, void *data, size_t size, size_t room);
ssize_t __read_chk(int fd, void *data, size_t size, size_t room)
{
	if (size > room)
		abort();
	return read(fd, data, size);
}

ssize_t __pread_chk(int fd, void *data, size_t size, off_t at, size_t room);
ssize_t __pread_chk(int fd, void *data, size_t size, off_t at, size_t room)
{
	if (size > room)
		abort();
	return pread(fd, data, size, at);
}

int fsync(int fd)
{
	FAULT(FAULT_SYNC, "fsync", NULL);
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	FAULT(FAULT_SYNC, "fdatasync", NULL);
	return (int)syscall(SYS_fdatasync, fd);
}

/* ---- names ---- */

static int fault_open(int dir, const char *path, int flags, mode_t mode)
{
	unsigned kinds = FAULT_OPEN | (flags & O_CREAT ? FAULT_CREATE : 0);

	FAULT(kinds, "open", path);
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

static mode_t fault_mode(int flags, va_list args)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = fault_mode(flags, args);
	va_end(args);
	return fault_open(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = fault_mode(flags, args);
	va_end(args);
	return fault_open(dir, path, flags, mode);
}

DIR *opendir(const char *path)
{
	int fd = fault_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	return fd < 0 ? NULL : fdopendir(fd);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	FAULT(FAULT_CREATE, "mkdir", path);
	return (int)syscall(SYS_mkdirat, dir, path, mode);
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	FAULT(FAULT_CREATE, "link", to);
	return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	FAULT(FAULT_NAME, "rename", to);
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int dir, const char *path, int flags)
{
	FAULT(FAULT_NAME, "unlink", path);
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int fchmod(int fd, mode_t mode)
{
	FAULT(FAULT_CHANGE, "fchmod", NULL);
	return (int)syscall(SYS_fchmod, fd, mode);
}

int chmod(const char *path, mode_t mode)
{
	FAULT(FAULT_CHANGE, "chmod", path);
	return (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}

int ftruncate(int fd, off_t size)
{
	FAULT(FAULT_CHANGE, "ftruncate", NULL);
	return (int)syscall(SYS_ftruncate, fd, size);
}

/* ---- descriptors and peers ---- */

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	FAULT(FAULT_OPEN | FAULT_TALK, "accept", NULL);
	return (int)syscall(SYS_accept4, fd, address, size, flags);
}

int socketpair(int domain, int type, int protocol, int ret[2])
{
	FAULT(FAULT_OPEN, "socketpair", NULL);
	return (int)syscall(SYS_socketpair, domain, type, protocol, ret);
}

int pipe2(int ret[2], int flags)
{
	FAULT(FAULT_OPEN, "pipe", NULL);
	return (int)syscall(SYS_pipe2, ret, flags);
}

int pidfd_open(pid_t pid, unsigned flags)
{
	FAULT(FAULT_OPEN, "pidfd_open", NULL);
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

int fcntl(int fd, int command, ...)
{
	va_list args;
	long value;

	va_start(args, command);
	value = va_arg(args, long);
	va_end(args);
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		FAULT(FAULT_OPEN, "fcntl", NULL);
	return (int)syscall(SYS_fcntl, fd, command, value);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	FAULT(FAULT_TALK, "sendmsg", NULL);
	return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	FAULT(FAULT_TALK, "recvmsg", NULL);
	return syscall(SYS_recvmsg, fd, message, flags);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	FAULT(FAULT_TALK, "poll", NULL);
	return (int)syscall(SYS_poll, fds, n, ms);
}

/* ---- memory ---- */

#ifndef SKEP_SANITIZE /* a sanitizer's allocator is not to be stood in for */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

#define FAULT_NULL(call)                                   \
	do {                                               \
		if (fault_now(FAULT_MEMORY, call, NULL)) { \
			errno = ENOMEM;                    \
			return NULL;                       \
		}                                          \
	} while (0)

void *malloc(size_t size)
{
	FAULT_NULL("malloc");
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	FAULT_NULL("calloc");
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	FAULT_NULL("realloc");
	return __libc_realloc(old, size);
}

#endif
