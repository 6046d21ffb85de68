#include "control/waiting.h"

#include "base/buf.h"
#include "base/json.h"
#include "control/rows.h"
#include "wire/answer.h"

#include <stdlib.h>

struct waiting {
	void *session;
	char *touched;
	int64_t proposal;
	uint64_t op_id;
};

static json_t *make_answer(struct hive *hive, const char *touched, uint64_t op_id,
			   int64_t proposal, bool already)
{
	const struct proposal *p = proposal > 0 ? hive_find_proposal(hive, proposal) : NULL;
	json_t *answer = answer_ok();

	if (already)
		json_object_set_new(answer, "already", json_true());
	if (p)
		json_object_set_new(answer, "proposal", row_proposal(hive, p));
	if (touched)
		json_object_set_new(answer, "touched", json_pack("[s]", touched));
	if (op_id)
		json_object_set_new(answer, "op_id", json_integer((json_int_t)op_id));
	return answer;
}

static void on_end(struct op *op, void *data)
{
	struct waiting *w = data;
	struct session *s = session_found(w->session);
	const struct proposal *p =
		w->proposal > 0 ? hive_find_proposal(op->hive, w->proposal) : NULL;

	if (s && op->r == 0) {
		session_answer(s,
			       make_answer(op->hive, w->touched, w->op_id, w->proposal, false));
	} else if (s) {
		json_t *answer = answer_error(&op->err);

		if (p)
			json_object_set_new(answer, "now", row_proposal(op->hive, p));
		session_answer(s, answer);
	}
	free(w->touched);
	free(w);
}

int answer_for(struct session *s, struct op *op, bool wait, const char *touched,
	       int64_t proposal, bool already)
{
	struct waiting *w;

	if (!op || !wait) {
		session_answer(s, make_answer(s->hive, touched, op ? op->id : 0, proposal,
					      already));
		return 0;
	}
	w = mem_new(1, sizeof(*w));
	*w = (struct waiting){
		.session = session_ref(s),
		.touched = str_dup(touched),
		.proposal = proposal,
		.op_id = op->id,
	};
	op_wait(op, on_end, w);
	return HANDLED_LATER;
}
