#include "model/login.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct code {
	char hash[SECRET_SIZE]; /* "": free */
	struct login_code_request what;
	char actor[LOGIN_NAME_SIZE], name[LOGIN_NAME_SIZE];
	int64_t minted_ms;
};

struct logins {
	int64_t last_id;
	struct login logins[LOGIN_MAX];
	size_t n;
	struct code codes[LOGIN_CODES_MAX];
	int64_t bad_ms[LOGIN_BAD_CODES]; /* when the last wrong codes came, a ring */
	size_t n_bad;                    /* in all */
	int64_t locked_ms, lock_end_ms;  /* since when and until when; 0: not */
};

struct logins *logins_new(void)
{
	return mem_new(1, sizeof(struct logins));
}

void logins_free(struct logins *logins)
{
	if (!logins)
		return;
	secret_forget(logins, sizeof(*logins));
	free(logins);
}

/* ---- codes ---- */

int logins_mint(struct logins *l, const struct login_now *now,
		const struct login_code_request *request, char ret_code[SECRET_SIZE],
		struct error *err)
{
	struct code *code = &l->codes[0];
	char secret[SECRET_SIZE];
	int r = secret_new(secret, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < LOGIN_CODES_MAX && code->hash[0]; i++)
		if (!l->codes[i].hash[0] || l->codes[i].minted_ms < code->minted_ms)
			code = &l->codes[i];
	*code = (struct code){.what = *request, .minted_ms = now->boot_ms};
	snprintf(code->actor, sizeof(code->actor), "%s", request->actor);
	snprintf(code->name, sizeof(code->name), "%s", request->name);
	code->what.actor = code->what.name = NULL;
	secret_hash(code->hash, secret);
	memcpy(ret_code, secret, SECRET_SIZE);
	secret_forget(secret, sizeof(secret));
	return 0;
}

static bool is_locked(const struct logins *l, const struct login_now *now)
{
	return l->locked_ms > 0 && now->boot_ms < l->lock_end_ms;
}

static int refuse_locked(const struct logins *l, const struct login_now *now, struct error *err)
{
	error_set_code(
		err, EAGAIN, "rate_limited",
		"%d wrong codes within a minute; those made before are not taken any more",
		LOGIN_BAD_CODES);
	error_hint(err, "skep dashboard");
	error_retry(err, (int)((l->lock_end_ms - now->boot_ms + 999) / 1000));
	return -EAGAIN;
}

/* One more wrong code; whether it is the one that locks. */
static bool count_bad(struct logins *l, const struct login_now *now)
{
	int64_t *slot = &l->bad_ms[l->n_bad++ % LOGIN_BAD_CODES];
	int64_t first; /* of the last LOGIN_BAD_CODES */

	*slot = now->boot_ms;
	if (is_locked(l, now)) {
		l->lock_end_ms = now->boot_ms + LOGIN_LOCK_MS;
		return false;
	}
	first = l->bad_ms[l->n_bad % LOGIN_BAD_CODES];
	if (l->n_bad < LOGIN_BAD_CODES || now->boot_ms - first >= LOGIN_BAD_MS)
		return false;
	l->locked_ms = now->boot_ms;
	l->lock_end_ms = now->boot_ms + LOGIN_LOCK_MS;
	l->n_bad = 0;
	return true;
}

/* Every code is compared, so that the time tells nothing of which one was near. */
static struct code *match_code(struct logins *l, const struct login_now *now, const char *text,
			       bool confirm, const struct login *login)
{
	struct code *found = NULL;

	for (size_t i = 0; i < LOGIN_CODES_MAX; i++) {
		struct code *code = &l->codes[i];
		bool matches = secret_matches(text, code->hash);

		if (!matches || code->what.confirm != confirm ||
		    now->boot_ms - code->minted_ms >= LOGIN_CODE_MS ||
		    (login && login->uid != code->what.uid) ||
		    (is_locked(l, now) && code->minted_ms <= l->locked_ms))
			continue;
		found = code;
	}
	return found;
}

/* Takes a code out: it is good once. */
static int take_code(struct logins *l, const struct login_now *now, const char *text,
		     bool confirm, const struct login *login, struct code *ret,
		     bool *ret_locked, struct error *err)
{
	struct code *code = match_code(l, now, text, confirm, login);
	bool was_locked = is_locked(l, now);

	if (!code) {
		bool locked = count_bad(l, now);

		*ret_locked = locked;
		if (was_locked)
			return refuse_locked(l, now, err);
		error_set_code(err, EACCES, "unauthorized",
			       "this code is wrong, was used already or is older than %d s",
			       LOGIN_CODE_MS / 1000);
		error_hint(err, confirm ? "skep dashboard --confirm" : "skep dashboard");
		return -EACCES;
	}
	*ret = *code;
	secret_forget(code, sizeof(*code));
	return 0;
}

