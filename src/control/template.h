/* What a new agent's repository starts from: a directory of files, read once per spawn. */
#pragma once

#include "control/hive.h"

/*
 * The files a new agent begins with: [{"path","data","executable"?,"symlink"?}] with @NAME@
 * replaced by the agent's name in text. They are those of image (a list of the same form), for
 * the builder nix together with what of the template is not there; without an image those of
 * <templates>/<builder>/<agent|manager>. Bounded: 256 files. The caller owns the array.
 */
int template_read(const struct hive *hive, const struct settings *settings, const json_t *image,
		  json_t **ret, struct error *err);
