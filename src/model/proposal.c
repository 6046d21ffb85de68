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

static const struct {
	const char *name;
	bool of_hive;
} kinds[PROPOSAL_KIND_COUNT] = {
	[PROPOSAL_APPLY_COMMIT] = {"apply_commit", false},
	[PROPOSAL_SPAWN] = {"spawn", true},
	[PROPOSAL_FORK] = {"fork", true},
	[PROPOSAL_RENAME] = {"rename", true},
	[PROPOSAL_UPDATE_INPUTS] = {"update_meta_inputs", true},
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
	json_decref(p->payload);
	flags_release(&p->flags);
	free(p);
}

const char *proposal_kind_name(enum proposal_kind kind)
{
	return kinds[kind].name;
}

int proposal_parse_kind(const char *name, enum proposal_kind *ret)
{
	for (int i = 0; i < PROPOSAL_KIND_COUNT; i++) {
		if (strcmp(kinds[i].name, name) != 0)
			continue;
		*ret = (enum proposal_kind)i;
		return 0;
	}
	return -EINVAL;
}

bool proposal_is_of_hive(const struct proposal *p)
{
	return kinds[p->kind].of_hive;
}

bool proposal_replaces(const struct proposal *newer, const struct proposal *older)
{
	return newer != older && proposal_is_of_hive(newer) == proposal_is_of_hive(older) &&
	       strcmp(newer->agent, older->agent) == 0;
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
