/*
 * What git does not record: who started, stopped, executed and looked. Append-only JSON lines
 * in <state>/audit, each carrying the SHA-256 of the one before; and the two stories, this and
 * the tags, told and verified as one.
 */
#pragma once

#include "control/hive.h"
#include "control/ledger.h"

struct audit;

/* Opens (or begins) the log and finds its last line. The hive's lock is held. */
int audit_open(struct hive *hive, struct audit **ret, struct error *err);
void audit_close(struct audit *audit);

/* Adds a line. object is an agent's name or NULL; result "ok" or an error's text; note is
 * foreign text or NULL. */
void audit_add(struct audit *audit, const struct actor *actor, const char *verb,
	       const char *object, const char *result, const char *note);

struct op;
/* Adds the end of an operation. */
void audit_op(struct audit *audit, const struct op *op, int r);

/* The newest limit entries before sequence number before (0: the newest), tags and lines
 * together, newest first. */
int audit_list(struct hive *hive, int64_t limit, int64_t before, json_t **ret,
	       struct error *err);

/* Walks both chains whole. {"valid":bool,"entries":n,"head":oid,"problems":[text]} */
int audit_verify(struct hive *hive, json_t **ret, struct error *err);
