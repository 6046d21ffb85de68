/*
 * A process that has a program's libraries loaded and forks a child of them for each job
 * (Chromium's and Android's word for it). Loading and relocating a dozen libraries takes longer
 * than most jobs do.
 *
 *   skepd ── skepd zygote         started by exec: there is nothing of skepd's memory in it
 *     └───── skepd import-worker  forked by the zygote, a child of skepd
 *
 * It does nothing but fork, reads nothing that others wrote, and holds no descriptor but its
 * end of a socket. What it forks is a child of whoever asked (CLONE_PARENT), who waits for it
 * and kills it like one that was started by exec; it has the descriptors it was given, 0 to 2
 * at least /dev/null, and gives up its rights by itself, as the program does anyhow. Children
 * of one zygote have the same addresses and the same stack canary: who breaks into one by
 * guessing them knows those of the next. The zygote ends when who started it does.
 */
#pragma once

#include "base/child.h"

struct zygote;

/*
 * Of the program in this file, under this name; it comes to zygote_serve() when it is run with
 * the one argument ZYGOTE_WORD. It is started when it is needed, and again when it has died.
 */
#define ZYGOTE_WORD "zygote"
struct zygote *zygote_new(const char *path, const char *name);
void zygote_free(struct zygote *zygote);

/* child_spawn() of a child that is forked; blocks as long as a fork takes. path and env of spec
 * do not count. */
int zygote_spawn(struct zygote *zygote, const struct child_spec *spec, pid_t *ret_pid,
		 int *ret_pidfd, struct error *err);

/* Whether a process is the zygote itself. */
bool zygote_own(const struct zygote *zygote, pid_t pid);

/*
 * The other end, for a process of one thread: called with the arguments of main(), it returns
 * once in each child, with that child's. In the zygote itself it does not return: when nobody
 * asks any more the process ends.
 */
void zygote_serve(int *argc, char ***argv);
