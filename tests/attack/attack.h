/* What a container's root can try against its host: one row per attempt, and how it went. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * 0: it worked. -errno: it was refused. An attempt never does harm where it works: it writes
 * back what was there, asks for nothing, or changes only what ends with its own process.
 */
typedef int (*attempt_fn)(const void *arg);

struct attack {
	const char *threat; /* a row of the table of threats */
	const char *name;
	attempt_fn run;
	const void *arg;
	const char *lacks; /* why it may not work although nothing forbids it, else NULL */
};

struct attack_list {
	const struct attack *rows;
	size_t count;
};

extern const struct attack_list attacks_on_devices, attacks_on_files, attacks_on_kernel,
	attacks_on_network, attacks_on_processes, attacks_on_settings;

/* What only the host has: a file of this content, and a process of this name. */
#define CANARY "skep-canary"
#define CANARY_FILE "/etc/skep-canary"
#define CANARY_PORT 7799

/* A file system mounted at a place of its own; NULL with errno. Gone with the process. */
const char *mounted(const char *type, const char *source, const char *data);

/* 0 if the file at the path, from the directory on, is the host's. */
int is_canary(int dir_fd, const char *path);

/* The host's canary among the processes, 0 if it cannot be seen. */
pid_t victim(void);

/* Writes to a file what it holds. */
int rewrite(const char *path);

/* The result of a system call as an attempt's. */
int done(long r);
