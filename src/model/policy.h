/* What is done about a difference between what is wanted of an agent and what is. */
#pragma once

#include "base/error.h"

enum policy {
	POLICY_UNSET,  /* of an agent: as the hive has it */
	POLICY_REPORT, /* it is told */
	POLICY_APPLY,  /* it is told and put right */
};

/* "report", "apply"; "" for unset. */
const char *policy_name(enum policy policy);

/* "" is POLICY_UNSET. -EINVAL naming key and value. */
int policy_parse(const char *key, const char *value, enum policy *ret, struct error *err);
