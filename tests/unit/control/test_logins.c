/*
 * web.sock: what needs a login, a key, a confirmation, on sockets of a server in this process.
 * The test is the peer, so its own uid is skep-web's; the clock of logins is the test's.
 */
#include "loop_unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/sock.h"
#include "control/audit.h"
#include "control/event.h"
#include "control/logins.h"
#include "control/server.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct fixture {
	char dir[64];
	struct config config;
	struct loop *loop;
	struct hive *hive;
	int operator, web; /* connections */
	char session[SECRET_SIZE], key[SECRET_SIZE];
};

static int64_t boot_ms; /* what the hive's clock says */

static int64_t read_boot_ms(void)
{
	return boot_ms;
}

static int dial(struct fixture *f, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s.sock", f->dir, name);
	int fd = sock_connect(path, SOCK_STREAM, NULL);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	unit_turn(f->loop);
	return fd;
}

static int listen_at(struct fixture *f, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s.sock", f->dir, name);
	int fd = sock_listen(path, SOCK_STREAM, 0600, getuid(), getgid(), NULL);

	assert_true(fd >= 0);
	return fd;
}

static void begin(struct fixture *f)
{
	f->loop = loop_new();
	f->hive = hive_new(f->loop, &f->config, clock_wall_s);
	f->hive->boot_ms = read_boot_ms;
	f->hive->events = events_new(0);
	f->hive->server = server_new(f->hive);
	assert_int_equal(audit_open(f->hive, &f->hive->audit, NULL), 0);
	assert_int_equal(login_book_open(f->hive, &f->hive->logins, NULL), 0);
	server_listen(f->hive->server, listen_at(f, "operator"), PRINCIPAL_OPERATOR,
		      (int64_t)getgid());
	server_listen_web(f->hive->server, listen_at(f, "web"), getuid());
	f->operator= dial(f, "operator");
	f->web = dial(f, "web");
}

static void end(struct fixture *f)
{
	(void)close(f->operator);
	(void)close(f->web);
	unit_turn(f->loop);
	server_free(f->hive->server);
	login_book_close(f->hive->logins);
	audit_close(f->hive->audit);
	events_free(f->hive->events);
	hive_free(f->hive);
	loop_free(f->loop);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	_cleanup_free_ char *audit = NULL;
	struct settings settings;

	boot_ms = 5000000;
	snprintf(f->dir, sizeof(f->dir), "/tmp/skep-logins-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	audit = str_format("%s/audit", f->dir);
	assert_int_equal(mkdir(audit, 0700), 0);
	config_init(&f->config);
	free(f->config.state_dir);
	f->config.state_dir = str_dup(f->dir);
	begin(f);
	settings_init(&settings, "alice");
	(void)hive_add(f->hive, &settings);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	end(f);
	config_release(&f->config);
	(void)file_remove_tree(AT_FDCWD, f->dir, NULL);
	free(f);
	return 0;
}

/* The next line; NULL when there is none. The caller owns it. */
static json_t *hear(struct fixture *f, int fd)
{
	_cleanup_buf_ struct buf line = {};
	json_t *answer = NULL;
	char c;

	unit_turn(f->loop);
	while (read(fd, &c, 1) == 1 && c != '\n')
		buf_add_char(&line, c);
	if (line.size > 0)
		assert_int_equal(json_parse(buf_str(&line), line.size, &answer, NULL), 0);
	return answer;
}

__attribute__((format(printf, 3, 4))) static json_t *ask(struct fixture *f, int fd,
							 const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list args;

	va_start(args, format);
	assert_true(vasprintf(&line, format, args) > 0);
	va_end(args);
	for (char *q = line; *q; q++)
		if (*q == '\'')
			*q = '"';
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	assert_int_equal(write(fd, "\n", 1), 1);
	return hear(f, fd);
}

/* NULL: it must be ok. */
static void assert_code(json_t *answer, const char *code)
{
	const char *got = json_string_value(json_object_get(answer, "code"));
	bool ok = json_is_true(json_object_get(answer, "ok"));

	if (code ? !got || strcmp(got, code) != 0 : !ok) {
		_cleanup_free_ char *line = json_line(answer);

		fail_msg("'%s' was expected: %s", code ? code : "ok", line ? line : "nothing");
	}
	json_decref(answer);
}

static const char *text_of(const json_t *answer, const char *key)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(answer, "login"), key));

	assert_non_null(text);
	return text;
}

static void mint(struct fixture *f, const char *more, char out[SECRET_SIZE])
{
	json_t *answer = ask(f, f->operator, "{'cmd':'dashboard'%s}", more);

	snprintf(out, SECRET_SIZE, "%s", text_of(answer, "code"));
	assert_code(answer, NULL);
}

