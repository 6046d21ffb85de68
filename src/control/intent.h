/* What a generation is about to do, on record for as long as it does it: refs/skep/generation.
 */
#pragma once

#include "control/desired.h"

/* Writes it; one that a crash left behind was seen to before. */
int intent_write(struct hive *hive, const struct desired *desired, struct error *err);

/* Reads it: 1; 0 when there is none. The caller releases *ret, which has no document. */
int intent_read(struct hive *hive, struct desired *ret, struct error *err);

int intent_forget(struct hive *hive, struct error *err);
