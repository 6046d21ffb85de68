/*
 * A program and its children under ptrace: the calls by which they change something outside
 * themselves are counted, and at one of them they die. What was written by then and not synced
 * can be lost as well.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum death {
	DEATH_BEFORE, /* the call is not made */
	DEATH_TORN,   /* half of what is written to a file arrives */
	DEATH_ALONE,  /* a child dies, the program does not */
	DEATH_LOSING, /* the machine: nothing that was not synced is there */
	DEATH_EMPTY,  /* the machine: all names are there, what was not synced is not in them */
	DEATH_MIXED,  /* the machine: by chance, for each file and directory */
	DEATHS,
};

const char *death_name(enum death how);

/* Shared with the process that traces. */
struct trace {
	atomic_long calls;  /* since it was armed */
	atomic_long at;     /* it dies at this one; 0: at none */
	atomic_bool armed;  /* calls count */
	atomic_bool struck; /* it came to that call */
	atomic_int number;  /* of the system call it died at */
	atomic_int main;    /* the program's process */
	atomic_int failed;  /* errno of what went wrong with tracing */
	enum death how;
	uint64_t chance;
};

struct traced {
	const char *const *argv, *const *env;
	int fd;           /* becomes 3; its children do not get it */
	const char *log;  /* what it says */
	const char *top;  /* what is lived in */
	const char *rest; /* a copy of it as it was when everything was on disk; NULL: the
			   * machine does not die */
};

/* A new trace, shared with children of this process. */
struct trace *trace_new(void);
void trace_free(struct trace *trace);

/* Starts it and returns the process that traces, which ends when all that it traces have. */
pid_t trace_start(struct trace *trace, const struct traced *traced);
