/*
 * A generation of a declared hive: all of its changes or none. One commit in meta says so, and
 * until that everything that was there stays recorded.
 */
#pragma once

#include "control/desired.h"
#include "control/ledger.h"

struct generation;

/* Told once, at the end; err NULL: it holds. */
typedef void (*generation_fn)(struct hive *hive, const struct error *err, void *data);

/*
 * Makes a plan true (taken over, also by a failure). digest is of the document. -EBUSY while
 * another is on its way.
 */
int generation_begin(struct hive *hive, struct desired *desired, const char *digest,
		     const struct actor *actor, generation_fn fn, void *data,
		     struct error *err);

/* At start, with the record read: what a crash left of one. Before the containers are looked
 * at. */
int generation_load(struct hive *hive, struct error *err);

/* And then: puts back what was not recorded, removes what was recorded as gone. */
void generation_resume(struct hive *hive);

void generation_free(struct generation *generation);
