#include "control/logins.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "control/audit.h"
#include "control/dispatch.h"
#include "control/journal.h"
#include "wire/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGINS_FILE "audit/logins.json"
#define LOGINS_MAX_BYTES (256 << 10)
#define SEEN_EVERY_MS 60000 /* how late the file may be about who was seen when */

const char *const login_failure_names[LOGIN_FAILED_COUNT] = {
	[LOGIN_FAILED_CODE] = "code",       [LOGIN_FAILED_LOCKED] = "locked",
	[LOGIN_FAILED_SESSION] = "session", [LOGIN_FAILED_KEY] = "key",
	[LOGIN_FAILED_STEP_UP] = "step_up", [LOGIN_FAILED_PEER] = "peer",
};

struct login_book {
	struct hive *hive;
	struct logins *logins;
	struct timer *expiry;
	int64_t written_ms;
	int64_t failures[LOGIN_FAILED_COUNT];
};

static struct login_now now_of(const struct hive *hive)
{
	return (struct login_now){.boot_ms = hive->boot_ms(), .wall_s = hive->wall_s()};
}

/* ---- the file ---- */

static char *file_path(const struct hive *hive)
{
	return str_format("%s/" LOGINS_FILE, hive->config->state_dir);
}

/* A login that cannot be kept is one that ends with the daemon: no reason to refuse it. */
static void write_down(struct login_book *book)
{
	struct login_now now = now_of(book->hive);
	_cleanup_free_ char *path = file_path(book->hive), *text = NULL;
	json_t *object = logins_to_json(book->logins, &now);
	struct error err = {};

	text = json_line(object);
	json_decref(object);
	book->written_ms = now.boot_ms;
	if (file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, &err) < 0)
		log_line(LOG_ERR, "logins will not outlive a restart: %s", error_text(&err));
}

static void take_up(struct login_book *book)
{
	struct login_now now = now_of(book->hive);
	_cleanup_free_ char *path = file_path(book->hive);
	_cleanup_buf_ struct buf text = {};
	json_t *object = NULL;
	struct error err = {};
	int r = file_read(AT_FDCWD, path, LOGINS_MAX_BYTES, &text, &err);

	if (r == -ENOENT)
		return;
	if (r == 0)
		r = json_parse(buf_str(&text), text.size, &object, &err);
	if (r < 0)
		log_line(LOG_WARNING, "nobody stays logged in: '%s': %s", path,
			 error_text(&err));
	else
		logins_from_json(book->logins, &now, object);
	json_decref(object);
}

/* ---- the end of a login ---- */

static int no_login(struct error *err)
{
	return error_set_code(err, EACCES, "unauthorized", "this login has ended");
}

static void end_stream(struct session *s, void *data)
{
	struct error err = {};

	if (s->login_id != *(int64_t *)data || s->mode == SESSION_REQUESTS)
		return;
	(void)no_login(&err);
	session_send(s, answer_error(&err));
	conn_close(s->conn, true);
}

/* What a login reads as a stream ends with it. */
static void end_streams(struct hive *hive, int64_t id)
{
	session_each(hive, end_stream, &id);
}

static void arm_expiry(struct login_book *book);

static void on_expiry(void *data)
{
	struct login_book *book = data;
	struct login_now now = now_of(book->hive);
	int64_t id;

	book->expiry = NULL;
	while ((id = logins_expire(book->logins, &now)) > 0)
		end_streams(book->hive, id);
	write_down(book);
	arm_expiry(book);
}

static void arm_expiry(struct login_book *book)
{
	const struct login *login;
	int64_t first = INT64_MAX, now = book->hive->boot_ms();

	timer_cancel(book->expiry);
	book->expiry = NULL;
	for (size_t i = 0; (login = logins_at(book->logins, i)); i++)
		if (login_end_ms(login) < first)
			first = login_end_ms(login);
	if (first < INT64_MAX)
		book->expiry = loop_timer(book->hive->loop, first > now ? first - now : 0,
					  on_expiry, book);
}

