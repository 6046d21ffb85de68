/* What can be asked for over HTTP: one static table of method, path, and the verb of skepd's
 * that answers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum route_kind {
	ROUTE_PAGE,  /* the one page of the dashboard */
	ROUTE_ASSET, /* a file of the fixed table */
	ROUTE_CALL,  /* one request to skepd, its answer as it is */
	ROUTE_LOGIN, /* a code becomes a cookie and a key */
	ROUTE_LOGOUT,
	ROUTE_LOG,    /* a log as server-sent events */
	ROUTE_EVENTS, /* what happens as server-sent events */
	ROUTE_OPENAPI,
	ROUTE_METRICS,
	ROUTE_LIVE,
	ROUTE_READY,
};

enum param_type {
	PARAM_TEXT,
	PARAM_INT,
	PARAM_FLAG,   /* absent or 0: false; present, 1: true */
	PARAM_LIST,   /* words separated by commas become an array */
	PARAM_NUMBER, /* a number when it is one, else text */
};

struct route_param {
	const char *query; /* name in the URL */
	const char *key;   /* name in the request to skepd */
	enum param_type type;
};

/* Placeholders of a path: {name} is an agent's name, {id} a proposal's number, {file} a file's
 * name. */
struct route {
	const char *method; /* "GET" (HEAD as well, unless it streams) or "POST" */
	const char *path;
	enum route_kind kind;
	const char *cmd;     /* skepd's verb; NULL: none is called */
	const char *subject; /* the request's key for {name}; "scope": its list of names */
	const char *fixed;   /* JSON laid over the request; NULL: nothing */
	const struct route_param *params; /* ended by one without a name; NULL: none is taken */
};

#define ROUTE_TEXT_SIZE 33

/* What stood in a path's placeholders. */
struct route_args {
	char name[ROUTE_TEXT_SIZE];
	int64_t id; /* −1: none */
};

/* The table, ended by one without a method. */
const struct route *route_table(void);

/* What a request for path (no query) means. NULL: nothing is there; *ret_other_method says
 * whether another method has it. */
const struct route *route_find(const char *method, const char *path, struct route_args *ret,
			       bool *ret_other_method);

/* Whether it takes a session; whether it changes something and so takes the key as well;
 * whether it is below /api/ or /events. */
bool route_needs_session(const struct route *route);
bool route_needs_key(const struct route *route);
bool route_is_api(const struct route *route);
bool route_streams(const struct route *route);
