/* `skep-exec verb NAME`: the process of one request. */
#pragma once

#include "skep-exec/options.h"

/* Receives the request on descriptor 3, does it, answers there. Returns the exit status. */
int work_main(const struct options *options);