int login_book_open(struct hive *hive, struct login_book **ret, struct error *err)
{
	struct login_book *book = mem_new(1, sizeof(*book));

	(void)err;
	book->hive = hive;
	book->logins = logins_new();
	take_up(book);
	arm_expiry(book);
	*ret = book;
	return 0;
}

void login_book_close(struct login_book *book)
{
	if (!book)
		return;
	timer_cancel(book->expiry);
	logins_free(book->logins);
	free(book);
}

/* ---- who fails ---- */

void login_failed(struct hive *hive, enum login_failure why)
{
	if (hive->logins)
		hive->logins->failures[why]++;
}

int64_t login_failures(const struct hive *hive, enum login_failure why)
{
	return hive->logins ? hive->logins->failures[why] : 0;
}

size_t login_count(const struct hive *hive)
{
	size_t n = 0;

	while (hive->logins && logins_at(hive->logins->logins, n))
		n++;
	return n;
}

/* ---- every request ---- */

static int check_proofs(const struct login *login, const struct login_now *now,
			const struct verb *verb, const json_t *request, struct hive *hive,
			struct error *err)
{
	const char *key = NULL;
	int64_t id = 0;
	int r;

	if (!verb->mutates && !(verb->allowed & VERB_STEP_UP))
		return 0;
	if ((r = json_get_str(request, "key", false, &key, err)) < 0)
		return r;
	r = login_check_key(login, key, err);
	if (r < 0) {
		login_failed(hive, LOGIN_FAILED_KEY);
		return r;
	}
	if (!(verb->allowed & VERB_STEP_UP))
		return 0;
	/* only a verdict's "id" is a proposal's */
	if (verb->id == VERB_APPROVE || verb->id == VERB_DENY)
		id = json_integer_value(json_object_get(request, "id"));
	r = login_check_step_up(login, now, id, err);
	if (r < 0)
		login_failed(hive, LOGIN_FAILED_STEP_UP);
	return r;
}

int logins_admit(struct session *s, const struct verb *verb, const json_t *request,
		 struct error *err)
{
	struct login_book *book = s->hive->logins;
	struct login_now now = now_of(s->hive);
	const char *session = NULL;
	struct login *login;
	int r;

	s->login_id = 0;
	snprintf(s->actor.name, sizeof(s->actor.name), "skep-web");
	if (verb->allowed & VERB_OPEN)
		return 0;
	if ((r = json_get_str(request, "session", false, &session, err)) < 0)
		return r;
	r = logins_find(book->logins, &now, session, &login, err);
	if (r < 0) {
		login_failed(s->hive, LOGIN_FAILED_SESSION);
		return r;
	}
	if ((r = check_proofs(login, &now, verb, request, s->hive, err)) < 0)
		return r;
	s->login_id = login->id;
	snprintf(s->actor.name, sizeof(s->actor.name), "%s", login->actor);
	if (now.boot_ms - book->written_ms >= SEEN_EVERY_MS)
		write_down(book);
	return 0;
}

/* ---- the verbs of operators ---- */

/* The account's name out of the file itself: no service that could let us wait is asked. */
static void account_name(uid_t uid, char out[LOGIN_NAME_SIZE])
{
	_cleanup_fclose_ FILE *file = fopen("/etc/passwd", "re");
	struct passwd entry, *found;
	char room[4096];

	snprintf(out, LOGIN_NAME_SIZE, "uid %u", (unsigned)uid);
	while (file && fgetpwent_r(file, &entry, room, sizeof(room), &found) == 0)
		if (entry.pw_uid == uid) {
			snprintf(out, LOGIN_NAME_SIZE, "%.*s", LOGIN_NAME_SIZE - 1,
				 entry.pw_name);
			return;
		}
}

/* 127.0.0.1 and not "localhost": what else listens on ::1 must not be sent a cookie. */
static char *link_of(const struct hive *hive, const char *code, bool confirm, int64_t id)
{
	_cleanup_free_ char *place =
		id > 0 ? str_format("/p/%lld", (long long)id) : str_dup("");

	return str_format("http://127.0.0.1:%u/login#%s%s%s", hive->config->dashboard_port,
			  code, confirm ? "/step-up" : "", place);
}

