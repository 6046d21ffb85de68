/* What was built is given to root and made read-only, so that nobody changes it after it was
 * checked. */
#pragma once

#include "base/error.h"

/* A whole tree below an open directory, symlinks not followed. Anything that is no file,
 * directory or symlink is -EINVAL. */
int seal_tree(int dir_fd, struct error *err);
