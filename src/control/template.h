/* What a new agent's repository starts from: a directory of files, read once per spawn. */
#pragma once

#include "control/hive.h"

/*
 * Reads <templates>/<builder>/<agent|manager> into [{"path","data","executable"?,"symlink"?}]
 * with @NAME@ replaced by the agent's name in text. Bounded: 256 files, 1 MiB. The caller owns
 * the array.
 */
int template_read(const struct hive *hive, const struct settings *settings, json_t **ret,
		  struct error *err);