int handle_dashboard(struct session *s, const json_t *request, struct error *err)
{
	struct login_now now = now_of(s->hive);
	struct login_code_request what = {.uid = s->uid, .actor = s->actor.name};
	char code[SECRET_SIZE], name[LOGIN_NAME_SIZE];
	_cleanup_free_ char *url = NULL;
	struct proposal *p;
	json_t *login;
	int r;

	if ((r = json_get_bool(request, "confirm", false, &what.confirm, err)) < 0 ||
	    (json_object_get(request, "id") &&
	     (r = dispatch_proposal(s, request, &p, err)) < 0))
		return r;
	if (json_object_get(request, "id"))
		what.proposal = p->id;
	account_name(s->uid, name);
	what.name = name;
	r = logins_mint(s->hive->logins->logins, &now, &what, code, err);
	if (r < 0)
		return r;
	url = link_of(s->hive, code, what.confirm, what.proposal);
	login = json_pack("{s:s,s:s,s:i}", "url", url, "code", code, "expires_s",
			  LOGIN_CODE_MS / 1000);
	secret_forget(code, sizeof(code));
	secret_forget(url, strlen(url));
	session_answer(s, answer_with("login", login));
	return 0;
}

static void put_at(json_t *o, const char *key, const struct login_now *now, int64_t boot_ms)
{
	char at[CLOCK_TEXT_SIZE];
	int64_t ahead_s = (boot_ms - now->boot_ms) / 1000;

	json_object_set_new(o, key, json_string(clock_format(at, now->wall_s + ahead_s)));
}

int handle_sessions(struct session *s, const json_t *request, struct error *err)
{
	struct login_now now = now_of(s->hive);
	json_t *list = json_array();
	const struct login *login;

	(void)request;
	(void)err;
	for (size_t i = 0; (login = logins_at(s->hive->logins->logins, i)); i++) {
		json_t *o = json_pack("{s:I,s:s,s:I}", "id", (json_int_t)login->id, "login",
				      login->name, "uid", (json_int_t)login->uid);

		put_at(o, "created_at", &now, login->created_ms);
		put_at(o, "last_seen_at", &now, login->seen_ms);
		put_at(o, "expires_at", &now, login_end_ms(login));
		json_array_append_new(list, o);
	}
	session_answer(s, answer_with("sessions", list));
	return 0;
}

static int end_login(struct session *s, int64_t id, const char *verb, struct error *err)
{
	struct login_book *book = s->hive->logins;
	_cleanup_free_ char *note = str_format("session %lld", (long long)id);
	int r = logins_end(book->logins, id, err);

	if (r < 0)
		return r;
	audit_add(s->hive->audit, &s->actor, verb, NULL, "ok", note);
	write_down(book);
	arm_expiry(book);
	end_streams(s->hive, id);
	return 0;
}

int handle_sessions_revoke(struct session *s, const json_t *request, struct error *err)
{
	const struct login *login;
	int64_t id = 0;
	bool all = false;
	int r;

	if ((r = json_get_int(request, "id", false, 1, INT64_MAX, &id, err)) < 0 ||
	    (r = json_get_bool(request, "all", false, &all, err)) < 0)
		return r;
	if (all == (id > 0))
		return error_set(err, EINVAL, "either 'id' or 'all' says which sessions end");
	while (all && r == 0 && (login = logins_at(s->hive->logins->logins, 0)))
		r = end_login(s, login->id, "revoke", err);
	if (!all)
		r = end_login(s, id, "revoke", err);
	if (r < 0)
		return r;
	session_answer(s, answer_ok());
	return 0;
}

/* ---- the verbs of skep-web ---- */

static void note_failure(struct session *s, const char *verb, bool locked,
			 const struct error *err)
{
	bool limited = strcmp(error_code(err), "rate_limited") == 0;

	login_failed(s->hive, limited ? LOGIN_FAILED_LOCKED : LOGIN_FAILED_CODE);
	/* while it is locked nothing is written: the log would be the next thing to fill */
	if (!limited)
		audit_add(s->hive->audit, &s->actor, verb, NULL,
			  locked ? "locked: too many wrong codes" : "wrong code", NULL);
	if (locked)
		log_event(LOG_WARNING, "too many wrong login codes: logins are locked",
			  "MESSAGE_ID", JOURNAL_AUTH_FAILED, NULL);
}

