/*
 * The hive in memory: agents, proposals, and the threads that tie them to git, to skep-exec and
 * to clients. Everything here is derived from the repositories and can be thrown away;
 * control's other files each own one topic over it.
 */
#pragma once

#include "base/loop.h"
#include "base/zygote.h"
#include "control/quota.h"
#include "host/executor.h"
#include "model/config.h"
#include "model/proposal.h"
#include "model/settings.h"
#include "model/system.h"
#include "nix/lock.h"
#include "git/repo.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct op;
struct audit;
struct previews;
struct login_book;
struct metrics;
struct seen;
struct server;
struct session;
struct submission;
struct takeover;
struct events;
struct reconcile;
struct metering;
struct tidying;
struct generation;
struct usage_series;

/* One agent: what is wanted of it, and what was last seen of its container. */
struct agent {
	struct hive *hive;
	struct settings settings;
	bool unborn;               /* being spawned: no entry in agents.json yet */
	bool dying;                /* being destroyed */
	bool moving;               /* being renamed */
	bool changing;             /* part of a generation that does not hold yet */
	struct settings *recorded; /* meanwhile, what agents.json says; else NULL */

	/* seen, never assumed: from skep-exec's answers and events */
	bool frozen;
	char state[16]; /* "running", "starting", "stopped", "failed", "unknown" */
	char boot_state[24];
	json_t *failed_units; /* array, owned; may be NULL */
	char system[SYSTEM_SIZE];
	int64_t leader;
	char exit[64];

	char *status_text;
	int64_t status_set_at;
	int64_t downtime_ms; /* of the last switch; −1 unknown */
	char *last_row;      /* the row subscribers saw last */
	int64_t up_since_ms; /* boot milliseconds; 0: not seen running */
	int64_t up_since;    /* the same for people: wall seconds, fixed for a run */
	bool listed;         /* its container was started since the machine was */
	unsigned attempts;   /* in a row to do what is owed, for the pauses between them */
	struct timer *owed_timer;

	char made[SYSTEM_SIZE]; /* what is deployed, as built last; "": not since the start */
	json_t *drift;          /* rows of what is not as it should be; NULL: nothing */
	unsigned restarts;      /* that systemd made by itself, as last seen */
	int64_t restarted_ms;   /* boot milliseconds of the last one */
	unsigned heals;         /* in a row, for the pauses between them */
	int64_t heal_after_ms;  /* boot milliseconds; not before */
	char *healed;           /* the fields that were; NULL: none yet */
	uint64_t last_ended_op; /* in the order operations of the hive ended */
	unsigned telling;       /* changes its container is being told of, beside operations */

	int listen_fd; /* its own socket; −1: none */
	struct watch *listen_watch;
	struct timer *listen_pause; /* it knocked too often; NULL: it is heard */
	unsigned connections;
	struct bucket knocks, requests; /* on its socket */
	int64_t refused;                /* requests beyond that */
	size_t diffs;                   /* being made for it */

	struct usage_series *usage; /* while somebody watches; else NULL */

	struct op *ops; /* the running one first */
	struct submission *submissions;
	struct quota submits, daily_submits; /* for it, by whomever */
	struct quota powers; /* starts and stops it asked for on its own socket */
};

/* An agent that was destroyed and whose state was kept: its port and ids stay reserved. */
struct kept {
	char name[AGENT_NAME_MAX + 1];
	uint16_t port;
	uid_t uid_base;
};

/* So many at once, the others in line. */
struct slots {
	int64_t limit, used;
	struct op *first, *last;
};

/* A write of the record that may be there; dir NULL: there is none. */
struct doubt {
	char *dir, ref[128];
	char oid[OID_HEX_SIZE], old[OID_HEX_SIZE];
};

struct hive {
	struct loop *loop;
	int64_t (*wall_s)(void); /* the clock on the wall, handed in */
	int64_t (*boot_ms)(
		void); /* the one of logins, which only counts; tests hand in another */
	const struct config *config;
	struct executor *executor;
	struct zygote *workers; /* of the program whose hidden subcommands they are: skepd */
	int templates_fd; /* config->templates_dir, opened by who could; −1: by its path */
	bool stopping;
	void (*on_quiet)(struct hive *hive); /* while stopping: no operation is left */
	void *program;                       /* whose hive this is; not ours to look into */
	/* a new listening socket of an agent (fd), or −1 when it is gone: for whoever keeps
	 * them */
	void (*keep_socket)(struct hive *hive, const char *agent, int fd);
	void *stop_data;
	bool stop_containers;

	struct agent **agents; /* sorted by name */
	size_t n_agents;
	struct kept *kept;
	size_t n_kept;
	struct proposal **proposals;    /* ascending id */
	size_t n_proposals, first_open; /* those before first_open have an outcome */
	int64_t last_id;

