/* The verbs of the protocol: who may say which, and what each takes. One table, read by the
 * dispatcher and by tests. */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* Who speaks is decided by the socket a connection came in on and its peer's uid. */
enum principal {
	PRINCIPAL_OPERATOR = 1 << 0, /* operator.sock */
	PRINCIPAL_READER = 1 << 1,   /* read.sock */
	PRINCIPAL_MANAGER = 1 << 2,  /* the manager's own socket */
	PRINCIPAL_AGENT = 1 << 3,    /* any other agent's own socket */
	PRINCIPAL_WEB = 1 << 4,      /* web.sock: skep-web, for whoever is logged in */
};

/* What more the table says of a verb on web.sock, where a login must be shown with every
 * request
 * ("session") and its key with every one that changes something ("key"). */
enum verb_proof {
	VERB_OPEN = 1 << 8,    /* not even a login is needed */
	VERB_STEP_UP = 1 << 9, /* the operator must have been there lately */
};

enum verb_id {
	VERB_HELLO,
	VERB_STATUS,
	VERB_LIST,
	VERB_AGENT_STATUS,
	VERB_SUBSCRIBE,
	VERB_URLS,
	VERB_PENDING,
	VERB_PROPOSALS,
	VERB_AGENT,
	VERB_PROPOSAL,
	VERB_DIFF,
	VERB_EFFECT,
	VERB_BUILD_LOG,
	VERB_HISTORY,
	VERB_SPAWN,
	VERB_REQUEST_SPAWN,
	VERB_FORK,
	VERB_ADOPT,
	VERB_IMPORT_HYPERHIVE,
	VERB_RENAME,
	VERB_UPDATE_INPUTS,
	VERB_START,
	VERB_STOP,
	VERB_KILL,
	VERB_RESTART,
	VERB_REBUILD,
	VERB_DESTROY,
	VERB_SET,
	VERB_SET_PARENT,
	VERB_SET_PAUSED,
	VERB_FREEZE,
	VERB_THAW,
	VERB_SUBMIT,
	VERB_WITHDRAW,
	VERB_APPROVE,
	VERB_DENY,
	VERB_ROLLBACK,
	VERB_EXEC,
	VERB_SHELL,
	VERB_LOGS,
	VERB_SIGNAL,
	VERB_AUDIT,
	VERB_AUDIT_VERIFY,
	VERB_DOCTOR,
	VERB_DRIFT,
	VERB_WHOAMI,
	VERB_USAGE,
	VERB_SET_STATUS,
	VERB_DASHBOARD,
	VERB_SESSIONS,
	VERB_SESSIONS_REVOKE,
	VERB_WEB_LOGIN,
	VERB_WEB_STEP_UP,
	VERB_WEB_SESSION,
	VERB_WEB_LOGOUT,
	VERB_METRICS,
	VERB_READY,
	VERB_PLAN,
	VERB_APPLY,
	VERB_SEEN,
	VERB_AGENT_HISTORY,
	VERB_COUNT,
};

struct verb {
	const char *name;
	enum verb_id id;
	unsigned allowed; /* mask of enum principal and enum verb_proof */
	bool mutates;     /* changes the record or a container */
	bool strict; /* unknown keys are refused: a mistyped binding must not become an unbound
			verdict */
	const char *keys; /* what it takes, separated by spaces */
};

/* The table, VERB_COUNT entries in the order of enum verb_id. */
const struct verb *verb_table(void);

/*
 * Parses one request line. -EINVAL (bad_request), "unknown_cmd", or -EACCES (forbidden) when
 * who may not say it. On success *ret_request is the caller's and *ret_verb points into the
 * table.
 */
int verb_parse_request(const char *line, size_t size, enum principal who, json_t **ret_request,
		       const struct verb **ret_verb, struct error *err);

/* "operator", "reader", "manager", "agent", "web" */
const char *principal_name(enum principal who);