static void put_step_up(json_t *o, const struct login *login, const struct login_now *now)
{
	if (now->boot_ms < login->step_up_ms)
		put_at(o, "step_up_until", now, login->step_up_ms);
	if (now->boot_ms >= login->confirm_ms)
		return;
	put_at(o, "confirmed_until", now, login->confirm_ms);
	json_object_set_new(o, "confirmed", json_integer(login->confirm_id));
}

static json_t *row_login(const struct login *login, const struct login_now *now)
{
	json_t *o = json_pack("{s:s,s:I}", "login", login->name, "uid", (json_int_t)login->uid);

	put_at(o, "expires_at", now, login_end_ms(login));
	put_step_up(o, login, now);
	return o;
}

int handle_web_login(struct session *s, const json_t *request, struct error *err)
{
	struct login_book *book = s->hive->logins;
	struct login_now now = now_of(s->hive);
	char session[SECRET_SIZE], key[SECRET_SIZE];
	_cleanup_free_ char *note = NULL;
	const char *code = NULL;
	struct login *login;
	bool locked = false;
	json_t *row;
	int r;

	if ((r = json_get_str(request, "code", true, &code, err)) < 0)
		return r;
	r = logins_enter(book->logins, &now, code, session, key, &login, &locked, err);
	if (r < 0) {
		note_failure(s, "login", locked, err);
		return r;
	}
	snprintf(s->actor.name, sizeof(s->actor.name), "%s", login->actor);
	note = str_format("session %lld", (long long)login->id);
	audit_add(s->hive->audit, &s->actor, "login", NULL, "ok", note);
	log_event(LOG_NOTICE, "an operator logged in with a browser", "MESSAGE_ID",
		  JOURNAL_LOGIN, "SKEP_ACTOR", login->actor, NULL);
	write_down(book);
	arm_expiry(book);
	row = json_pack("{s:s,s:s}", "session", session, "key", key);
	json_object_update_missing_new(row, row_login(login, &now));
	secret_forget(session, sizeof(session));
	secret_forget(key, sizeof(key));
	session_answer(s, answer_with("login", row));
	return 0;
}

static struct login *login_of(const struct session *s)
{
	struct login *login;

	for (size_t i = 0; (login = logins_at(s->hive->logins->logins, i)); i++)
		if (login->id == s->login_id)
			return login;
	return NULL;
}

uid_t logins_uid(const struct session *s)
{
	const struct login *login = s->login_id > 0 ? login_of(s) : NULL;

	return login ? login->uid : s->uid;
}

int handle_web_step_up(struct session *s, const json_t *request, struct error *err)
{
	struct login_book *book = s->hive->logins;
	struct login_now now = now_of(s->hive);
	struct login *login = login_of(s);
	const char *code = NULL;
	bool locked = false;
	int r;

	if (!login)
		return no_login(err);
	if ((r = json_get_str(request, "code", true, &code, err)) < 0)
		return r;
	r = logins_step_up(book->logins, &now, login, code, &locked, err);
	if (r < 0) {
		note_failure(s, "step_up", locked, err);
		return r;
	}
	audit_add(s->hive->audit, &s->actor, "step_up", NULL, "ok", NULL);
	write_down(book);
	session_answer(s, answer_with("login", row_login(login, &now)));
	return 0;
}

int handle_web_session(struct session *s, const json_t *request, struct error *err)
{
	const struct login *login = login_of(s);
	struct login_now now = now_of(s->hive);

	(void)request;
	if (!login)
		return no_login(err);
	session_answer(s, answer_with("login", row_login(login, &now)));
	return 0;
}

int handle_web_logout(struct session *s, const json_t *request, struct error *err)
{
	int r = end_login(s, s->login_id, "logout", err);

	(void)request;
	if (r < 0)
		return r;
	session_answer(s, answer_ok());
	return 0;
}
