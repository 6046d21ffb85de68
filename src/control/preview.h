/*
 * What Nix makes of a proposal, before the verdict: while the hive has nothing else to do, the
 * system of an undecided proposal is built and compared with what runs. The operator sees what
 * really changes, and an approval finds it built.
 */
#pragma once

#include "control/hive.h"

/* Something has ended or begun: looks, a little later, whether there is time for a preview. */
void preview_look(struct hive *hive);

/*
 * What is known of a proposal, a new object: "state" (none, building, ready, failed), "error",
 * "system", "against", and what nix/closure.h says of both.
 */
json_t *preview_of(const struct hive *hive, const struct proposal *proposal);

/* Adds to list the systems of an agent that were built for proposals nobody has decided yet. */
void previews_keep(const struct hive *hive, const struct agent *agent, json_t *list);

/* What they are built from is another: all are made again. */
void previews_forget(struct hive *hive);

void previews_free(struct hive *hive);
