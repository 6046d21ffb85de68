/* Every rule of a login, by a clock that the test moves. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "model/login.h"

#include <errno.h>

struct fixture {
	struct logins *logins;
	struct login_now now;
	char code[SECRET_SIZE], session[SECRET_SIZE], key[SECRET_SIZE];
	struct login *login;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->logins = logins_new();
	f->now = (struct login_now){.boot_ms = 5000000, .wall_s = 1700000000};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	logins_free(f->logins);
	free(f);
	return 0;
}

static void pass(struct fixture *f, int64_t ms)
{
	f->now.boot_ms += ms;
	f->now.wall_s += ms / 1000;
}

static void mint(struct fixture *f, uid_t uid, bool confirm, int64_t proposal)
{
	struct login_code_request what = {
		.uid = uid,
		.actor = "uid 7",
		.name = "ann",
		.confirm = confirm,
		.proposal = proposal,
	};

	assert_int_equal(logins_mint(f->logins, &f->now, &what, f->code, NULL), 0);
}

static const char *enter_code(struct fixture *f, const char *code, bool *ret_locked)
{
	struct error err = {};
	bool locked = false;
	int r = logins_enter(f->logins, &f->now, code, f->session, f->key, &f->login, &locked,
			     &err);

	if (ret_locked)
		*ret_locked = locked;
	return r == 0 ? "ok" : error_code(&err);
}

static const char *enter(struct fixture *f)
{
	return enter_code(f, f->code, NULL);
}

static void log_in(struct fixture *f)
{
	mint(f, 7, false, 0);
	assert_string_equal(enter(f), "ok");
}

static const char *find(struct fixture *f)
{
	struct error err = {};
	struct login *login;
	int r = logins_find(f->logins, &f->now, f->session, &login, &err);

	return r == 0 ? "ok" : error_code(&err);
}

static const char *step_up(struct fixture *f)
{
	struct error err = {};
	bool locked = false;
	int r = logins_step_up(f->logins, &f->now, f->login, f->code, &locked, &err);

	return r == 0 ? "ok" : error_code(&err);
}

static const char *check_step_up(struct fixture *f, int64_t id)
{
	struct error err = {};

	return login_check_step_up(f->login, &f->now, id, &err) == 0 ? "ok" : error_code(&err);
}

static void test_code_is_good_once(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	assert_string_equal(enter(f), "unauthorized");
}

static void test_code_is_good_for_a_minute(void **state)
{
	struct fixture *f = *state;

	mint(f, 7, false, 0);
	pass(f, LOGIN_CODE_MS);
	assert_string_equal(enter(f), "unauthorized");
	mint(f, 7, false, 0);
	pass(f, LOGIN_CODE_MS - 1);
	assert_string_equal(enter(f), "ok");
}

static void test_code_is_of_one_sort(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	mint(f, 7, true, 0);
	assert_string_equal(enter(f), "unauthorized");
	mint(f, 7, false, 0);
	assert_string_equal(step_up(f), "unauthorized");
}

static void test_codes_are_bounded(void **state)
{
	struct fixture *f = *state;
	char first[SECRET_SIZE];

	mint(f, 7, false, 0);
	memcpy(first, f->code, sizeof(first));
	for (int i = 0; i < LOGIN_CODES_MAX; i++) {
		pass(f, 1);
		mint(f, 7, false, 0);
	}
	assert_string_equal(enter_code(f, first, NULL), "unauthorized");
	assert_string_equal(enter(f), "ok");
}

static void bad(struct fixture *f, const char *expected, bool locks)
{
	bool locked = false;

	assert_string_equal(enter_code(f, "0", &locked), expected);
	assert_int_equal(locked, locks);
}

static void test_lockout(void **state)
{
	struct fixture *f = *state;

	mint(f, 7, false, 0);
	for (int i = 0; i < LOGIN_BAD_CODES; i++) {
		bad(f, "unauthorized", i == LOGIN_BAD_CODES - 1);
		pass(f, 1000);
	}
	bad(f, "rate_limited", false);
	/* what was made before is as good as gone */
	assert_string_equal(enter(f), "rate_limited");
	/* who has the operator's socket is not kept out by who guesses */
	mint(f, 7, false, 0);
	bad(f, "rate_limited", false);
	assert_string_equal(enter(f), "ok");
	bad(f, "rate_limited", false);
	pass(f, LOGIN_LOCK_MS - 1);
	bad(f, "rate_limited", false);
	pass(f, LOGIN_LOCK_MS);
	bad(f, "unauthorized", false);
	log_in(f);
}

