#include "control/group.h"

#include "base/buf.h"
#include "wire/answer.h"

#include <stdlib.h>

struct group {
	void *session;
	size_t waiting;
	json_t *touched;
	struct error err; /* of the first that failed */
	bool failed;
};

struct group *group_new(struct session *session, json_t *names)
{
	struct group *g = mem_new(1, sizeof(*g));

	*g = (struct group){.session = session_ref(session), .touched = names, .waiting = 1};
	return g;
}

void group_begin(struct group *g)
{
	g->waiting++;
}

static void finish(struct group *g)
{
	struct session *s = session_found(g->session);

	if (s && g->failed) {
		session_fail(s, &g->err);
	} else if (s) {
		json_t *answer = answer_ok();

		json_object_set(answer, "touched", g->touched);
		session_answer(s, answer);
	}
	json_decref(g->touched);
	free(g);
}

void group_started(struct group *g)
{
	if (--g->waiting == 0)
		finish(g);
}

void group_end(struct group *g, const char *agent, const struct error *err)
{
	if (err && !g->failed) {
		g->failed = true;
		g->err = *err;
		if (json_array_size(g->touched) > 1)
			error_prefix(&g->err, "%s", agent);
	}
	group_started(g);
}
