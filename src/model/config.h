/* The daemon's configuration: one JSON object, every key with a default. */
#pragma once

#include "base/error.h"
#include "model/builder.h"
#include "model/driver.h"
#include "model/limits.h"
#include "model/policy.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONFIG_MAX_BYTES 65536

struct config {
	char *state_dir, *runtime_dir, *templates_dir;
	char *domain, *home; /* what `urls` tells; home may be NULL */
	uint16_t dashboard_port;
	bool dashboard;       /* standalone: start skep-web where it is there */
	bool private_network; /* of agents that are spawned without saying */
	struct limits limits; /* of agents that neither set nor ask for their own */
	int64_t max_builds, max_starts;
	enum driver_kind driver;   /* of agents that are spawned without saying */
	enum builder_kind builder; /* the same */
	char *nixpkgs, *base;      /* flake URLs; NULL: nothing is built by Nix here */
	int64_t build_timeout_s;   /* by Nix */
	int64_t build_memory_bytes;
	int64_t stop_timeout_ms, import_timeout_ms;
	enum policy reconcile;        /* of agents whose settings do not say */
	int64_t reconcile_interval_s; /* between looks at what runs */
	int64_t proposal_days;        /* undecided proposals expire after this many days */
	int64_t proposals_per_hour;   /* of one agent */
	int64_t proposals_per_day;    /* 0: five times as many as in an hour */
	int64_t max_repo_bytes;       /* of what was submitted for one agent, in all */
	int64_t max_log_bytes;        /* of one build log */
	int64_t keep_logs;            /* build logs of the newest so many proposals */
	int64_t keep_systems;         /* of one agent: what a rollback finds built */
	int64_t tidy_interval_ms;     /* between two looks at what nobody needs any more */
	bool unbound_verdicts;        /* accept `approve` that names only the number */
	char *admin_group,
		*read_group; /* who may use operator.sock and read.sock under systemd */
	/* standalone only: numeric ids, no accounts needed; −1 gid: nobody but root */
	uid_t skep_uid, build_uid, web_uid;
	int64_t admin_gid, read_gid;
};

/* Fills in every default. The caller calls config_release(). */
void config_init(struct config *config);

/* Lays an object over the defaults. An unknown key or a bad value is -EINVAL naming it. */
int config_load(struct config *config, const json_t *object, struct error *err);
void config_release(struct config *config);

/* As set, or what follows from those of an hour. */
int64_t config_proposals_per_day(const struct config *config);
