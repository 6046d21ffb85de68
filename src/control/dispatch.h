/* From a request line to its handler. */
#pragma once

#include "control/session.h"

#include <stddef.h>

/* A handler answers now (0), or takes the request over and answers later (HANDLED_LATER), or
 * fails with err. */
#define HANDLED_LATER 1
typedef int (*handler_fn)(struct session *session, const json_t *request, struct error *err);

/* Parses, checks rights and runs one request; always leads to exactly one answer (streams: at
 * least one). */
void dispatch_line(struct session *session, const char *line, size_t size);

/* Reading: handlers_read.c, handlers_proposal.c, handlers_record.c */
int handle_hello(struct session *session, const json_t *request, struct error *err);
int handle_status(struct session *session, const json_t *request, struct error *err);
int handle_list(struct session *session, const json_t *request, struct error *err);
int handle_agent_status(struct session *session, const json_t *request, struct error *err);
int handle_urls(struct session *session, const json_t *request, struct error *err);
int handle_pending(struct session *session, const json_t *request, struct error *err);
int handle_agent(struct session *session, const json_t *request, struct error *err);
int handle_proposal(struct session *session, const json_t *request, struct error *err);
int handle_effect(struct session *session, const json_t *request, struct error *err);
int handle_diff(struct session *session, const json_t *request, struct error *err);
int handle_history(struct session *session, const json_t *request, struct error *err);
int handle_audit(struct session *session, const json_t *request, struct error *err);
int handle_audit_verify(struct session *session, const json_t *request, struct error *err);
int handle_doctor(struct session *session, const json_t *request, struct error *err);
int handle_whoami(struct session *session, const json_t *request, struct error *err);

/* What is not as it should be: handlers_drift.c */
int handle_drift(struct session *session, const json_t *request, struct error *err);

/* Watching: metering.c */
int handle_usage(struct session *session, const json_t *request, struct error *err);

/* New agents: handlers_spawn.c */
int handle_spawn(struct session *session, const json_t *request, struct error *err);
int handle_adopt(struct session *session, const json_t *request, struct error *err);
int handle_request_spawn(struct session *session, const json_t *request, struct error *err);
int handle_fork(struct session *session, const json_t *request, struct error *err);
int handle_import_hyperhive(struct session *session, const json_t *request, struct error *err);
int handle_rename(struct session *session, const json_t *request, struct error *err);

/* Declared hives: handlers_declare.c */
int handle_plan(struct session *session, const json_t *request, struct error *err);
int handle_apply(struct session *session, const json_t *request, struct error *err);

/* What Nix builds from: handlers_inputs.c */
int handle_update_inputs(struct session *session, const json_t *request, struct error *err);

/* Containers: handlers_agent.c */
int handle_start(struct session *session, const json_t *request, struct error *err);
int handle_stop(struct session *session, const json_t *request, struct error *err);
int handle_kill(struct session *session, const json_t *request, struct error *err);
int handle_restart(struct session *session, const json_t *request, struct error *err);
int handle_rebuild(struct session *session, const json_t *request, struct error *err);
int handle_destroy(struct session *session, const json_t *request, struct error *err);

/* Held still and let go: freeze.c */
int handle_freeze(struct session *session, const json_t *request, struct error *err);
int handle_thaw(struct session *session, const json_t *request, struct error *err);

/* Settings: handlers_setting.c */
int handle_set(struct session *session, const json_t *request, struct error *err);
int handle_set_parent(struct session *session, const json_t *request, struct error *err);
int handle_set_paused(struct session *session, const json_t *request, struct error *err);
int handle_set_status(struct session *session, const json_t *request, struct error *err);

/* Proposals and verdicts: handlers_verdict.c */
int handle_submit(struct session *session, const json_t *request, struct error *err);
int handle_withdraw(struct session *session, const json_t *request, struct error *err);
int handle_approve(struct session *session, const json_t *request, struct error *err);
int handle_deny(struct session *session, const json_t *request, struct error *err);
int handle_rollback(struct session *session, const json_t *request, struct error *err);

/* Browsers: logins.c */
int handle_dashboard(struct session *session, const json_t *request, struct error *err);
int handle_sessions(struct session *session, const json_t *request, struct error *err);
int handle_sessions_revoke(struct session *session, const json_t *request, struct error *err);
int handle_web_login(struct session *session, const json_t *request, struct error *err);
int handle_web_step_up(struct session *session, const json_t *request, struct error *err);
int handle_web_session(struct session *session, const json_t *request, struct error *err);
int handle_web_logout(struct session *session, const json_t *request, struct error *err);

int handle_seen(struct session *session, const json_t *request, struct error *err);
int handle_agent_history(struct session *session, const json_t *request, struct error *err);

/* Monitoring: handlers_monitor.c */
int handle_metrics(struct session *session, const json_t *request, struct error *err);
int handle_ready(struct session *session, const json_t *request, struct error *err);

/* Streams and commands: stream.c, command.c */
int handle_subscribe(struct session *session, const json_t *request, struct error *err);
int handle_build_log(struct session *session, const json_t *request, struct error *err);
int handle_exec(struct session *session, const json_t *request, struct error *err);
int handle_shell(struct session *session, const json_t *request, struct error *err);
int handle_logs(struct session *session, const json_t *request, struct error *err);
int handle_signal(struct session *session, const json_t *request, struct error *err);

/* The agent a request names under key, if this session may touch or see it: an agent itself,
 * the manager its children too. */
int dispatch_agent(struct session *session, const json_t *request, const char *key,
		   struct agent **ret, struct error *err);

/* The same where an agent itself may not be meant. */
int dispatch_child(struct session *session, const json_t *request, const char *key,
		   struct agent **ret, struct error *err);

/* The proposal a request names under "id", with the same rule. */
int dispatch_proposal(struct session *session, const json_t *request, struct proposal **ret,
		      struct error *err);

/* Whether a list may show this agent here: an agent sees itself, the manager its children too,
 * everybody else all. */
bool dispatch_sees(const struct session *session, const struct agent *agent);

/* The same of a proposal; one about the hive is seen by the agent that made it. */
bool dispatch_sees_proposal(const struct session *session, const struct proposal *proposal);
