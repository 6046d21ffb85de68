/* What tests of a whole controller say over and over: commits, submissions, states. */
#pragma once

#include "hive_client.h"

/* Runs a script with the hive's directory as first argument; its first word of output is
 * returned in out. */
static inline void sh(const struct hive_unit *u, const char *script, char out[256])
{
	_cleanup_free_ char *command =
		str_format("cd %s && export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 "
			   "GIT_AUTHOR_NAME=m GIT_AUTHOR_EMAIL=m@x GIT_COMMITTER_NAME=m "
			   "GIT_COMMITTER_EMAIL=m@x; %s",
			   u->dir, script);
	FILE *f = popen(command, "r");

	out[0] = '\0';
	assert_non_null(f);
	if (fscanf(f, "%255s", out) != 1)
		out[0] = '\0';
	assert_int_equal(pclose(f), 0);
}

/* Whether a script that shares no code with the controller finds the record whole, with git
 * alone. What is built may be some directories below the checkout. */
static inline bool is_record_whole(const struct hive_unit *u)
{
	_cleanup_free_ char *here = file_program_dir();
	_cleanup_free_ char *script = str_format(
		"d=%s; until test -e $d/tests/crash/oracle || test $d = /; do d=$(dirname $d); "
		"done; python3 $d/tests/crash/oracle . >&2 && echo good",
		here);
	char out[256];

	sh(u, script, out);
	return strcmp(out, "good") == 0;
}

/* A commit in proposed/<agent> that adds a line to a file; its id in out. */
static inline void change(const struct hive_unit *u, const char *agent, const char *text,
			  char out[256])
{
	_cleanup_free_ char *script =
		str_format("cd proposed/%s && mkdir -p rootfs/etc && echo '%s' >> "
			   "rootfs/etc/motd && git add -A && git commit -qm '%s' && "
			   "git rev-parse HEAD",
			   agent, text, text);

	sh(u, script, out);
}

static inline void spawn(struct hive_unit *u, const char *name)
{
	hive_do(hive_ask(u, "{'cmd':'spawn','name':'%s','wait':true}", name));
}

static inline int64_t submit(struct hive_unit *u, const char *agent, const char *commit)
{
	json_t *answer = hive_must(
		hive_ask(u, "{'cmd':'submit','agent':'%s','commit':'%s','description':'d'}",
			 agent, commit));
	int64_t id =
		json_integer_value(json_object_get(json_object_get(answer, "proposal"), "id"));

	json_decref(answer);
	assert_true(id > 0);
	return id;
}

/* The state word of a proposal. */
static inline const char *state_of(struct hive_unit *u, int64_t id, char out[256])
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'proposal','id':%lld}", (long long)id));

	hive_text(out, answer, "proposal", "state");
	json_decref(answer);
	return out;
}

static inline void assert_state(struct hive_unit *u, int64_t id, const char *state)
{
	char now[256];

	assert_string_equal(state_of(u, id, now), state);
}

/* Waits for it, bounded. */
static inline void await_state(struct hive_unit *u, int64_t id, const char *state)
{
	char now[256];

	for (int i = 0; i < 500 && strcmp(state_of(u, id, now), state) != 0; i++)
		usleep(20000);
	assert_state(u, id, state);
}

/* The state word of an agent's container, waited for, bounded. */
static inline void await_agent(struct hive_unit *u, const char *name, const char *state)
{
	char now[256] = "";

	for (int i = 0; i < 500 && strcmp(now, state) != 0; i++) {
		json_t *answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'%s'}", name));

		hive_text(now, answer, "agent", "state");
		json_decref(answer);
		if (strcmp(now, state) != 0)
			usleep(20000);
	}
	assert_string_equal(now, state);
}

/* Sends a request and leaves its answer for later. Returns the connection. */
static inline int ask_later(struct hive_unit *u, const char *request)
{
	int fd = sock_connect(u->socket_path, SOCK_STREAM, NULL);
	_cleanup_free_ char *line = str_format("%s\n", request);

	assert_true(fd >= 0);
	for (char *q = line; *q; q++)
		if (*q == '\'')
			*q = '"';
	assert_int_equal(file_write_all(fd, line, strlen(line)), 0);
	return fd;
}

static inline void touch(const struct hive_unit *u, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s", u->dir, name);

	(void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(access(path, F_OK), 0);
}

static inline void untouch(const struct hive_unit *u, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s", u->dir, name);

	assert_int_equal(unlink(path), 0);
}

static inline void assert_audit(struct hive_unit *u)
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'audit_verify'}"));
	json_t *verify = json_object_get(answer, "audit_verify");

	if (!json_is_true(json_object_get(verify, "valid"))) {
		_cleanup_free_ char *text = json_line(answer);

		fail_msg("%s", text);
	}
	json_decref(answer);
}

static inline int setup(void **state)
{
	struct hive_unit *u = calloc(1, sizeof(*u));

	hive_up(u);
	*state = u;
	return 0;
}

static inline int teardown(void **state)
{
	hive_down(*state);
	free(*state);
	return 0;
}

#define hive_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
