#include "web/guard.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct checking {
	const struct site *site;
	const struct head *head;
	struct guarded *ret;
	struct refusal *why;
};

static bool refuse(struct checking *c, int status, const char *code, const char *reason,
		   const char *text)
{
	*c->why = (struct refusal){status, code, reason, text};
	return false;
}

static bool malformed(struct checking *c, const char *text)
{
	return refuse(c, 400, "bad_request", "malformed", text);
}

static bool is_token(const char *s)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (const char *at = s; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr(marks, *at))
			return false;
	return s[0] != '\0';
}

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* What evhttp accepts and a request of a browser never has. */
static bool check_fields(struct checking *c)
{
	static const char *const single[] = {
		"Host",           "Content-Length", "Content-Type", "Origin",
		"Sec-Fetch-Site", "Cookie",         "Skep-Key",     "Authorization",
		"Last-Event-ID",  "If-None-Match",  "Referer",      "Accept-Encoding",
	};
	const char *value;

	for (size_t i = 0; i < c->head->n_fields; i++)
		if (!is_token(c->head->fields[i].name) ||
		    !is_printable(c->head->fields[i].value))
			return malformed(c, "a header is not well formed");
	for (size_t i = 0; i < ARRAY_SIZE(single); i++)
		if (head_count(c->head, single[i], &value) > 1)
			/* two hosts are no host of ours: said below */
			if (i > 0)
				return malformed(c, "a header that may come once came twice");
	if (head_count(c->head, "Transfer-Encoding", &value) > 0)
		return malformed(c, "transfer encodings are not taken");
	if (head_count(c->head, "Content-Length", &value) == 1 &&
	    (!*value || strspn(value, "0123456789") != strlen(value)))
		return malformed(c, "Content-Length is not a number");
	/* evhttp would take the body of such a request for the next request */
	if (strcmp(c->head->method, "POST") != 0 &&
	    (c->head->body_bytes > 0 || (value && strcmp(value, "0") != 0)))
		return malformed(c, "a request that reads has no body");
	return true;
}

static bool check_host(struct checking *c)
{
	const char *host;

	if (head_count(c->head, "Host", &host) == 1)
		c->ret->name = site_find_host(c->site, host);
	return c->ret->name ||
	       refuse(c, 421, "bad_request", "host", "this is not a name of the dashboard");
}

/* Origin-form only (RFC 9112, 3.2.1), and nothing encoded in the path: no route needs it. */
static bool check_target(struct checking *c)
{
	const char *target = c->head->target;
	size_t path = target ? strcspn(target, "?") : 0;

	if (!target || strlen(target) > TARGET_MAX || target[0] != '/' || target[1] == '/')
		return malformed(c, "the target is not a path of this server");
	for (const char *at = target; *at; at++)
		if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f ||
		    strchr("#\\<>\"", *at))
			return malformed(c, "the target has characters that must be encoded");
	if (memchr(target, '%', path))
		return malformed(c, "nothing is encoded in a path of this server");
	if (strstr(target, "%00"))
		return malformed(c, "the target has a NUL");
	memcpy(c->ret->path, target, path);
	c->ret->path[path] = '\0';
	c->ret->query = target[path] == '?' ? target + path + 1 : "";
	return true;
}

static bool check_route(struct checking *c)
{
	bool other_method = false;

	c->ret->route = route_find(c->head->method, c->ret->path, &c->ret->args, &other_method);
	if (c->ret->route)
		return true;
	return other_method
		       ? refuse(c, 405, "bad_request", "method", "this method is not for here")
		       : refuse(c, 404, "not_found", "route", "there is nothing here");
}

static bool foreign(struct checking *c)
{
	return refuse(c, 403, "forbidden", "origin", "the request comes from another page");
}

/*
 * Which page asks. Ports are one "site" to a browser, so same-site is as foreign as cross-site:
 * agents serve pages on this host. What changes something must say that it comes from here;
 * what reads must not say that it comes from elsewhere.
 */
static bool check_page(struct checking *c)
{
	bool unsafe = strcmp(c->ret->route->method, "POST") == 0;
	const char *fetch = head_get(c->head, "Sec-Fetch-Site");
	const char *origin = head_get(c->head, "Origin");

	if (!unsafe && !route_is_api(c->ret->route))
		return true;
	if (origin && !site_is_own(c->site, origin, head_get(c->head, "Host")))
		return foreign(c);
	if (fetch)
		return strcmp(fetch, "same-origin") == 0 ||
		       (!unsafe && strcmp(fetch, "none") == 0) || foreign(c);
	return !unsafe || origin || foreign(c);
}

static bool check_body(struct checking *c)
{
	const char *type = head_get(c->head, "Content-Type");

	if (strcmp(c->ret->route->method, "POST") != 0)
		return true;
	if (!type || strcasecmp(type, "application/json") != 0)
		return refuse(c, 415, "bad_request", "type",
			      "the body must be said to be application/json, and nothing else");
	return true;
}

const char *guard_cookie_name(const struct site_name *name)
{
	return name->tls ? "__Host-skep_s" : "skep_s";
}

/* RFC 6265, 5.4: "a=b; c=d". A browser sends a name twice when somebody planted a second one:
 * then neither counts. */
static bool take_cookie(const char *cookies, const char *name, char ret[TOKEN_SIZE])
{
	size_t n = strlen(name), found = 0;
	char value[TOKEN_SIZE] = "";

	while (cookies && *cookies) {
		size_t size = strcspn(cookies, ";");

		if (size > n && strncmp(cookies, name, n) == 0 && cookies[n] == '=') {
			found++;
			if (size - n - 1 == TOKEN_HEX) {
				memcpy(value, cookies + n + 1, TOKEN_HEX);
				value[TOKEN_HEX] = '\0';
			}
		}
		cookies += size;
		cookies += strspn(cookies, "; ");
	}
	if (found != 1 || !text_is_hex(value, TOKEN_HEX))
		return false;
	memcpy(ret, value, TOKEN_SIZE);
	return true;
}

static bool check_session(struct checking *c)
{
	bool has = take_cookie(head_get(c->head, "Cookie"), guard_cookie_name(c->ret->name),
			       c->ret->session);
	const char *key = head_get(c->head, "Skep-Key");

	if (!route_needs_session(c->ret->route))
		return true;
	if (!has)
		return refuse(
			c, 401, "unauthorized", "session",
			"nobody is logged in here; 'skep dashboard' gives a link that does");
	if (!route_needs_key(c->ret->route))
		return true;
	if (!key || !text_is_hex(key, TOKEN_HEX))
		return refuse(c, 403, "forbidden", "key", "the key of this login is missing");
	memcpy(c->ret->key, key, TOKEN_SIZE);
	return true;
}

bool guard_check(const struct site *site, const struct head *head, struct guarded *ret,
		 struct refusal *why)
{
	struct checking c = {site, head, ret, why};

	*ret = (struct guarded){.query = "", .args.id = -1};
	return check_fields(&c) && check_host(&c) && check_target(&c) && check_route(&c) &&
	       check_page(&c) && check_body(&c) && check_session(&c);
}