	int64_t chain_seq; /* of the newest record tag */
	char chain_head[OID_HEX_SIZE];
	char meta_head[OID_HEX_SIZE];
	struct doubt doubt;
	json_t *declared; /* hives made from files: {name:{"generation","source"?,"document"}}
			   */
	struct generation *generation; /* that is being made true; NULL: none */
	json_t *inputs;    /* URLs of flake.nix: nixpkgs, base; NULL: Nix builds nothing yet */
	struct lock *lock; /* flake.lock */
	struct previews *previews;
	char *flake_template; /* of flake.nix; read when it is first needed */

	struct slots builds, starts;
	size_t imports, import_turn; /* submissions being imported; whose turn it was last */
	size_t diffs;                /* being made for others than operators */
	uint64_t last_op, ended_ops;
	struct quota requests; /* proposals about the hive itself, by whomever */
	struct audit *audit;
	struct login_book *logins;
	struct metrics *metrics;
	struct seen *seen;
	struct server *server;
	struct session *sessions; /* newest first */
	struct events *events;
	struct metering *metering; /* NULL: nobody watches */
	struct timer *expiry;
	struct takeover *takeover; /* of another host's hive; NULL: none is going on */
	struct tidying *tidying;
	struct reconcile *reconcile;

	char mode[16]; /* "systemd" or "standalone", as skep-exec says */
	json_t *limits_enforced;
	int64_t started_boot_ms;
	int recovered; /* leftovers removed at start */
};

struct hive *hive_new(struct loop *loop, const struct config *config, int64_t (*wall_s)(void));
void hive_free(struct hive *hive);

/* Calls on_quiet when the hive is stopping and nothing is running any more. */
void hive_quiet(struct hive *hive);

/* NULL when there is none. */
struct agent *hive_find(const struct hive *hive, const char *name);
struct proposal *hive_find_proposal(const struct hive *hive, int64_t id);

/* As above, with -ENOENT and the words a user needs. An unborn agent is not found. */
int hive_get(const struct hive *hive, const char *name, struct agent **ret, struct error *err);
int hive_get_proposal(const struct hive *hive, int64_t id, struct proposal **ret,
		      struct error *err);

/* Whether one of its labels is asked for, as "key" or "key=value"; one that matches is enough.
 */
bool agent_has_label(const struct agent *agent, const json_t *wanted);

/* Adds an agent with these settings (taken over), or removes one and frees it. */
struct agent *hive_add(struct hive *hive, struct settings *settings);
void hive_remove(struct hive *hive, struct agent *agent);

/* Where those with a higher number begin in hive->proposals. */
size_t hive_proposals_after(const struct hive *hive, int64_t id);

/* Gives an agent another name: its own proposals and its children follow. */
void hive_rename(struct hive *hive, struct agent *agent, const char *name);

/* Adds a proposal (taken over), keeping the order. */
void hive_add_proposal(struct hive *hive, struct proposal *proposal);

/* Some of them have an outcome now: those that look for open ones need not pass them again. */
void hive_proposals_decided(struct hive *hive);

/* Forgets the proposals of an agent whose record was purged. */
void hive_drop_proposals(struct hive *hive, const char *agent);

/* The undecided proposal for an agent's repository, NULL when there is none. */
struct proposal *hive_open_proposal(const struct hive *hive, const char *agent);

/* The undecided proposal whose place this one takes, NULL when there is none. */
struct proposal *hive_find_replaced(const struct hive *hive, const struct proposal *newer);

/* Destroyed agents whose state was kept. */
struct kept *hive_find_kept(const struct hive *hive, const char *name);
void hive_keep(struct hive *hive, const char *name, uint16_t port, uid_t uid_base);
void hive_unkeep(struct hive *hive, const char *name);

/* The uid range of the manager, which owns every proposed repository. */
uid_t hive_manager_uid(void);

/* Paths below the state directory, new strings. */
char *hive_applied_dir(const struct hive *hive, const char *agent);
char *hive_meta_dir(const struct hive *hive);
char *hive_tagbook_path(const struct hive *hive);
char *hive_log_path(const struct hive *hive, int64_t id);

/* The directory of the repository that holds a proposal's tags and commit: applied/<agent> or
 * meta. A new string. */
char *hive_home_dir(const struct hive *hive, const struct proposal *proposal);

/* Opens that one; the caller frees it. */
int hive_open_home(const struct hive *hive, const struct proposal *proposal, struct repo **ret,
		   struct error *err);

/* Opens the applied repository of an agent; the caller frees it. */
int hive_open_applied(const struct hive *hive, const char *agent, struct repo **ret,
		      struct error *err);
