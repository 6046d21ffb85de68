/* From the repositories to a hive in memory, and on to what is owed: the way every start goes.
 */
#pragma once

#include "control/hive.h"

/*
 * Reads meta and every applied repository, removes what a crash left behind, rolls derived
 * references forward. The hive's lock is held; nothing is asked of skep-exec yet. Blocks.
 */
int recover_load(struct hive *hive, struct error *err);

/*
 * With skep-exec there: looks at every container, opens the agents' sockets, builds what was
 * approved and starts what should run. fn is called once the look was taken (err set when it
 * failed: then nothing was started).
 */
void recover_resume(struct hive *hive, void (*fn)(struct hive *hive, const struct error *err));

/* Takes an agent's tags in, as at the start. */
int recover_scan(struct hive *hive, const char *agent, struct error *err);
