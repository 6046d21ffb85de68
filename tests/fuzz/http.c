/* What comes over HTTP: what the guard lets through is asked for under our name, by our page,
 * with what the route needs. */
#include "fuzz.h"

#include "base/json.h"
#include "web/call.h"
#include "web/guard.h"
#include "wire/verb.h"

#include <strings.h>

#define FIELDS_MAX 24

/* "METHOD TARGET\nName: value\n...\n\nBODY" */
struct request {
	struct head_field fields[FIELDS_MAX];
	struct head head;
	const char *body;
};

static char *next_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	*at = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line;
}

static bool read_head(char *text, struct request *ret)
{
	char *method = next_line(&text), *target = strchr(method, ' '), *line;

	if (!target)
		return false;
	*target++ = '\0';
	*ret = (struct request){.head = {.method = method, .target = target}};
	while (*(line = next_line(&text))) {
		char *colon = strchr(line, ':');

		if (!colon || ret->head.n_fields == FIELDS_MAX)
			return false;
		*colon++ = '\0';
		ret->fields[ret->head.n_fields++] =
			(struct head_field){line, colon + strspn(colon, " ")};
	}
	ret->head.fields = ret->fields;
	ret->body = text;
	ret->head.body_bytes = strlen(text);
	return true;
}

/* The only field of that name; NULL: none. Twice is not possible any more. */
static const char *only(const struct head *head, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < head->n_fields; i++) {
		if (strcasecmp(head->fields[i].name, name) != 0)
			continue;
		must(!found);
		found = head->fields[i].value;
	}
	return found;
}

static bool is_ours(const char *origin)
{
	static const char *const ours[] = {"http://127.0.0.1:7700", "http://[::1]:7700",
					   "http://localhost:7700", "https://hive.example"};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strcmp(ours[i], origin) == 0)
			return true;
	return false;
}

static void look_at_head(const struct guarded *g, const struct head *head)
{
	const char *host = only(head, "Host"), *fetch = only(head, "Sec-Fetch-Site");
	const char *origin = only(head, "Origin"), *type = only(head, "Content-Type");
	bool post = strcmp(head->method, "POST") == 0;

	must(host && g->name && strcasecmp(g->name->host, host) == 0);
	must(head->target[0] == '/' && head->target[1] != '/' && !strchr(g->path, '%') &&
	     !strchr(g->path, '?') && !strstr(g->path, "/../"));
	must(strncmp(head->target, g->path, strlen(g->path)) == 0);
	must(!only(head, "Transfer-Encoding"));
	must(post == (strcmp(g->route->method, "POST") == 0));
	must(post || head->body_bytes == 0);
	must(post || strcmp(head->method, "GET") == 0 || strcmp(head->method, "HEAD") == 0);
	if (post) {
		must(type && strcasecmp(type, "application/json") == 0);
		must((fetch && strcmp(fetch, "same-origin") == 0) || (!fetch && origin));
	}
	if (post || route_is_api(g->route)) {
		must(!origin || is_ours(origin));
		must(!fetch ||
		     (strcmp(fetch, "cross-site") != 0 && strcmp(fetch, "same-site") != 0));
	}
	if (route_needs_session(g->route))
		must(text_is_hex(g->session, TOKEN_HEX) &&
		     strstr(only(head, "Cookie"), g->session));
	if (route_needs_key(g->route))
		must(strcmp(g->key, only(head, "Skep-Key")) == 0 &&
		     text_is_hex(g->key, TOKEN_HEX));
}

static const struct verb *verb_called(const char *name)
{
	for (int i = 0; i < VERB_COUNT; i++)
		if (strcmp(verb_table()[i].name, name) == 0)
			return &verb_table()[i];
	return NULL;
}

/* What path, cookie and header decide, the body and the query cannot. */
static void look_at_request(const struct guarded *g, const char *body, size_t size)
{
	json_t *request = NULL;
	struct error err = {};
	const char *name;

	if (!g->route->cmd)
		return;
	if (call_build(g, body, size, &request, &err) < 0) {
		must(err.err && call_status(error_code(&err)) < 500);
		return;
	}
	name = json_string_value(json_object_get(request, "cmd"));
	must(strcmp(name, g->route->cmd) == 0);
	must(verb_called(name) && (verb_called(name)->allowed & PRINCIPAL_WEB));
	must(!json_object_get(request, "wait") && !json_object_get(request, "version"));
	if (g->args.id >= 0)
		must(json_integer_value(json_object_get(request, "id")) == g->args.id);
	if (route_needs_session(g->route))
		must(strcmp(json_string_value(json_object_get(request, "session")),
			    g->session) == 0);
	else
		must(!json_object_get(request, "session") && !json_object_get(request, "key"));
	if (route_needs_key(g->route))
		must(strcmp(json_string_value(json_object_get(request, "key")), g->key) == 0);
	json_decref(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_field(&data, &size);
	struct site site = {};
	struct error err = {};
	struct refusal why = {};
	struct request request;
	struct guarded g;

	must(site_add_port(&site, 7700, &err) == 0);
	must(site_add_origin(&site, "https://hive.example", &err) == 0);
	if (!read_head(text, &request))
		return 0;
	if (!guard_check(&site, &request.head, &g, &why)) {
		must(why.status >= 400 && why.status < 500 && why.code && why.reason &&
		     why.text);
		return 0;
	}
	look_at_head(&g, &request.head);
	look_at_request(&g, request.body, request.head.body_bytes);
	return 0;
}
