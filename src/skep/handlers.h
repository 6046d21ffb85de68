/* What each command does. All return 0 or -errno with the error filled; some set
 * cli->exit_status. */
#pragma once

#include "skep/cli.h"

int cmd_status(struct cli *cli, struct error *err);
int cmd_list(struct cli *cli, struct error *err);
int cmd_show(struct cli *cli, struct error *err);
int cmd_top(struct cli *cli, struct error *err);
int cmd_whoami(struct cli *cli, struct error *err);

int cmd_adopt(struct cli *cli, struct error *err);
int cmd_import_hyperhive(struct cli *cli, struct error *err);
int cmd_spawn(struct cli *cli, struct error *err);
int cmd_request_spawn(struct cli *cli, struct error *err);
int cmd_fork(struct cli *cli, struct error *err);
int cmd_rename(struct cli *cli, struct error *err);
int cmd_start(struct cli *cli, struct error *err);
int cmd_stop(struct cli *cli, struct error *err);
int cmd_restart(struct cli *cli, struct error *err);
int cmd_rebuild(struct cli *cli, struct error *err);
int cmd_destroy(struct cli *cli, struct error *err);
int cmd_set(struct cli *cli, struct error *err);
int cmd_pause(struct cli *cli, struct error *err);
int cmd_resume(struct cli *cli, struct error *err);
int cmd_freeze(struct cli *cli, struct error *err);
int cmd_thaw(struct cli *cli, struct error *err);

/* Asks for a proposal, and says what was made: its number on standard output, the rest beside
 * it. Takes request over. */
int proposal_ask(struct cli *cli, json_t *request, struct error *err);

int cmd_validate(struct cli *cli, struct error *err);
int cmd_plan(struct cli *cli, struct error *err);
int cmd_apply(struct cli *cli, struct error *err);

int cmd_update_inputs(struct cli *cli, struct error *err);
int cmd_submit(struct cli *cli, struct error *err);
int cmd_proposals(struct cli *cli, struct error *err);
int cmd_diff(struct cli *cli, struct error *err);
int cmd_approve(struct cli *cli, struct error *err);
int cmd_deny(struct cli *cli, struct error *err);
int cmd_cancel(struct cli *cli, struct error *err);
int cmd_rollback(struct cli *cli, struct error *err);

int cmd_log(struct cli *cli, struct error *err);
int cmd_events(struct cli *cli, struct error *err);
int cmd_exec(struct cli *cli, struct error *err);
int cmd_shell(struct cli *cli, struct error *err);

int cmd_history(struct cli *cli, struct error *err);
int cmd_audit(struct cli *cli, struct error *err);
int cmd_doctor(struct cli *cli, struct error *err);
int cmd_drift(struct cli *cli, struct error *err);

int cmd_dashboard(struct cli *cli, struct error *err);
int cmd_sessions(struct cli *cli, struct error *err);

int cmd_help(struct cli *cli, struct error *err);
int cmd_complete(struct cli *cli, struct error *err);
