/* The rules that are about a whole tree: control files, attributes, names that collide, links.
 */
#pragma once

#include "git/internal.h"
#include "model/flags.h"

/* Adds flags. -E2BIG when the tree is larger than an import lets in. */
int risk_tree(struct repo *repo, const git_oid *tree, struct flags *flags, struct error *err);
