/* Tests of what differs between the record and what runs. */
#pragma once

#include "hive_steps.h"

/* What is found of alice's container from now on. Quotes are single. */
static inline void found(struct hive_unit *u, const char *name, const char *text)
{
	_cleanup_free_ char *path = str_format("%s/%s", u->dir, name);
	_cleanup_free_ char *copy = str_dup(text);

	for (char *q = copy; *q; q++)
		if (*q == '\'')
			*q = '"';
	assert_int_equal(file_write_atomic(AT_FDCWD, path, copy, strlen(copy), 0600, NULL), 0);
	hive_event(u, "{'event':'files'}");
}

/* "field|want|have" of the row of a field, "" when it does not differ. */
static inline void row_of(struct hive_unit *u, const char *agent, const char *field,
			  char out[256])
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'drift'}")), *row;
	size_t i;

	out[0] = '\0';
	json_array_foreach (json_object_get(answer, "drift"), i, row)
		if (strcmp(json_string_value(json_object_get(row, "agent")), agent) == 0 &&
		    strcmp(json_string_value(json_object_get(row, "field")), field) == 0)
			snprintf(out, 256, "%s|%s|%s", field,
				 json_string_value(json_object_get(row, "want")),
				 json_string_value(json_object_get(row, "have")));
	json_decref(answer);
}

/* Waits for it, bounded. */
static inline void await_row(struct hive_unit *u, const char *agent, const char *field,
			     const char *wanted)
{
	char now[256] = "";

	for (int i = 0; i < 500; i++) {
		row_of(u, agent, field, now);
		if (strcmp(now, wanted) == 0)
			return;
		usleep(20000);
	}
	assert_string_equal(now, wanted);
}

static inline size_t count_rows(struct hive_unit *u)
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'drift'}"));
	size_t n = json_array_size(json_object_get(answer, "drift"));

	json_decref(answer);
	return n;
}

static inline void await_none(struct hive_unit *u)
{
	for (int i = 0; i < 500 && count_rows(u) > 0; i++)
		usleep(20000);
	assert_int_equal(count_rows(u), 0);
}

/* How often an operation of this name ended, by the audit log. */
static inline int ended(struct hive_unit *u, const char *verb)
{
	_cleanup_free_ char *script =
		str_format("grep -c '\"verb\":\"%s\"' audit/log.jsonl || true", verb);
	char out[256];

	sh(u, script, out);
	return atoi(out);
}

static inline void await_ended(struct hive_unit *u, const char *verb, int times)
{
	for (int i = 0; i < 500 && ended(u, verb) < times; i++)
		usleep(20000);
	assert_int_equal(ended(u, verb), times);
}

static inline void set(struct hive_unit *u, const char *key, const char *value)
{
	hive_do(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'%s':'%s'}}", key, value));
}

/* A look that has happened after this was called. */
static inline void await_look(struct hive_unit *u)
{
	found(u, "stray", "{'agent':'ghost','state':'running'}");
	await_row(u, "ghost", "agent", "agent|nothing|running");
	untouch(u, "stray");
	hive_event(u, "{'event':'files'}");
	await_row(u, "ghost", "agent", "");
}