static void log_in(struct fixture *f)
{
	char code[SECRET_SIZE];
	json_t *answer;

	mint(f, "", code);
	answer = ask(f, f->web, "{'cmd':'web_login','code':'%s'}", code);
	snprintf(f->session, sizeof(f->session), "%s", text_of(answer, "session"));
	snprintf(f->key, sizeof(f->key), "%s", text_of(answer, "key"));
	assert_code(answer, NULL);
}

static void test_link(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask(f, f->operator, "{'cmd':'dashboard'}");
	_cleanup_free_ char *plain =
		str_format("http://127.0.0.1:7700/login#%s", text_of(answer, "code"));
	struct proposal *p = proposal_new(4, "alice");

	assert_string_equal(text_of(answer, "url"), plain);
	assert_code(answer, NULL);
	assert_code(ask(f, f->operator, "{'cmd':'dashboard','id':4}"), "not_found");
	hive_add_proposal(f->hive, p);
	answer = ask(f, f->operator, "{'cmd':'dashboard','id':4,'confirm':true}");
	assert_non_null(strstr(text_of(answer, "url"), "/step-up/p/4"));
	assert_code(answer, NULL);
}

static void test_login(void **state)
{
	struct fixture *f = *state;
	json_t *answer;

	assert_code(ask(f, f->web, "{'cmd':'hello'}"), NULL);
	assert_code(ask(f, f->web, "{'cmd':'list'}"), "unauthorized");
	assert_code(ask(f, f->web, "{'cmd':'web_login','code':'x'}"), "unauthorized");
	assert_code(ask(f, f->web, "{'cmd':'web_login'}"), "bad_request");
	log_in(f);
	assert_code(ask(f, f->web, "{'cmd':'list','session':'%s'}", f->session), NULL);
	assert_code(ask(f, f->web, "{'cmd':'list','session':'%s'}", f->key), "unauthorized");
	assert_code(ask(f, f->web, "{'cmd':'list','session':7}"), "bad_request");
	answer = ask(f, f->web, "{'cmd':'web_session','session':'%s'}", f->session);
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(answer, "login"), "uid")),
			 getuid());
	assert_non_null(text_of(answer, "step_up_until"));
	assert_null(json_object_get(json_object_get(answer, "login"), "key"));
	assert_code(answer, NULL);
	answer = ask(f, f->web, "{'cmd':'whoami','session':'%s'}", f->session);
	assert_string_equal(json_string_value(json_object_get(answer, "role")), "web");
	assert_code(answer, NULL);
	assert_code(ask(f, f->web, "{'cmd':'web_logout','session':'%s'}", f->session), NULL);
	assert_code(ask(f, f->web, "{'cmd':'list','session':'%s'}", f->session),
		    "unauthorized");
}

/*
 * Every verb there is, walked: without a login only what the table calls open; without the key
 * nothing that changes something; nothing that the operator's socket keeps for itself at all.
 */
static void test_every_verb(void **state)
{
	static const char *const never[] = {"exec",      "shell",     "signal",
					    "dashboard", "sessions",  "sessions_revoke",
					    "submit",    "set_status"};
	struct fixture *f = *state;
	const struct verb *table = verb_table();

	log_in(f);
	for (int i = 0; i < VERB_COUNT; i++) {
		const struct verb *verb = &table[i];

		for (size_t n = 0; n < ARRAY_SIZE(never); n++)
			if (strcmp(never[n], verb->name) == 0)
				assert_false(verb->allowed & PRINCIPAL_WEB);
		if (!(verb->allowed & PRINCIPAL_WEB)) {
			assert_code(ask(f, f->web, "{'cmd':'%s','session':'%s','key':'%s'}",
					verb->name, f->session, f->key),
				    "forbidden");
			continue;
		}
		if (verb->allowed & VERB_OPEN) {
			assert_false(verb->mutates);
			continue;
		}
		assert_code(ask(f, f->web, "{'cmd':'%s'}", verb->name), "unauthorized");
		assert_code(ask(f, f->web, "{'cmd':'%s','key':'%s'}", verb->name, f->key),
			    "unauthorized");
		if (verb->mutates)
			assert_code(ask(f, f->web, "{'cmd':'%s','session':'%s'}", verb->name,
					f->session),
				    "forbidden");
		/* what needs a confirmation changes something */
		if (verb->allowed & VERB_STEP_UP)
			assert_true(verb->mutates);
	}
}

