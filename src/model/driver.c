#include "model/driver.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

const char *driver_kind_name(enum driver_kind kind)
{
	switch (kind) {
	case DRIVER_NSPAWN:
		return "nspawn";
	case DRIVER_NIXOS_CONTAINER:
		return "nixos-container";
	}
	return "nspawn";
}

int driver_kind_parse(const char *name, enum driver_kind *ret, struct error *err)
{
	static const enum driver_kind kinds[] = {DRIVER_NSPAWN, DRIVER_NIXOS_CONTAINER};
	_cleanup_free_ char *shown = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(name, driver_kind_name(kinds[i])) != 0)
			continue;
		*ret = kinds[i];
		return 0;
	}
	shown = text_clean_dup(name, 40, false);
	return error_set(err, EOPNOTSUPP,
			 "there is no driver '%s' here; there are: nspawn, nixos-container",
			 shown);
}
