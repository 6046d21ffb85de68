/*
 * What skep-exec keeps in files for containers, watched for others who change them: the word
 * {"event":"files"} says that a look at the containers may find a difference.
 */
#pragma once

#include "base/loop.h"
#include "skep-exec/options.h"

struct files;

/* fn is called for what changed, at most once a second. A machine that has no watch to give is
 * no failure: what changed is found by the next look. */
struct files *files_new(struct loop *loop, const struct options *options,
			void (*fn)(void *data), void *data);
void files_free(struct files *files);

/* An agent was started, stopped or removed: its files are watched if it has any. */
void files_watch(struct files *files, const char *agent);
