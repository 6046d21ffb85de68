/* Help made from the table of commands. */
#pragma once

#include "skep/command.h"
#include "skep/out.h"

/* How one command is used, or (NULL) what commands there are. */
void help_print(struct out *out, const struct command *command);