static void test_few_wrong_codes_do_not_lock(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4 * LOGIN_BAD_CODES; i++) {
		bad(f, "unauthorized", false);
		pass(f, LOGIN_BAD_MS / (LOGIN_BAD_CODES - 1));
	}
}

static void test_wrong_confirmations_lock_too(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	for (int i = 0; i < LOGIN_BAD_CODES; i++) {
		memset(f->code, '0', SECRET_SIZE - 1);
		assert_string_equal(step_up(f), "unauthorized");
	}
	assert_string_equal(step_up(f), "rate_limited");
}

static void test_session(void **state)
{
	struct fixture *f = *state;
	struct login *login;

	log_in(f);
	assert_string_equal(find(f), "ok");
	assert_int_not_equal(logins_find(f->logins, &f->now, NULL, &login, NULL), 0);
	assert_int_not_equal(logins_find(f->logins, &f->now, f->key, &login, NULL), 0);
	/* what is kept opens nothing */
	assert_int_not_equal(logins_find(f->logins, &f->now, f->login->session, &login, NULL),
			     0);
}

static void test_session_ends_when_idle(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	pass(f, LOGIN_IDLE_MS - 1);
	assert_string_equal(find(f), "ok");
	pass(f, LOGIN_IDLE_MS - 1);
	assert_string_equal(find(f), "ok");
	pass(f, LOGIN_IDLE_MS);
	assert_string_equal(find(f), "unauthorized");
	assert_int_equal(logins_expire(f->logins, &f->now), 1);
	assert_int_equal(logins_expire(f->logins, &f->now), 0);
	assert_null(logins_at(f->logins, 0));
}

static void test_session_ends_after_half_a_day(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	for (int64_t ms = 0; ms + LOGIN_IDLE_MS / 2 < LOGIN_MS; ms += LOGIN_IDLE_MS / 2) {
		assert_string_equal(find(f), "ok");
		pass(f, LOGIN_IDLE_MS / 2);
	}
	assert_string_equal(find(f), "ok");
	pass(f, LOGIN_IDLE_MS / 2);
	assert_string_equal(find(f), "unauthorized");
}

static void test_clock_on_the_wall_does_not_count(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	f->now.wall_s += 400 * 86400;
	assert_string_equal(find(f), "ok");
	f->now.wall_s -= 800 * 86400;
	pass(f, LOGIN_IDLE_MS);
	assert_string_equal(find(f), "unauthorized");
}

static void test_key(void **state)
{
	struct fixture *f = *state;
	char first[SECRET_SIZE];
	struct error err = {};

	log_in(f);
	memcpy(first, f->key, sizeof(first));
	assert_int_equal(login_check_key(f->login, first, NULL), 0);
	assert_int_not_equal(login_check_key(f->login, f->session, NULL), 0);
	assert_int_not_equal(login_check_key(f->login, f->login->key, NULL), 0);
	assert_int_not_equal(login_check_key(f->login, NULL, &err), 0);
	assert_string_equal(error_code(&err), "forbidden");
	/* another login's key is not this one's */
	log_in(f);
	assert_int_not_equal(login_check_key(f->login, first, NULL), 0);
}

static void test_step_up(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	assert_string_equal(check_step_up(f, 0), "ok");
	pass(f, LOGIN_STEP_UP_MS - 1);
	assert_string_equal(check_step_up(f, 0), "ok");
	pass(f, 1);
	assert_string_equal(check_step_up(f, 0), "step_up");
	/* reading is no sign of an operator */
	assert_string_equal(find(f), "ok");
	assert_string_equal(check_step_up(f, 3), "step_up");
	mint(f, 7, true, 0);
	assert_string_equal(step_up(f), "ok");
	assert_string_equal(check_step_up(f, 3), "ok");
	pass(f, LOGIN_STEP_UP_MS);
	assert_string_equal(check_step_up(f, 0), "step_up");
}

static void test_confirmation_of_one_proposal(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	pass(f, LOGIN_STEP_UP_MS);
	mint(f, 7, true, 3);
	assert_string_equal(step_up(f), "ok");
	assert_string_equal(check_step_up(f, 3), "ok");
	assert_string_equal(check_step_up(f, 4), "step_up");
	assert_string_equal(check_step_up(f, 0), "step_up");
	pass(f, LOGIN_STEP_UP_MS);
	assert_string_equal(check_step_up(f, 3), "step_up");
}

static void test_confirmation_is_the_same_persons(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	pass(f, LOGIN_STEP_UP_MS);
	mint(f, 8, true, 0);
	assert_string_equal(step_up(f), "unauthorized");
	assert_string_equal(check_step_up(f, 0), "step_up");
}

