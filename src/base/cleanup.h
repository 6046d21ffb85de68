/* Owning locals: initialised on their line, released when they leave scope. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define TAKE_PTR(ptr)                        \
	({                                   \
		typeof(ptr) *_pptr = &(ptr); \
		typeof(ptr) _taken = *_pptr; \
		*_pptr = NULL;               \
		_taken;                      \
	})

#define TAKE_FD(fd)                    \
	({                             \
		int *_pfd = &(fd);     \
		int _taken_fd = *_pfd; \
		*_pfd = -1;            \
		_taken_fd;             \
	})

/* Defines f##p, which calls f on a local of that pointer type unless it is NULL. */
#define DEFINE_CLEANUP(type, f)          \
	static inline void f##p(type *p) \
	{                                \
		if (*p)                  \
			f(*p);           \
	}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

DEFINE_CLEANUP(FILE *, fclose)
DEFINE_CLEANUP(DIR *, closedir)

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)
#define _cleanup_closedir_ _cleanup_(closedirp)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
