#include "model/proposal.h"

#include "base/buf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *family, *name, *status;
} states[PROPOSAL_STATE_COUNT] = {
	[PROPOSAL_REVIEW] = {"proposal", "needs-review", "pending"},
	[PROPOSAL_APPROVED] = {"approved", "approved", "approved"},
	[PROPOSAL_BUILDING] = {"building", "building", "approved"},
	[PROPOSAL_CANCELLED] = {"cancelled", "cancelled", "cancelled"},
	[PROPOSAL_SUPERSEDED] = {"superseded", "superseded", "cancelled"},
	[PROPOSAL_STALE] = {"stale", "stale", "cancelled"},
	[PROPOSAL_DENIED] = {"denied", "denied", "denied"},
	[PROPOSAL_FAILED] = {"failed", "failed", "failed"},
	[PROPOSAL_DEPLOYED] = {"deployed", "deployed", "approved"},
};

struct proposal *proposal_new(int64_t id, const char *agent)
{
	struct proposal *p = mem_new(1, sizeof(*p));

	p->id = id;
	p->rollback_of = -1;
	snprintf(p->agent, sizeof(p->agent), "%s", agent);
	return p;
}

void proposal_free(struct proposal *p)
{
	if (!p)
		return;
	free(p->submitter);
	free(p->description);
	free(p->note);
	free(p->title);
	free(p->idem_key);
	free(p->approved_by);
	flags_release(&p->flags);
	free(p);
}

const char *proposal_tag_family(enum proposal_state state)
{
	return states[state].family;
}

int proposal_parse_ref(const char *ref, enum proposal_state *ret_state, int64_t *ret_id)
{
	static const char prefix[] = "refs/tags/";
	const char *family = ref + sizeof(prefix) - 1, *slash, *digits;
	char *end;
	intmax_t id;

	if (strncmp(ref, prefix, sizeof(prefix) - 1) != 0)
		return -EINVAL;
	slash = strchr(family, '/');
	if (!slash)
		return -EINVAL;
	digits = slash + 1;
	if (digits[0] < '0' || digits[0] > '9' || (digits[0] == '0' && digits[1]))
		return -EINVAL;
	errno = 0;
	id = strtoimax(digits, &end, 10);
	if (errno != 0 || *end)
		return -EINVAL;
	for (int i = 0; i < PROPOSAL_STATE_COUNT; i++) {
		size_t n = strlen(states[i].family);

		if ((size_t)(slash - family) != n || strncmp(family, states[i].family, n) != 0)
			continue;
		*ret_state = (enum proposal_state)i;
		*ret_id = id;
		return 0;
	}
	return -EINVAL;
}

const char *proposal_state_name(const struct proposal *p)
{
	return p->deploying && !proposal_is_final(p) ? "deploying" : states[p->state].name;
}

const char *proposal_status_name(const struct proposal *p)
{
	return states[p->state].status;
}

bool proposal_is_final(const struct proposal *p)
{
	return p->state >= PROPOSAL_CANCELLED;
}

bool proposal_is_pending(const struct proposal *p)
{
	return p->state == PROPOSAL_REVIEW;
}
