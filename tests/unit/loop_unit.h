/* A loop that ends a test instead of hanging it. */
#pragma once

#include "unit.h"

#include "base/loop.h"

#define UNIT_LOOP_MS 20000

static inline void unit_on_stuck(void *data)
{
	(void)data;
	fprintf(stderr, "the loop was not stopped within %d ms\n", UNIT_LOOP_MS);
	abort();
}

/* Runs until somebody calls loop_stop(). */
static inline void unit_run(struct loop *loop)
{
	struct timer *guard = loop_timer(loop, UNIT_LOOP_MS, unit_on_stuck, NULL);

	assert_int_equal(loop_run(loop), 0);
	timer_cancel(guard);
}

struct unit_turn {
	struct loop *loop;
	bool done;
};

static inline void unit_on_turn(void *data)
{
	struct unit_turn *turn = data;

	turn->done = true;
	loop_stop(turn->loop);
}

/* Runs everything that is ready now, and what that makes ready. */
static inline void unit_turn(struct loop *loop)
{
	for (int i = 0; i < 20; i++) {
		struct unit_turn turn = {.loop = loop};

		(void)loop_timer(loop, 0, unit_on_turn, &turn);
		while (!turn.done)
			assert_int_equal(loop_run(loop), 0);
	}
}