/* Stolen: the cookie alone, and the cookie with the key when the operator has gone home. */
static void test_verdicts_need_a_confirmation(void **state)
{
	static const char *const guarded[] = {"approve",  "deny", "spawn",     "destroy",
					      "rollback", "set",  "set_parent"};
	struct fixture *f = *state;
	char code[SECRET_SIZE];

	log_in(f);
	for (size_t i = 0; i < ARRAY_SIZE(guarded); i++)
		assert_code(ask(f, f->web, "{'cmd':'%s','session':'%s','key':'%s'}", guarded[i],
				f->session, f->key),
			    "bad_request");
	boot_ms += LOGIN_STEP_UP_MS;
	for (size_t i = 0; i < ARRAY_SIZE(guarded); i++)
		assert_code(ask(f, f->web, "{'cmd':'%s','session':'%s','key':'%s'}", guarded[i],
				f->session, f->key),
			    "step_up");
	assert_code(ask(f, f->web, "{'cmd':'approve','id':1,'session':'%s'}", f->session),
		    "forbidden");
	mint(f, ",'confirm':true", code);
	assert_code(ask(f, f->web, "{'cmd':'web_step_up','session':'%s','code':'%s'}",
			f->session, code),
		    "forbidden");
	assert_code(ask(f, f->web,
			"{'cmd':'web_step_up','session':'%s','key':'%s','code':'%s'}",
			f->session, f->key, code),
		    NULL);
	assert_code(ask(f, f->web, "{'cmd':'approve','id':1,'session':'%s','key':'%s'}",
			f->session, f->key),
		    "not_found");
}

static void test_confirmed_for_one(void **state)
{
	struct fixture *f = *state;
	char code[SECRET_SIZE];

	log_in(f);
	hive_add_proposal(f->hive, proposal_new(4, "alice"));
	boot_ms += LOGIN_STEP_UP_MS;
	mint(f, ",'confirm':true,'id':4", code);
	assert_code(ask(f, f->web,
			"{'cmd':'web_step_up','session':'%s','key':'%s','code':'%s'}",
			f->session, f->key, code),
		    NULL);
	assert_code(ask(f, f->web, "{'cmd':'deny','id':4,'commit':7,'session':'%s','key':'%s'}",
			f->session, f->key),
		    "bad_request");
	assert_code(ask(f, f->web, "{'cmd':'deny','id':5,'session':'%s','key':'%s'}",
			f->session, f->key),
		    "step_up");
	/* "id" means a proposal nowhere else */
	assert_code(ask(f, f->web, "{'cmd':'spawn','id':4,'session':'%s','key':'%s'}",
			f->session, f->key),
		    "bad_request");
	assert_code(ask(f, f->web,
			"{'cmd':'set','name':'alice','settings':{'memory_max':'1G'},"
			"'session':'%s','key':'%s'}",
			f->session, f->key),
		    "step_up");
}

static size_t count_audit(struct fixture *f, const char *verb)
{
	_cleanup_free_ char *path = str_format("%s/audit/log.jsonl", f->dir);
	_cleanup_free_ char *wanted = str_format("\"verb\":\"%s\"", verb);
	_cleanup_buf_ struct buf text = {};
	size_t n = 0;

	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, NULL), 0);
	for (const char *at = buf_str(&text); (at = strstr(at, wanted)); at++)
		n++;
	return n;
}

static void test_lockout(void **state)
{
	struct fixture *f = *state;
	char code[SECRET_SIZE];
	json_t *answer;

	mint(f, "", code);
	for (int i = 0; i < LOGIN_BAD_CODES; i++)
		assert_code(ask(f, f->web, "{'cmd':'web_login','code':'%d'}", i),
			    "unauthorized");
	assert_int_equal(count_audit(f, "login"), LOGIN_BAD_CODES);
	answer = ask(f, f->web, "{'cmd':'web_login','code':'%s'}", code);
	assert_in_range(json_integer_value(json_object_get(answer, "retry_after_s")), 1, 60);
	assert_code(answer, "rate_limited");
	for (int i = 0; i < 100; i++)
		assert_code(ask(f, f->web, "{'cmd':'web_login','code':'%d'}", i),
			    "rate_limited");
	/* the log cannot be filled that way */
	assert_int_equal(count_audit(f, "login"), LOGIN_BAD_CODES);
	assert_int_equal(login_failures(f->hive, LOGIN_FAILED_CODE), LOGIN_BAD_CODES);
	assert_int_equal(login_failures(f->hive, LOGIN_FAILED_LOCKED), 101);
	boot_ms += 1;
	log_in(f);
	assert_int_equal(count_audit(f, "login"), LOGIN_BAD_CODES + 1);
}

