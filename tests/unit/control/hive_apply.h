/* A declared hive, planned and applied over the socket as the client does it. */
#pragma once

#include "hive_crash.h"

#include <sys/mman.h>

/* Quiet agents: nothing is probed. */
#define QUIET "'probe':{'kind':'none'}"

static inline int sealed(const char *text, unsigned seals)
{
	int fd = memfd_create("document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	_cleanup_free_ char *json = str_dup(text);

	for (char *q = json; *q; q++)
		if (*q == '\'')
			*q = '"';
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, json, strlen(json)), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* Sends a request with a descriptor, which is closed; the connection is returned. */
static inline int send_document(struct hive_unit *u, const char *request, int document_fd)
{
	int fd = sock_connect(u->socket_path, SOCK_STREAM, NULL);
	_cleanup_free_ char *line = str_format("%s\n", request);

	assert_true(fd >= 0);
	for (char *q = line; *q; q++)
		if (*q == '\'')
			*q = '"';
	assert_int_equal(sock_send(fd, line, strlen(line), &document_fd, 1), strlen(line));
	(void)close(document_fd);
	return fd;
}

/* NULL: the daemon left without one. */
static inline json_t *take_answer(int fd)
{
	_cleanup_buf_ struct buf line = {};
	json_t *answer = NULL;
	char c;

	while (read(fd, &c, 1) == 1 && c != '\n')
		buf_add_char(&line, c);
	(void)close(fd);
	if (line.size > 0)
		assert_int_equal(json_parse(buf_str(&line), line.size, &answer, NULL), 0);
	return answer;
}

static inline json_t *plan(struct hive_unit *u, const char *document, bool prune)
{
	_cleanup_free_ char *request =
		str_format("{'cmd':'plan','prune':%s}", prune ? "true" : "false");

	return take_answer(send_document(u, request, sealed(document, SEALS)));
}

static inline int apply_later(struct hive_unit *u, const char *document, bool prune)
{
	json_t *planned = hive_must(plan(u, document, prune));
	_cleanup_free_ char *request = str_format(
		"{'cmd':'apply','prune':%s,'wait':true,'meta':'%s'}", prune ? "true" : "false",
		json_string_value(json_object_get(json_object_get(planned, "plan"), "meta")));

	json_decref(planned);
	return send_document(u, request, sealed(document, SEALS));
}

static inline json_t *apply(struct hive_unit *u, const char *document, bool prune)
{
	return take_answer(apply_later(u, document, prune));
}

/* "2 1 0 0 3": how many a plan would create, change, remove, leave alone, and find as declared.
 */
static inline void assert_plan(struct hive_unit *u, const char *document, bool prune,
			       const char *counts)
{
	json_t *answer = hive_must(plan(u, document, prune));
	json_t *p = json_object_get(answer, "plan");
	_cleanup_free_ char *got =
		str_format("%d %d %d %d %d",
			   (int)json_integer_value(json_object_get(p, "create")),
			   (int)json_integer_value(json_object_get(p, "change")),
			   (int)json_integer_value(json_object_get(p, "remove")),
			   (int)json_integer_value(json_object_get(p, "leave")),
			   (int)json_integer_value(json_object_get(p, "none")));

	json_decref(answer);
	assert_string_equal(got, counts);
}

/* The error of a refusal says this. */
static inline void assert_says(json_t *answer, const char *code, const char *text)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (!error || !strstr(error, text))
		fail_msg("'%s' does not say '%s'", error ? error : "nothing", text);
	hive_refused(answer, code);
}

/* Nothing of a generation is on its way any more. */
static inline void await_settled(const struct hive_unit *u)
{
	char out[256] = "";

	for (int i = 0; i < 250 && strcmp(out, "0") != 0; i++) {
		sh(u, "git -C meta/.git for-each-ref refs/skep/generation | wc -l", out);
		if (strcmp(out, "0") != 0)
			usleep(20000);
	}
	assert_string_equal(out, "0");
}

/* What agents.json says, but for what is merely kept for later: its digest. */
static inline const char *recorded(const struct hive_unit *u, char out[256])
{
	sh(u, "git -C meta/.git show main:agents.json | sed '/\"kept\": {/,$d' | sha1sum", out);
	return out;
}
