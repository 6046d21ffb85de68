/* Symbolic links of a tree, and whether following them stays in it. */
#pragma once

#include "model/flags.h"

#include <stddef.h>

struct risk_link {
	char *path, *target;
};

struct risk_links {
	struct risk_link *items;
	size_t count, room;
};

/* Both texts are copied. */
void risk_links_add(struct risk_links *links, const char *path, const char *target);
void risk_links_release(struct risk_links *links);

/*
 * Flags each link that leads out of the tree. rootfs/ becomes a root directory: a link below it
 * must stay below it, and an absolute one starts there. Elsewhere an absolute link leads out.
 * Links on the way are followed as the kernel would; what is not in the tree is taken for a
 * directory. Sorts the list.
 */
void risk_links_check(struct risk_links *links, struct flags *flags);
