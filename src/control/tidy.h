/*
 * What nobody needs any more goes, while the hive has nothing else to do: build logs of old
 * proposals, systems that were built from trees and that no rollback will ask for soon, loose
 * references and many packs (made into one each, nothing of them is dropped).
 */
#pragma once

#include "control/hive.h"

struct tidying;

/* Looks from now on every config->tidy_interval_ms. */
void tidy_begin(struct hive *hive);
void tidying_free(struct tidying *tidying);

/* Whether a child makes one pack of this repository at the moment: files it has begun are not
 * leftovers. */
bool tidy_repacks(const struct hive *hive, const char *dir);