/* ---- logins ---- */

static void drop(struct logins *l, struct login *login)
{
	size_t i = (size_t)(login - l->logins);

	memmove(login, login + 1, (l->n - i - 1) * sizeof(*login));
	l->n--;
	secret_forget(&l->logins[l->n], sizeof(*login));
}

static struct login *add(struct logins *l)
{
	struct login *oldest = &l->logins[0];

	if (l->n == LOGIN_MAX) {
		for (size_t i = 1; i < l->n; i++)
			if (l->logins[i].seen_ms < oldest->seen_ms)
				oldest = &l->logins[i];
		drop(l, oldest);
	}
	return &l->logins[l->n++];
}

int logins_enter(struct logins *l, const struct login_now *now, const char *text,
		 char ret_session[SECRET_SIZE], char ret_key[SECRET_SIZE], struct login **ret,
		 bool *ret_locked, struct error *err)
{
	char session[SECRET_SIZE], key[SECRET_SIZE];
	struct login *login;
	struct code code;
	int r = take_code(l, now, text, false, NULL, &code, ret_locked, err);

	if (r < 0 || (r = secret_new(session, err)) < 0 || (r = secret_new(key, err)) < 0)
		return r;
	login = add(l);
	*login = (struct login){
		.id = ++l->last_id,
		.uid = code.what.uid,
		.created_ms = now->boot_ms,
		.seen_ms = now->boot_ms,
		.step_up_ms = now->boot_ms + LOGIN_STEP_UP_MS,
		.created_wall_s = now->wall_s,
		.seen_wall_s = now->wall_s,
	};
	memcpy(login->actor, code.actor, sizeof(login->actor));
	memcpy(login->name, code.name, sizeof(login->name));
	secret_hash(login->session, session);
	secret_hash(login->key, key);
	memcpy(ret_session, session, SECRET_SIZE);
	memcpy(ret_key, key, SECRET_SIZE);
	secret_forget(session, sizeof(session));
	secret_forget(key, sizeof(key));
	*ret = login;
	return 0;
}

int logins_step_up(struct logins *l, const struct login_now *now, struct login *login,
		   const char *text, bool *ret_locked, struct error *err)
{
	struct code code;
	int r = take_code(l, now, text, true, login, &code, ret_locked, err);

	if (r < 0)
		return r;
	if (code.what.proposal > 0) {
		login->confirm_id = code.what.proposal;
		login->confirm_ms = now->boot_ms + LOGIN_STEP_UP_MS;
	} else {
		login->step_up_ms = now->boot_ms + LOGIN_STEP_UP_MS;
	}
	return 0;
}

int64_t login_end_ms(const struct login *login)
{
	int64_t idle = login->seen_ms + LOGIN_IDLE_MS, most = login->created_ms + LOGIN_MS;

	return idle < most ? idle : most;
}

static bool is_over(const struct login *login, const struct login_now *now)
{
	return now->boot_ms >= login_end_ms(login);
}

int logins_find(struct logins *l, const struct login_now *now, const char *session,
		struct login **ret, struct error *err)
{
	struct login *found = NULL;

	for (size_t i = 0; i < l->n; i++)
		if (secret_matches(session, l->logins[i].session) &&
		    !is_over(&l->logins[i], now))
			found = &l->logins[i];
	if (!found) {
		error_set_code(err, EACCES, "unauthorized",
			       "nobody is logged in with this session");
		error_hint(err, "skep dashboard");
		return -EACCES;
	}
	found->seen_ms = now->boot_ms;
	found->seen_wall_s = now->wall_s;
	*ret = found;
	return 0;
}

int login_check_key(const struct login *login, const char *key, struct error *err)
{
	if (secret_matches(key, login->key))
		return 0;
	error_set(err, EACCES, "this needs the key that this login was given");
	error_hint(err, "log in again: skep dashboard");
	return -EACCES;
}

int login_check_step_up(const struct login *login, const struct login_now *now, int64_t id,
			struct error *err)
{
	if (now->boot_ms < login->step_up_ms ||
	    (id > 0 && id == login->confirm_id && now->boot_ms < login->confirm_ms))
		return 0;
	error_set_code(err, EACCES, "step_up",
		       "this needs a confirmation not older than %lld minutes",
		       LOGIN_STEP_UP_MS / 60000);
	error_hint(err, "skep dashboard --confirm");
	return -EACCES;
}

int logins_end(struct logins *l, int64_t id, struct error *err)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->logins[i].id == id) {
			drop(l, &l->logins[i]);
			return 0;
		}
	error_set(err, ENOENT, "no session %lld", (long long)id);
	error_hint(err, "skep sessions");
	return -ENOENT;
}

