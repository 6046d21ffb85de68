#include "model/builder.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

const char *builder_kind_name(enum builder_kind kind)
{
	switch (kind) {
	case BUILDER_OVERLAY:
		return "overlay";
	case BUILDER_NIX:
		return "nix";
	}
	return "overlay";
}

int builder_kind_parse(const char *name, enum builder_kind *ret, struct error *err)
{
	static const enum builder_kind kinds[] = {BUILDER_OVERLAY, BUILDER_NIX};
	_cleanup_free_ char *shown = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(name, builder_kind_name(kinds[i])) != 0)
			continue;
		*ret = kinds[i];
		return 0;
	}
	shown = text_clean_dup(name, 40, false);
	return error_set(err, EOPNOTSUPP,
			 "there is no builder '%s' here; there are: overlay, nix", shown);
}
