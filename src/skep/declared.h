/* A declared hive read from where a command's words and options say: the same for validate,
 * plan and apply. */
#pragma once

#include "skep/cli.h"

/*
 * Reads and checks it all. *ret is the document and the caller's; *ret_notes is a list of
 * texts: what was not carried over from another system's files, empty for skep's own.
 */
int declared_read(struct cli *cli, json_t **ret, json_t **ret_notes, struct error *err);

/* Says the notes on stderr. */
void declared_tell(struct cli *cli, const json_t *notes);
