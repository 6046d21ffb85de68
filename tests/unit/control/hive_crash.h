/* The daemon dies at a named point and comes back; what must be true of its record then. */
#pragma once

#include "hive_steps.h"

/* The daemon died of its own hand at the point; the stand-in goes with it, and both come back.
 */
static inline void restart_after(struct hive_unit *u, const char *point)
{
	_cleanup_free_ char *file = str_format("%s/crash", u->dir);
	int status = 0;

	if (waitpid(u->daemon, &status, 0) != u->daemon || !WIFSIGNALED(status) ||
	    access(file, F_OK) == 0)
		fail_msg("nothing died at '%s'", point);
	(void)kill(u->exec, SIGKILL);
	(void)waitpid(u->exec, NULL, 0);
	hive_start(u);
}

static inline void arm(struct hive_unit *u, const char *point)
{
	char out[256];
	_cleanup_free_ char *script = str_format("echo %s > crash; echo x", point);

	sh(u, script, out);
}

/* Asks without caring for an answer: the daemon may die before it gives one. */
static inline void ask_into_the_void(struct hive_unit *u, const char *request)
{
	int fd = sock_connect(u->socket_path, SOCK_STREAM, NULL);
	_cleanup_free_ char *line = str_format("%s\n", request);
	char c;

	assert_true(fd >= 0);
	for (char *q = line; *q; q++)
		if (*q == '\'')
			*q = '"';
	assert_int_equal(file_write_all(fd, line, strlen(line)), 0);
	while (read(fd, &c, 1) == 1 && c != '\n') {
		/* an answer came before the end */
	}
	(void)close(fd);
}

static inline void assert_whole(struct hive_unit *u)
{
	char out[256];

	assert_audit(u);
	sh(u, "find . -name '*.lock' -path '*/.git/*' | wc -l", out);
	assert_string_equal(out, "0");
	sh(u,
	   "for r in applied/*/; do n=$(git -C $r/.git tag -l 'deployed/*' | cut -d/ -f2 | "
	   "sort -n | tail -1); "
	   "[ -z \"$n\" ] || [ \"$(git -C $r/.git rev-parse main)\" = \"$(git -C $r/.git "
	   "rev-parse deployed/$n^{commit})\" ] "
	   "|| echo behind; done; echo good",
	   out);
	assert_string_equal(out, "good");
	sh(u,
	   "for r in applied/*/ meta/; do git -C $r/.git tag -l | grep -E "
	   "'^(deployed|failed|denied|stale|superseded|cancelled)/' "
	   "| cut -d/ -f2 | sort | uniq -d; done; echo once",
	   out);
	assert_string_equal(out, "once");
}
