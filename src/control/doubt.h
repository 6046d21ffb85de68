/* A write to the record of which nobody could tell whether it counts: settled before the next.
 */
#pragma once

#include "control/hive.h"

/* oid was to be written to a reference of dir where old was; "": nothing was. */
void doubt_note(struct hive *hive, const char *dir, const char *ref, const char *oid,
		const char *old);

/* Takes it back if it is there. While that fails nothing may be written. */
int doubt_settle(struct hive *hive, struct error *err);
