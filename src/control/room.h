/* Whether the state directory takes what has to be written down. */
#pragma once

#include "control/hive.h"

/* -ENOSPC: there is less room than a verdict may need; -EROFS: nothing can be written. */
int room_check(const struct hive *hive, struct error *err);

/* That err says so, and that it is so at this moment: nothing else was the cause. */
bool room_is_why(const struct hive *hive, const struct error *err);
