#include "model/policy.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

const char *policy_name(enum policy policy)
{
	switch (policy) {
	case POLICY_UNSET:
		return "";
	case POLICY_REPORT:
		return "report";
	case POLICY_APPLY:
		return "apply";
	}
	return "";
}

int policy_parse(const char *key, const char *value, enum policy *ret, struct error *err)
{
	static const enum policy all[] = {POLICY_UNSET, POLICY_REPORT, POLICY_APPLY};
	_cleanup_free_ char *shown = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (strcmp(value, policy_name(all[i])) != 0)
			continue;
		*ret = all[i];
		return 0;
	}
	shown = text_clean_dup(value, 60, false);
	return error_set(err, EINVAL, "'%s' must be \"report\" or \"apply\", not '%s'", key,
			 shown);
}
