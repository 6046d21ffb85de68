/*
 * The browsers that are logged in: what model/login.h knows, kept over a restart of the daemon
 * (<state>/audit/logins.json), told in the audit log, and asked before every request on
 * web.sock.
 */
#pragma once

#include "control/session.h"
#include "model/login.h"

struct login_book;

/* Takes up what was kept. The audit log is open already. */
int login_book_open(struct hive *hive, struct login_book **ret, struct error *err);
void login_book_close(struct login_book *book);

/*
 * Before any request on web.sock: session, key and step-up as the verb's row in the table asks
 * for. The session of the connection acts as the operator who is logged in from here on.
 */
int logins_admit(struct session *session, const struct verb *verb, const json_t *request,
		 struct error *err);

/* The uid behind a session: on web.sock that of the login it showed. */
uid_t logins_uid(const struct session *session);

/* Their reasons as the metrics name them. */
enum login_failure {
	LOGIN_FAILED_CODE,
	LOGIN_FAILED_LOCKED,
	LOGIN_FAILED_SESSION,
	LOGIN_FAILED_KEY,
	LOGIN_FAILED_STEP_UP,
	LOGIN_FAILED_PEER,
	LOGIN_FAILED_COUNT,
};

extern const char *const login_failure_names[LOGIN_FAILED_COUNT];

void login_failed(struct hive *hive, enum login_failure why);
int64_t login_failures(const struct hive *hive, enum login_failure why);
size_t login_count(const struct hive *hive);