struct login *logins_at(struct logins *l, size_t n)
{
	return n < l->n ? &l->logins[n] : NULL;
}

int64_t logins_expire(struct logins *l, const struct login_now *now)
{
	for (size_t i = 0; i < l->n; i++)
		if (is_over(&l->logins[i], now)) {
			int64_t id = l->logins[i].id;

			drop(l, &l->logins[i]);
			return id;
		}
	return 0;
}

/* ---- the file ---- */

static const struct {
	const char *key;
	size_t offset;
} numbers[] = {
	{"id", offsetof(struct login, id)},
	{"created_ms", offsetof(struct login, created_ms)},
	{"seen_ms", offsetof(struct login, seen_ms)},
	{"step_up_ms", offsetof(struct login, step_up_ms)},
	{"confirm_ms", offsetof(struct login, confirm_ms)},
	{"confirm_id", offsetof(struct login, confirm_id)},
	{"created_wall_s", offsetof(struct login, created_wall_s)},
	{"seen_wall_s", offsetof(struct login, seen_wall_s)},
};

json_t *logins_to_json(const struct logins *l, const struct login_now *now)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct login *login = &l->logins[i];
		json_t *o = json_pack("{s:I,s:s,s:s,s:s,s:s}", "uid", (json_int_t)login->uid,
				      "actor", login->actor, "name", login->name, "session",
				      login->session, "key", login->key);

		for (size_t k = 0; k < ARRAY_SIZE(numbers); k++)
			json_object_set_new(o, numbers[k].key,
					    json_integer(
						    *(const int64_t *)((const char *)login +
								       numbers[k].offset)));
		json_array_append_new(list, o);
	}
	return json_pack("{s:I,s:I,s:o}", "last_id", (json_int_t)l->last_id, "boot_ms",
			 (json_int_t)now->boot_ms, "logins", list);
}

static int read_hash(const json_t *o, const char *key, char out[SECRET_SIZE], struct error *err)
{
	const char *text = NULL;
	int r = json_get_str(o, key, true, &text, err);

	if (r == 0 && !text_is_hex(text, SECRET_SIZE - 1))
		r = error_set(err, EINVAL, "'%s' is no hash", key);
	if (r == 0)
		memcpy(out, text, SECRET_SIZE);
	return r;
}

static int read_login(const json_t *o, struct login *ret, struct error *err)
{
	const char *actor = NULL, *name = NULL;
	int64_t uid = 0;
	int r;

	if ((r = json_get_int(o, "uid", true, 0, UINT32_MAX, &uid, err)) < 0 ||
	    (r = json_get_str(o, "actor", true, &actor, err)) < 0 ||
	    (r = json_get_str(o, "name", true, &name, err)) < 0 ||
	    (r = read_hash(o, "session", ret->session, err)) < 0 ||
	    (r = read_hash(o, "key", ret->key, err)) < 0)
		return r;
	ret->uid = (uid_t)uid;
	snprintf(ret->actor, sizeof(ret->actor), "%s", actor);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	for (size_t k = 0; k < ARRAY_SIZE(numbers) && r == 0; k++)
		r = json_get_int(o, numbers[k].key, true, 0, INT64_MAX,
				 (int64_t *)((char *)ret + numbers[k].offset), err);
	return r;
}

/* A machine that has started again since may be up for longer than before, so the clock on the
 * wall must agree. */
static bool is_still_on(const struct login *login, const struct login_now *now)
{
	int64_t wall_end_s = login->seen_wall_s + LOGIN_IDLE_MS / 1000;

	if (login->created_wall_s + LOGIN_MS / 1000 < wall_end_s)
		wall_end_s = login->created_wall_s + LOGIN_MS / 1000;
	return login->created_ms <= login->seen_ms && login->seen_ms <= now->boot_ms &&
	       !is_over(login, now) && now->wall_s < wall_end_s &&
	       login->step_up_ms <= now->boot_ms + LOGIN_STEP_UP_MS &&
	       login->confirm_ms <= now->boot_ms + LOGIN_STEP_UP_MS;
}

void logins_from_json(struct logins *l, const struct login_now *now, const json_t *object)
{
	json_t *list = json_object_get(object, "logins"), *entry;
	size_t i;

	l->last_id = json_integer_value(json_object_get(object, "last_id"));
	if (json_integer_value(json_object_get(object, "boot_ms")) > now->boot_ms)
		return;
	json_array_foreach (list, i, entry) {
		struct login login = {};

		if (l->n < LOGIN_MAX && read_login(entry, &login, NULL) == 0 &&
		    is_still_on(&login, now))
			l->logins[l->n++] = login;
		secret_forget(&login, sizeof(login));
	}
}
