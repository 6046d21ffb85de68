/*
 * What of a directory's tree is on disk: the content of a file when it was synced last, the
 * names of a directory when that was. Synced, a directory is also found by its own name, as
 * journaling file systems see to.
 */
#pragma once

#include "trace.h"

struct disk;

/* All of the tree below top is on disk now, and there is a copy of it below rest. */
struct disk *disk_new(const char *top, const char *rest);

/* A process has synced this descriptor. */
void disk_synced(struct disk *disk, pid_t pid, int fd);

/* Makes of the tree what a machine whose power failed would come back to. Returns 0 or -errno.
 */
int disk_cut(struct disk *disk, enum death how, uint64_t chance);