static void test_secrets_stay_out_of_files(void **state)
{
	static const char *const files[] = {"audit/log.jsonl", "audit/logins.json"};
	struct fixture *f = *state;
	struct stat st;

	log_in(f);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", f->dir, files[i]);
		_cleanup_buf_ struct buf text = {};

		assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, NULL), 0);
		assert_null(strstr(buf_str(&text), f->session));
		assert_null(strstr(buf_str(&text), f->key));
		assert_int_equal(stat(path, &st), 0);
		if (i == 1)
			assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void test_sessions_and_revoke(void **state)
{
	struct fixture *f = *state;
	json_t *answer, *list;
	int stream;

	log_in(f);
	stream = dial(f, "web");
	assert_code(ask(f, stream,
			"{'cmd':'subscribe_agent_status','snapshot':true,"
			"'session':'%s'}",
			f->session),
		    NULL);
	answer = ask(f, f->operator, "{'cmd':'sessions'}");
	list = json_object_get(answer, "sessions");
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "id")), 1);
	assert_code(answer, NULL);
	assert_code(ask(f, f->operator, "{'cmd':'sessions_revoke'}"), "bad_request");
	assert_code(ask(f, f->operator, "{'cmd':'sessions_revoke','id':9}"), "not_found");
	assert_code(ask(f, f->operator, "{'cmd':'sessions_revoke','id':1}"), NULL);
	assert_code(ask(f, f->web, "{'cmd':'list','session':'%s'}", f->session),
		    "unauthorized");
	/* what it was reading ends with it */
	assert_code(hear(f, stream), "unauthorized");
	assert_int_equal(read(stream, &(char){0}, 1), 0);
	(void)close(stream);
	log_in(f);
	log_in(f);
	assert_code(ask(f, f->operator, "{'cmd':'sessions_revoke','all':true}"), NULL);
	assert_int_equal(login_count(f->hive), 0);
}

static void test_expiry_ends_streams(void **state)
{
	struct fixture *f = *state;
	int stream;

	log_in(f);
	stream = dial(f, "web");
	assert_code(ask(f, stream,
			"{'cmd':'subscribe_agent_status','snapshot':true,"
			"'session':'%s'}",
			f->session),
		    NULL);
	boot_ms += LOGIN_IDLE_MS;
	log_in(f); /* looks at the clock */
	assert_code(hear(f, stream), "unauthorized");
	assert_int_equal(login_count(f->hive), 1);
	(void)close(stream);
}

static void test_restart(void **state)
{
	struct fixture *f = *state;
	struct settings settings;

	log_in(f);
	end(f);
	boot_ms += 1000;
	begin(f);
	settings_init(&settings, "alice");
	(void)hive_add(f->hive, &settings);
	assert_code(ask(f, f->web, "{'cmd':'list','session':'%s'}", f->session), NULL);
	assert_code(ask(f, f->web, "{'cmd':'approve','id':1,'session':'%s','key':'%s'}",
			f->session, f->key),
		    "not_found");
}

/* The connection is skep-web's; the one who acts is the operator whose login it shows. */
static void test_one_connection_many_operators(void **state)
{
	struct fixture *f = *state;
	char first[SECRET_SIZE];

	log_in(f);
	memcpy(first, f->session, sizeof(first));
	log_in(f);
	assert_code(ask(f, f->web, "{'cmd':'web_logout','session':'%s'}", first), NULL);
	assert_code(ask(f, f->web, "{'cmd':'list','session':'%s'}", first), "unauthorized");
	assert_code(ask(f, f->web, "{'cmd':'list','session':'%s'}", f->session), NULL);
	assert_code(ask(f, f->web, "{'cmd':'list'}"), "unauthorized");
}

/* However many tabs are open, so many workers run; others leave room for them. */
static void test_diffs_at_once(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	hive_add_proposal(f->hive, proposal_new(4, "alice"));
	f->hive->diffs = 8;
	assert_code(ask(f, f->web, "{'cmd':'diff','id':4,'session':'%s'}", f->session), "busy");
	f->hive->diffs = 7;
	assert_code(ask(f, f->web, "{'cmd':'diff','id':5,'session':'%s'}", f->session),
		    "not_found");
	f->hive->diffs = 0;
}

static void test_peer(void **state)
{
	struct fixture *f = *state;
	int fd;

	server_listen_web(f->hive->server, listen_at(f, "other"), getuid() + 1);
	fd = dial(f, "other");
	/* root has a socket of its own */
	assert_code(hear(f, fd), "forbidden");
	assert_int_equal(login_failures(f->hive, LOGIN_FAILED_PEER), 1);
	(void)close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_link),
		T(test_login),
		T(test_every_verb),
		T(test_verdicts_need_a_confirmation),
		T(test_confirmed_for_one),
		T(test_lockout),
		T(test_secrets_stay_out_of_files),
		T(test_sessions_and_revoke),
		T(test_expiry_ends_streams),
		T(test_restart),
		T(test_one_connection_many_operators),
		T(test_peer),
		T(test_diffs_at_once),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
