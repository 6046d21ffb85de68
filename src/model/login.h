/*
 * Who is logged in with a browser. An operator mints a code on his own socket; a browser that
 * shows it gets a session, which reads, and a key, which acts; a code of another sort confirms
 * that the operator is still there (step-up). Of all these only hashes are kept. Times are
 * those of a clock that the caller reads: boot milliseconds, which nobody can set back.
 */
#pragma once

#include "base/error.h"
#include "base/secret.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOGIN_CODE_MS 60000
#define LOGIN_MS (12 * 3600 * 1000LL)
#define LOGIN_IDLE_MS (3600 * 1000LL)
#define LOGIN_STEP_UP_MS (15 * 60 * 1000LL)
#define LOGIN_MAX 64       /* at once; one more ends the one unused for longest */
#define LOGIN_CODES_MAX 16 /* the same for codes nobody has used yet */
#define LOGIN_BAD_CODES 5  /* of so many within LOGIN_BAD_MS the last one locks */
#define LOGIN_BAD_MS 60000
#define LOGIN_LOCK_MS 60000 /* after the last wrong code */
#define LOGIN_NAME_SIZE 48

struct login {
	int64_t id;
	uid_t uid;
	char actor[LOGIN_NAME_SIZE]; /* as the record names the operator: "uid 1000" */
	char name[LOGIN_NAME_SIZE];  /* the account's name, for people */
	char session[SECRET_SIZE], key[SECRET_SIZE]; /* hashes */
	int64_t created_ms, seen_ms;
	int64_t step_up_ms; /* until then everything may be done */
	int64_t confirm_ms; /* until then: what is about one proposal */
	int64_t confirm_id;
	int64_t created_wall_s, seen_wall_s; /* for people, and for a file that outlives us */
};

struct login_now {
	int64_t boot_ms, wall_s;
};

struct logins;

struct logins *logins_new(void);
void logins_free(struct logins *logins);

/* What a code is for. */
struct login_code_request {
	uid_t uid;
	const char *actor, *name;
	bool confirm;     /* a step-up of a login there is, else a new login */
	int64_t proposal; /* a confirmation for this proposal alone; 0: for everything */
};

/* Makes a code that is good for LOGIN_CODE_MS and once. */
int logins_mint(struct logins *logins, const struct login_now *now,
		const struct login_code_request *request, char ret_code[SECRET_SIZE],
		struct error *err);

/*
 * A code becomes a login. Wrong, used, late codes are "unauthorized"; LOGIN_BAD_CODES of them
 * within a minute lock ("rate_limited"): for LOGIN_LOCK_MS after the last wrong one only codes
 * are taken that were minted since it locked, so that whoever can reach the page can lock out
 * guessers and nobody else. *ret_locked (untouched on success) says that this one locked. *ret
 * is borrowed.
 */
int logins_enter(struct logins *logins, const struct login_now *now, const char *code,
		 char ret_session[SECRET_SIZE], char ret_key[SECRET_SIZE], struct login **ret,
		 bool *ret_locked, struct error *err);

/* A code that confirms, by the same rules; it must have been minted by the login's own uid. */
int logins_step_up(struct logins *logins, const struct login_now *now, struct login *login,
		   const char *code, bool *ret_locked, struct error *err);

/* The login of a session ("unauthorized" when there is none), which counts as seen now. */
int logins_find(struct logins *logins, const struct login_now *now, const char *session,
		struct login **ret, struct error *err);

/* Whether the key belongs to the login: "forbidden". */
int login_check_key(const struct login *login, const char *key, struct error *err);

/* Whether the operator was there lately, for proposal id (0: for anything else): "step_up". */
int login_check_step_up(const struct login *login, const struct login_now *now, int64_t id,
			struct error *err);

/* When it ends unless it is used. */
int64_t login_end_ms(const struct login *login);

/* Ends one; -ENOENT. */
int logins_end(struct logins *logins, int64_t id, struct error *err);

/* The nth login, NULL past the last. */
struct login *logins_at(struct logins *logins, size_t n);

/* The number of a login that is over and was dropped now; 0 when there is none. */
int64_t logins_expire(struct logins *logins, const struct login_now *now);

/* What a file keeps of the logins. The caller owns it. */
json_t *logins_to_json(const struct logins *logins, const struct login_now *now);

/*
 * Takes them up again. Where the machine was started anew in between nobody is logged in; else
 * both clocks must say that there is time left. Entries that make no sense are left out.
 */
void logins_from_json(struct logins *logins, const struct login_now *now, const json_t *object);
