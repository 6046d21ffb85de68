/* The insides of an update of the inputs, for the files that carry it out (control/update.c).
 */
#pragma once

#include "base/buf.h"
#include "control/op.h"

enum update_stage {
	STAGE_LINE,
	STAGE_BUILDING,
	STAGE_BUILT,
	STAGE_SWITCHING,
	STAGE_SWITCHED,
	STAGE_BACK,
	STAGE_OVER, /* it failed, or went back */
};

struct update {
	struct hive *hive;
	struct proposal *proposal;
	struct actor actor;
	bool has_actor;
	struct lock *lock;
	json_t *inputs;
	struct joblog *log;
	struct op *lead; /* whoever waits waits for this one */
	size_t n_ops;    /* that have not ended */
	struct timer *timer;
	bool begun, rolling;
	bool settling, ended; /* being recorded, recorded */
	bool halting;         /* no outcome now: the next start does it again */
	bool failed, decided; /* decided: the record has its outcome already */
	int64_t wave;         /* how many are switched at once */
	struct error why;
	struct buf back, astray; /* who went back, who could not */
};

/* An agent's part; NULL: it has none. */
struct op *update_part(const struct update *update, const struct agent *agent);

/* How many parts are that far. */
size_t update_count(const struct update *update, enum update_stage stage);

/* Takes in agents that were made meanwhile, with what was there before. Whether there are any.
 */
bool update_add_missing(struct update *update);

/* A part that waits in line behind something else has nothing to wait for any more. */
void update_send_away(struct op *op);

void update_free(struct update *update);

/* Everything is switched to: writes it down. A step of the part that whoever asked waits for.
 */
void update_settle(struct op *op);

/* It failed: waits for what goes on, has everybody go back, and tells. */
void update_wind_up(struct update *update);

/* Nobody takes part: the lock alone is new. Frees it. */
void update_end_alone(struct update *update);