static void test_logins_are_bounded(void **state)
{
	struct fixture *f = *state;
	char first[SECRET_SIZE], second[SECRET_SIZE];

	log_in(f);
	memcpy(first, f->session, sizeof(first));
	pass(f, 1);
	log_in(f);
	memcpy(second, f->session, sizeof(second));
	for (int i = 2; i < LOGIN_MAX; i++) {
		pass(f, 1);
		log_in(f);
	}
	/* the first was used since */
	memcpy(f->session, first, sizeof(first));
	assert_string_equal(find(f), "ok");
	log_in(f);
	assert_null(logins_at(f->logins, LOGIN_MAX));
	memcpy(f->session, second, sizeof(second));
	assert_string_equal(find(f), "unauthorized");
	memcpy(f->session, first, sizeof(first));
	assert_string_equal(find(f), "ok");
}

static void test_end(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	assert_int_equal(logins_end(f->logins, 2, NULL), -ENOENT);
	assert_int_equal(logins_end(f->logins, 1, NULL), 0);
	assert_string_equal(find(f), "unauthorized");
	log_in(f);
	assert_int_equal(f->login->id, 2);
}

/* What was kept, taken up at another time. */
static const char *restart(struct fixture *f, int64_t boot_ms, int64_t wall_s)
{
	json_t *kept = logins_to_json(f->logins, &f->now);
	_cleanup_free_ char *text = json_line(kept);

	assert_null(strstr(text, f->session));
	assert_null(strstr(text, f->key));
	f->now.boot_ms += boot_ms;
	f->now.wall_s += wall_s;
	logins_free(f->logins);
	f->logins = logins_new();
	logins_from_json(f->logins, &f->now, kept);
	json_decref(kept);
	return find(f);
}

static void test_restart(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	assert_string_equal(restart(f, 1000, 1), "ok");
	f->login = logins_at(f->logins, 0);
	assert_int_equal(login_check_key(f->login, f->key, NULL), 0);
	assert_string_equal(check_step_up(f, 0), "ok");
	pass(f, LOGIN_STEP_UP_MS);
	assert_string_equal(check_step_up(f, 0), "step_up");
	log_in(f);
	assert_int_equal(f->login->id, 2);
}

static void test_restart_after_the_end(void **state)
{
	static const struct {
		const char *what;
		int64_t used_ms, boot_ms, wall_s;
	} cases[] = {
		{"a while later", 0, LOGIN_IDLE_MS, LOGIN_IDLE_MS / 1000},
		{"the machine was started again", 0, -4000000, 60},
		{"it was, and is up for longer than at the login", 1900000, -1800000, 60},
		{"it was, long ago, and is up for longer than before", 0, 60000, 86400},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f = *state;

		log_in(f);
		pass(f, cases[i].used_ms);
		if (strcmp(restart(f, cases[i].boot_ms, cases[i].wall_s), "unauthorized") != 0)
			fail_msg("%s: still logged in", cases[i].what);
	}
}

static void test_kept_nonsense(void **state)
{
	static const char *const lines[] = {
		"{}",
		"{\"logins\":[{}]}",
		"{\"logins\":7}",
		"{\"logins\":[{\"uid\":0,\"actor\":\"a\",\"name\":\"b\",\"session\":\"\","
		"\"key\":"
		"\"\",\"id\":1,\"created_ms\":1,\"seen_ms\":4999999,\"step_up_ms\":1,"
		"\"confirm_ms\":1,\"confirm_id\":0,\"created_wall_s\":1699999999,"
		"\"seen_wall_s\":1699999999}]}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		json_t *kept = NULL;

		assert_int_equal(json_parse(lines[i], strlen(lines[i]), &kept, NULL), 0);
		logins_from_json(f->logins, &f->now, kept);
		json_decref(kept);
		assert_null(logins_at(f->logins, 0));
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_code_is_good_once),
		T(test_code_is_good_for_a_minute),
		T(test_code_is_of_one_sort),
		T(test_codes_are_bounded),
		T(test_lockout),
		T(test_few_wrong_codes_do_not_lock),
		T(test_wrong_confirmations_lock_too),
		T(test_session),
		T(test_session_ends_when_idle),
		T(test_session_ends_after_half_a_day),
		T(test_clock_on_the_wall_does_not_count),
		T(test_key),
		T(test_step_up),
		T(test_confirmation_of_one_proposal),
		T(test_confirmation_is_the_same_persons),
		T(test_logins_are_bounded),
		T(test_end),
		T(test_restart),
		T(test_restart_after_the_end),
		T(test_kept_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
