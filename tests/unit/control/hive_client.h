/* A client of the whole controller of hive_unit.h: requests in single quotes, answers checked.
 */
#pragma once

#include "hive_unit.h"

/* SIGTERM; whether the daemon has ended by itself within the seconds given. */
static inline bool hive_stop(struct hive_unit *u, int seconds)
{
	int status = 0;

	(void)kill(u->daemon, SIGTERM);
	for (int i = 0; i < seconds * 50; i++) {
		if (waitpid(u->daemon, &status, WNOHANG) == u->daemon) {
			u->daemon = 0;
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		}
		usleep(20000);
	}
	return false;
}

/* The stand-in says something unasked. */
static inline void hive_event(struct hive_unit *u, const char *event)
{
	_cleanup_free_ char *path = str_format("%s/event", u->dir);
	_cleanup_free_ char *text = str_dup(event);

	for (char *q = text; *q; q++)
		if (*q == '\'')
			*q = '"';
	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
	assert_int_equal(kill(u->exec, SIGUSR1), 0);
	for (int i = 0; i < 500 && access(path, F_OK) == 0; i++)
		usleep(10000);
}

/* One request on a socket, one answer; the caller owns it. */
static json_t *hive_ask_on(const char *path, const char *request)
{
	int fd = sock_connect(path, SOCK_STREAM, NULL);
	_cleanup_free_ char *line = NULL;
	json_t *answer = NULL;
	struct error err = {};
	size_t room = 0;
	ssize_t size;
	FILE *f;

	assert_true(fd >= 0);
	/* a peer that is refused at the door may be cut off before it has asked; the answer is
	 * there all the same */
	(void)file_write_all(fd, request, strlen(request));
	(void)file_write_all(fd, "\n", 1);
	f = fdopen(fd, "r");
	assert_non_null(f);
	size = getline(&line, &room, f);
	(void)fclose(f);
	if (json_parse(size > 0 ? line : "", size > 0 ? (size_t)size : 0, &answer, &err) < 0)
		fail_msg("no answer to %s: %s", request, error_text(&err));
	return answer;
}

static json_t *hive_ask(struct hive_unit *u, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static json_t *hive_ask(struct hive_unit *u, const char *format, ...)
{
	_cleanup_free_ char *request = NULL;
	va_list args;

	va_start(args, format);
	assert_true(vasprintf(&request, format, args) > 0);
	va_end(args);
	for (char *q = request; *q; q++)
		if (*q == '\'')
			*q = '"';
	return hive_ask_on(u->socket_path, request);
}

/* The answer must be ok; returns it. */
static json_t *hive_must(json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "ok"))) {
		_cleanup_free_ char *text = json_line(answer);

		fail_msg("refused: %s", text);
	}
	return answer;
}

static void hive_do(json_t *answer)
{
	json_decref(hive_must(answer));
}

/* The answer must be a refusal with this code. */
static inline void hive_refused(json_t *answer, const char *code)
{
	const char *got = json_string_value(json_object_get(answer, "code"));

	if (!got || strcmp(got, code) != 0) {
		_cleanup_free_ char *text = json_line(answer);

		fail_msg("'%s' was expected: %s", code, text);
	}
	json_decref(answer);
}

/* A string below the answer's result object, copied into out. */
static const char *hive_text(char out[256], const json_t *answer, const char *result,
			     const char *key)
{
	const char *s =
		json_string_value(json_object_get(json_object_get(answer, result), key));

	snprintf(out, 256, "%s", s ? s : "");
	return out;
}
