/*
 * flake.nix of the meta repository: a template with one literal line per input. Nothing but
 * checked names, checked paths and the operator's own URLs is ever spliced into it.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define FLAKE_URL_MAX 512

struct flake {
	const char *applied_dir;    /* absolute; holds <agent>/.git */
	const char *nixpkgs, *base; /* URLs; NULL: there is no such input */
	bool base_follows;          /* base takes nixpkgs from us */
	const char *const *agents;  /* sorted bytewise */
	size_t n_agents;
};

/*
 * A flake URL as Nix's fetchers take it, which can stand between double quotes in Nix: letters,
 * digits and :/.?&=_%+~,@-. -EINVAL naming key and URL.
 */
int flake_check_url(const char *key, const char *url, struct error *err);

/* An absolute path that needs no escaping in a URL or in Nix. -EINVAL otherwise. */
int flake_check_path(const char *path, struct error *err);

/*
 * Fills in the template, which has one line "@INPUTS@". The text is the caller's; the same
 * flake always gives the same bytes.
 */
int flake_render(const char *template, const struct flake *flake, char **ret,
		 struct error *err);
