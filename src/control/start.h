/* Bringing a hive up and down: the order of things, over what the program hands in. */
#pragma once

#include "control/hive.h"

/* Loads the record. The caller holds the hive's lock and has set hive->executor later, before
 * start_serve(). */
int start_load(struct hive *hive, struct error *err);

/*
 * Asks skep-exec who it is, looks at the containers and resumes what is owed; ready is called
 * once clients may be served, or with err when that cannot be.
 */
void start_serve(struct hive *hive, void (*ready)(struct hive *hive, const struct error *err));

/*
 * Goes down: takes no new work, lets what skep-exec is doing end, with stop_containers halts
 * every container, then calls done.
 */
void start_stop(struct hive *hive, bool stop_containers, void (*done)(struct hive *hive));

/* An unasked word of skep-exec's, for executor_new(). data is the hive. */
void start_on_event(const json_t *event, void *data);
