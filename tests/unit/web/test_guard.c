#include "unit.h"

#include "base/cleanup.h"
#include "web/guard.h"

#include <errno.h>

#define S "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define K "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define HOST "Host", "127.0.0.1:7700"
#define COOKIE "Cookie", "skep_s=" S
#define JSON "Content-Type", "application/json"
#define HERE "Sec-Fetch-Site", "same-origin"
#define KEY "Skep-Key", K
#define ALL HOST, COOKIE, KEY, JSON, HERE
#define API "/api/v1/"
#define APPROVE API "proposals/7/approve"

#define PASSES 0

struct request {
	const char *what, *method, *target;
	size_t body_bytes;
	int status;
	const char *reason;
	const char *fields[20]; /* names and values by turns */
};

static const struct request requests[] = {
	/* Host: exactly one, and ours */
	{"a page", "GET", "/", 0, PASSES, NULL, {HOST}},
	{"IPv6", "GET", "/", 0, PASSES, NULL, {"Host", "[::1]:7700"}},
	{"by name", "GET", "/", 0, PASSES, NULL, {"Host", "LOCALHOST:7700"}},
	{"configured", "GET", "/", 0, PASSES, NULL, {"Host", "hive.example"}},
	{"no host", "GET", "/", 0, 421, "host", {NULL}},
	{"empty host", "GET", "/", 0, 421, "host", {"Host", ""}},
	{"rebound", "GET", "/", 0, 421, "host", {"Host", "evil.example:7700"}},
	{"other port", "GET", "/", 0, 421, "host", {"Host", "127.0.0.1:7701"}},
	{"no port", "GET", "/", 0, 421, "host", {"Host", "127.0.0.1"}},
	{"two hosts", "GET", "/", 0, 421, "host", {HOST, HOST}},
	{"a dot at the end", "GET", "/", 0, 421, "host", {"Host", "localhost.:7700"}},
	{"livez as well", "GET", "/livez", 0, 421, "host", {"Host", "evil.example"}},

	/* the request line */
	{"absolute form", "GET", "http://127.0.0.1:7700/", 0, 400, "malformed", {HOST}},
	{"two slashes", "GET", "//evil.example/", 0, 400, "malformed", {HOST}},
	{"star", "GET", "*", 0, 400, "malformed", {HOST}},
	{"NUL in the path", "GET", "/%00", 0, 400, "malformed", {HOST}},
	{"NUL in the query", "GET", "/?a=%00", 0, 400, "malformed", {HOST}},
	{"encoded dots", "GET", "/static/%2e%2e/x", 0, 400, "malformed", {HOST}},
	{"dots", "GET", "/static/../x", 0, 404, "route", {HOST}},
	{"a fragment", "GET", "/#x", 0, 400, "malformed", {HOST}},
	{"a raw byte", "GET", "/\xc3\xa4", 0, 400, "malformed", {HOST}},
	{"a backslash", "GET", "/\\x", 0, 400, "malformed", {HOST}},
	{"nothing there", "GET", "/nothing", 0, 404, "route", {HOST}},
	{"a slash too many", "GET", "/deploys/", 0, 404, "route", {HOST}},
	{"a bad name", "GET", "/a/-x", 0, 404, "route", {HOST}},
	{"a long name", "GET", "/a/a23456789012345678901234567890123", 0, 404, "route", {HOST}},
	{"a bad number", "GET", "/p/07", 0, 404, "route", {HOST}},
	{"a negative number", "GET", "/p/-7", 0, 404, "route", {HOST}},

	/* methods */
	{"HEAD of a page", "HEAD", "/", 0, PASSES, NULL, {HOST}},
	{"HEAD of a stream", "HEAD", "/events", 0, 405, "method", {HOST, COOKIE}},
	{"POST of a page", "POST", "/", 2, 405, "method", {ALL}},
	{"GET changes nothing", "GET", APPROVE, 0, 405, "method", {ALL}},
	{"OTHER", "OTHER", "/", 0, 405, "method", {HOST}},

	/* headers */
	{"no name", "GET", "/", 0, 400, "malformed", {HOST, "", "x"}},
	{"a name with a space", "GET", "/", 0, 400, "malformed", {HOST, "A b", "x"}},
	{"a control byte", "GET", "/", 0, 400, "malformed", {HOST, "A", "x\ry"}},
	{"a signed length",
	 "POST",
	 APPROVE,
	 2,
	 400,
	 "malformed",
	 {ALL, "Content-Length", "+2"}},
	{"no length", "POST", APPROVE, 2, 400, "malformed", {ALL, "Content-Length", ""}},
	{"two lengths",
	 "POST",
	 APPROVE,
	 2,
	 400,
	 "malformed",
	 {ALL, "Content-Length", "2", "Content-Length", "2"}},
	{"a length", "POST", APPROVE, 2, PASSES, NULL, {ALL, "Content-Length", "2"}},
	{"chunked",
	 "POST",
	 APPROVE,
	 2,
	 400,
	 "malformed",
	 {ALL, "Transfer-Encoding", "chunked"}},
	{"identity", "GET", "/", 0, 400, "malformed", {HOST, "transfer-encoding", "identity"}},
	{"two cookies", "GET", API "status", 0, 400, "malformed", {HOST, COOKIE, COOKIE}},
	{"two origins",
	 "POST",
	 APPROVE,
	 2,
	 400,
	 "malformed",
	 {ALL, "Origin", "http://127.0.0.1:7700", "Origin", "http://127.0.0.1:7700"}},
	{"two keys", "POST", APPROVE, 2, 400, "malformed", {ALL, KEY}},
	{"GET with a body", "GET", API "status", 2, 400, "malformed", {HOST, COOKIE}},
	{"GET that says so",
	 "GET",
	 API "status",
	 0,
	 400,
	 "malformed",
	 {HOST, COOKIE, "Content-Length", "5"}},

	/* which page asks */
	{"ours", "POST", APPROVE, 2, PASSES, NULL, {ALL}},
	{"another port",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {HOST, COOKIE, KEY, JSON, "Sec-Fetch-Site", "same-site"}},
	{"another site",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {HOST, COOKIE, KEY, JSON, "Sec-Fetch-Site", "cross-site"}},
	{"no page",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {HOST, COOKIE, KEY, JSON, "Sec-Fetch-Site", "none"}},
	{"a word nobody knows",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {HOST, COOKIE, KEY, JSON, "Sec-Fetch-Site", "Same-Origin"}},
	{"neither", "POST", APPROVE, 2, 403, "origin", {HOST, COOKIE, KEY, JSON}},
	{"our origin",
	 "POST",
	 APPROVE,
	 2,
	 PASSES,
	 NULL,
	 {HOST, COOKIE, KEY, JSON, "Origin", "http://127.0.0.1:7700"}},
	{"another port's origin",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {HOST, COOKIE, KEY, JSON, "Origin", "http://127.0.0.1:8123"}},
	{"an origin of no port",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {HOST, COOKIE, KEY, JSON, "Origin", "http://127.0.0.1"}},
	{"another scheme's",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {HOST, COOKIE, KEY, JSON, "Origin", "https://127.0.0.1:7700"}},
	{"another name of ours",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {HOST, COOKIE, KEY, JSON, "Origin", "http://localhost:7700"}},
	{"null",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {HOST, COOKIE, KEY, JSON, "Origin", "null"}},
	{"one says so, one does not",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "origin",
	 {ALL, "Origin", "http://127.0.0.1:8123"}},
	{"login from elsewhere",
	 "POST",
	 API "login",
	 2,
	 403,
	 "origin",
	 {HOST, JSON, "Sec-Fetch-Site", "same-site"}},
	{"a stream from another port",
	 "GET",
	 "/events",
	 0,
	 403,
	 "origin",
	 {HOST, COOKIE, "Sec-Fetch-Site", "same-site"}},
	{"reading from another site",
	 "GET",
	 API "status",
	 0,
	 403,
	 "origin",
	 {HOST, COOKIE, "Sec-Fetch-Site", "cross-site"}},
	{"reading with an origin",
	 "GET",
	 API "status",
	 0,
	 403,
	 "origin",
	 {HOST, COOKIE, "Origin", "http://127.0.0.1:8123"}},
	{"reading from here", "GET", API "status", 0, PASSES, NULL, {HOST, COOKIE, HERE}},
	{"reading by hand",
	 "GET",
	 API "status",
	 0,
	 PASSES,
	 NULL,
	 {HOST, COOKIE, "Sec-Fetch-Site", "none"}},
	{"a link to a page",
	 "GET",
	 "/p/7",
	 0,
	 PASSES,
	 NULL,
	 {HOST, "Sec-Fetch-Site", "cross-site"}},

	/* the body's type */
	{"a form",
	 "POST",
	 APPROVE,
	 2,
	 415,
	 "type",
	 {HOST, COOKIE, KEY, HERE, "Content-Type", "application/x-www-form-urlencoded"}},
	{"plain text",
	 "POST",
	 APPROVE,
	 2,
	 415,
	 "type",
	 {HOST, COOKIE, KEY, HERE, "Content-Type", "text/plain"}},
	{"JSON and more",
	 "POST",
	 APPROVE,
	 2,
	 415,
	 "type",
	 {HOST, COOKIE, KEY, HERE, "Content-Type", "application/json; charset=utf-8"}},
	{"no type", "POST", APPROVE, 2, 415, "type", {HOST, COOKIE, KEY, HERE}},

	/* what is shown */
	{"nobody", "GET", API "status", 0, 401, "session", {HOST}},
	{"nobody's events", "GET", "/events", 0, 401, "session", {HOST}},
	{"nobody's log", "GET", API "proposals/7/log", 0, 401, "session", {HOST}},
	{"nobody's openapi", "GET", API "openapi.json", 0, 401, "session", {HOST}},
	{"nobody's verdict", "POST", APPROVE, 2, 401, "session", {HOST, KEY, JSON, HERE}},
	{"among others",
	 "GET",
	 API "status",
	 0,
	 PASSES,
	 NULL,
	 {HOST, "Cookie", "a=b; skep_s=" S "; c=d"}},
	{"a short one",
	 "GET",
	 API "status",
	 0,
	 401,
	 "session",
	 {HOST, "Cookie", "skep_s=0123"}},
	{"in capitals",
	 "GET",
	 API "status",
	 0,
	 401,
	 "session",
	 {HOST, "Cookie",
	  "skep_s=ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}},
	{"planted twice",
	 "GET",
	 API "status",
	 0,
	 401,
	 "session",
	 {HOST, "Cookie", "skep_s=" S "; skep_s=" K}},
	{"another's name",
	 "GET",
	 API "status",
	 0,
	 401,
	 "session",
	 {HOST, "Cookie", "xskep_s=" S}},
	{"no key", "POST", APPROVE, 2, 403, "key", {HOST, COOKIE, JSON, HERE}},
	{"a short key",
	 "POST",
	 APPROVE,
	 2,
	 403,
	 "key",
	 {HOST, COOKIE, JSON, HERE, "Skep-Key", "0123"}},
	{"logging in needs none", "POST", API "login", 2, PASSES, NULL, {HOST, JSON, HERE}},
	{"logging out does", "POST", API "logout", 2, 403, "key", {HOST, COOKIE, JSON, HERE}},
	{"stepping up does", "POST", API "step-up", 2, 403, "key", {HOST, COOKIE, JSON, HERE}},
	{"TLS: not the plain cookie",
	 "GET",
	 API "status",
	 0,
	 401,
	 "session",
	 {"Host", "hive.example", COOKIE}},
	{"TLS: the guarded one",
	 "GET",
	 API "status",
	 0,
	 PASSES,
	 NULL,
	 {"Host", "hive.example", "Cookie", "__Host-skep_s=" S}},
};

static void make_site(struct site *site)
{
	struct error err = {};

	*site = (struct site){};
	assert_int_equal(site_add_port(site, 7700, &err), 0);
	assert_int_equal(site_add_origin(site, "https://hive.example", &err), 0);
}

static void test_table(void **state)
{
	struct site site;

	(void)state;
	make_site(&site);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		const struct request *r = &requests[i];
		struct head_field fields[10];
		struct head head = {.method = r->method,
				    .target = r->target,
				    .fields = fields,
				    .body_bytes = r->body_bytes};
		struct guarded got;
		struct refusal why = {};
		bool passed;

		for (size_t f = 0; f < 20 && r->fields[f]; f += 2)
			fields[head.n_fields++] =
				(struct head_field){r->fields[f], r->fields[f + 1]};
		passed = guard_check(&site, &head, &got, &why);
		if (passed != (r->status == PASSES))
			fail_msg("%s: %s", r->what, passed ? "passed" : why.text);
		if (!passed && (why.status != r->status || strcmp(why.reason, r->reason) != 0))
			fail_msg("%s: %d %s", r->what, why.status, why.reason);
	}
}

/* Whatever is added to the table is guarded: what reads the hive by a session, what changes it
 * by the key as well. */
static void test_every_route(void **state)
{
	static const char *const open[] = {"/livez", "/readyz", "/metrics", API "login"};
	struct site site;

	(void)state;
	make_site(&site);
	for (const struct route *route = route_table(); route->method; route++) {
		bool is_open = route->kind == ROUTE_PAGE || route->kind == ROUTE_ASSET;

		for (size_t i = 0; i < ARRAY_SIZE(open); i++)
			is_open |= strcmp(route->path, open[i]) == 0;
		assert_int_equal(route_needs_session(route), !is_open);
		assert_int_equal(route_needs_key(route),
				 !is_open && strcmp(route->method, "POST") == 0);
		assert_true(strcmp(route->method, "GET") == 0 ||
			    strcmp(route->method, "POST") == 0);
	}
}

static void test_what_is_found(void **state)
{
	static const struct head_field fields[] = {{HOST}, {COOKIE}, {KEY}, {JSON}, {HERE}};
	struct head head = {"POST", API "agents/alice/settings?x=y", fields, 5, 2};
	struct guarded got;
	struct refusal why;
	struct site site;

	(void)state;
	make_site(&site);
	assert_true(guard_check(&site, &head, &got, &why));
	assert_string_equal(got.args.name, "alice");
	assert_int_equal(got.args.id, -1);
	assert_string_equal(got.query, "x=y");
	assert_string_equal(got.session, S);
	assert_string_equal(got.key, K);
	assert_string_equal(got.route->cmd, "set");
	head.target = APPROVE;
	assert_true(guard_check(&site, &head, &got, &why));
	assert_int_equal(got.args.id, 7);
}

static void test_long_target(void **state)
{
	static const struct head_field fields[] = {{HOST}};
	char target[TARGET_MAX + 2];
	struct head head = {"GET", target, fields, 1, 0};
	struct guarded got;
	struct refusal why;
	struct site site;

	(void)state;
	make_site(&site);
	memset(target, 'a', sizeof(target));
	memcpy(target, "/?", 2);
	target[TARGET_MAX] = '\0';
	assert_true(guard_check(&site, &head, &got, &why));
	target[TARGET_MAX] = 'a';
	target[TARGET_MAX + 1] = '\0';
	assert_false(guard_check(&site, &head, &got, &why));
	assert_int_equal(why.status, 400);
}

static void test_origins(void **state)
{
	static const char *const bad[] = {
		"hive.example",
		"ftp://hive.example",
		"http://",
		"http://Hive.example",
		"https://hive.example/",
		"http://a b",
		"https://user@hive.example",
	};
	struct site site = {};
	struct error err = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (site_add_origin(&site, bad[i], &err) >= 0)
			fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(site.n, 0);
	assert_int_equal(site_add_port(&site, 80, &err), 0);
	assert_non_null(site_find_host(&site, "127.0.0.1"));
	for (size_t i = site.n; i < SITE_MAX; i++)
		assert_int_equal(site_add_origin(&site, "http://x", &err), 0);
	assert_int_equal(site_add_origin(&site, "http://x", &err), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),         cmocka_unit_test(test_every_route),
		cmocka_unit_test(test_what_is_found), cmocka_unit_test(test_long_target),
		cmocka_unit_test(test_origins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
