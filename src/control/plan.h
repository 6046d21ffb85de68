/* What a new agent would be: its settings, with a port and a range of ids that nobody has. */
#pragma once

#include "control/hive.h"
#include "control/lifecycle.h"

/*
 * Checks a request for an agent against what there is and chooses port and ids. Those that an
 * undecided or unfinished request for another agent was shown with count as taken. The caller
 * releases *ret.
 */
int plan_agent(const struct hive *hive, const struct spawn_request *request,
	       struct settings *ret, struct error *err);

/* Whether nobody has this name, nor a container's name made from it. -EEXIST; -EINVAL. */
int plan_check_name(const struct hive *hive, const char *name, struct error *err);

/* Whether an approved request is about to make an agent of this name: it is as good as there.
 * -EEXIST. */
int plan_check_approved(const struct hive *hive, const char *name, struct error *err);

/* Whether settings that were planned earlier still are free to be used: name, container, port
 * and ids. -EEXIST says what is not. */
int plan_check(const struct hive *hive, const struct settings *settings, struct error *err);
