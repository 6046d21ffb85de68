/* A browser's side of a whole controller: requests on web.sock with the proofs of a login. */
#pragma once

#include "hive_steps.h"

#include "base/secret.h"

struct browser {
	struct hive_unit *u;
	char session[SECRET_SIZE], key[SECRET_SIZE];
};

static inline void browser_login(struct browser *b, struct hive_unit *u)
{
	_cleanup_free_ char *path = str_format("%s/web.sock", u->dir), *request = NULL;
	char text[256];
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'dashboard'}"));

	b->u = u;
	request = str_format("{\"cmd\":\"web_login\",\"code\":\"%s\"}",
			     hive_text(text, answer, "login", "code"));
	json_decref(answer);
	answer = hive_must(hive_ask_on(path, request));
	snprintf(b->session, sizeof(b->session), "%s",
		 hive_text(text, answer, "login", "session"));
	snprintf(b->key, sizeof(b->key), "%s", hive_text(text, answer, "login", "key"));
	json_decref(answer);
}

/* A hive with alice, and a browser that is logged in. */
static inline int setup_browser(void **state)
{
	struct browser *b = mem_new(1, sizeof(*b));
	struct hive_unit *u = mem_new(1, sizeof(*u));

	hive_up(u);
	spawn(u, "alice");
	browser_login(b, u);
	*state = b;
	return 0;
}

static inline int teardown_browser(void **state)
{
	struct browser *b = *state;

	hive_down(b->u);
	free(b->u);
	free(b);
	return 0;
}

/* The request with the proofs added, a new string. */
__attribute__((format(printf, 2, 0))) static inline char *
browser_request(const struct browser *b, const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;
	json_t *request = NULL;
	char *line;

	assert_true(vasprintf(&text, format, args) > 0);
	for (char *q = text; *q; q++)
		if (*q == '\'')
			*q = '"';
	assert_int_equal(json_parse(text, strlen(text), &request, NULL), 0);
	json_object_set_new(request, "session", json_string(b->session));
	json_object_set_new(request, "key", json_string(b->key));
	line = json_line(request);
	json_decref(request);
	return line;
}

/* One request, one answer; the caller owns it. */
__attribute__((format(printf, 2, 3))) static inline json_t *browser_ask(const struct browser *b,
									const char *format, ...)
{
	_cleanup_free_ char *path = str_format("%s/web.sock", b->u->dir), *request = NULL;
	va_list args;

	va_start(args, format);
	request = browser_request(b, format, args);
	va_end(args);
	return hive_ask_on(path, request);
}

/* Sends a request and leaves its answers for later. Returns the connection. */
__attribute__((format(printf, 2, 3))) static inline int browser_open(const struct browser *b,
								     const char *format, ...)
{
	_cleanup_free_ char *path = str_format("%s/web.sock", b->u->dir), *request = NULL;
	int fd = sock_connect(path, SOCK_STREAM, NULL);
	va_list args;

	assert_true(fd >= 0);
	va_start(args, format);
	request = browser_request(b, format, args);
	va_end(args);
	assert_int_equal(file_write_all(fd, request, strlen(request)), 0);
	assert_int_equal(file_write_all(fd, "\n", 1), 0);
	return fd;
}

/* The next line, waited for, bounded; NULL when none comes. The caller owns it. */
static inline json_t *browser_hear(int fd)
{
	_cleanup_buf_ struct buf line = {};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	json_t *answer = NULL;
	char c = 0;

	while (c != '\n') {
		if (poll(&p, 1, 10000) != 1 || read(fd, &c, 1) != 1)
			return NULL;
		buf_add_char(&line, c);
	}
	assert_int_equal(json_parse(buf_str(&line), line.size, &answer, NULL), 0);
	return answer;
}
