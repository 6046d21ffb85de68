/* Changes of the entries of directories, told on the loop (man inotify). */
#pragma once

#include "base/error.h"
#include "base/loop.h"

struct dirwatch;

/* name of dir was made, written, moved or removed; both "" when some were lost: anything may
 * have changed. */
typedef void (*dirwatch_fn)(const char *dir, const char *name, void *data);

int dirwatch_new(struct loop *loop, dirwatch_fn fn, void *data, struct dirwatch **ret,
		 struct error *err);
void dirwatch_free(struct dirwatch *watch);

/*
 * Watches one more directory, not what is below its directories. One that is watched already is
 * not watched twice; when it is removed, or replaced by another, it has to be added again.
 */
int dirwatch_add(struct dirwatch *watch, const char *dir, struct error *err);
