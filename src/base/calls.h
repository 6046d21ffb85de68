/* The system calls that are left to a process which reads foreign data. */
#pragma once

#include "base/error.h"

/*
 * Leaves this process the calls that files, memory, time and the descriptors it has take. From
 * then on it dies (SIGSYS) of running a program, making a process, looking into another,
 * mounting or changing its identity, or of a call of another architecture; sockets and all
 * else are refused (EPERM; ENOSYS for calls that are newer than this list), and nothing new
 * becomes executable. Both are told in the kernel's log. For a process of one thread that gains
 * no privileges (PR_SET_NO_NEW_PRIVS). Does nothing where the calls are not known (x86-64 and
 * arm64 are), and under a sanitizer, which makes others: it looks for leaks by tracing.
 */
int calls_limit(struct error *err);
