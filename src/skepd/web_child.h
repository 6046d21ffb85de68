/* The dashboard's server beside a standalone hive: its sockets are bound here, by root, and
 * stay bound while it is started again. */
#pragma once

#include "base/loop.h"
#include "model/config.h"

struct web_child;

/*
 * Binds 127.0.0.1 and ::1 and starts skep-web from program_dir as config->web_uid. A dashboard
 * that cannot be served is said in the log and no reason not to run the hive: then NULL.
 */
struct web_child *web_child_new(struct loop *loop, const struct config *config,
				const char *program_dir);

/* Ends it. NULL is fine. */
void web_child_free(struct web_child *web);
