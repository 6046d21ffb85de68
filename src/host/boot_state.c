#include "host/boot_state.h"

#include "base/json.h"
#include "host/inside.h"
#include "host/outside.h"
#include "host/verbs_inside.h"

static int here(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = NULL;
	json_t *failed = NULL;
	char state[24];
	pid_t leader = 0;
	int r = json_get_str(request->arguments, "agent", true, &agent, err);

	if (r == 0)
		r = verb_find_leader(request, agent, &leader, err);
	if (r == 0)
		r = inside_boot_state(leader, state, &failed, err);
	if (r < 0)
		return r;
	json_put_str(answer, "boot_state", state);
	json_object_set_new(answer, "failed_units", failed);
	return 0;
}

int verb_boot_state(struct verb_request *request, json_t *answer, struct error *err)
{
	return outside_run(request, "boot-state", here, answer, err);
}
