#include "unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "model/manifest.h"

#include <errno.h>

static int parse(const char *text, struct manifest *manifest, struct error *err)
{
	return manifest_parse(text, strlen(text), manifest, err);
}

static void test_everything(void **state)
{
	struct manifest m;
	struct error err = {};

	(void)state;
	assert_int_equal(
		parse("{\"description\":\"writes\\nthings\",\"environment\":{\"B\":\"x=y\",\"A_"
		      "1\":\"\"},"
		      "\"limits\":{\"memory_max\":\"512M\",\"cpu_quota\":\"50%\",\"tasks_max\":"
		      "256},"
		      "\"probe\":{\"kind\":\"command\",\"command\":[\"/bin/sh\",\"-c\",\"\"],"
		      "\"grace\":5,\"soak\":0}}",
		      &m, &err),
		0);
	assert_string_equal(m.description, "writes things");
	assert_string_equal(m.env[0], "B=x=y");
	assert_string_equal(m.env[1], "A_1=");
	assert_null(m.env[2]);
	assert_int_equal(m.limits.memory_max_bytes, 512LL << 20);
	assert_int_equal(m.limits.cpu_quota_percent, 50);
	assert_int_equal(m.limits.tasks_max, 256);
	assert_int_equal(m.probe.kind, PROBE_COMMAND);
	assert_string_equal(m.probe.argv[0], "/bin/sh");
	assert_string_equal(m.probe.argv[1], "-c");
	assert_string_equal(m.probe.argv[2], "");
	assert_null(m.probe.argv[3]);
	assert_int_equal(m.probe.grace_ms, 5000);
	assert_int_equal(m.probe.soak_ms, 0);
	manifest_release(&m);
}

static void assert_default(const struct manifest *m)
{
	assert_null(m->description);
	assert_non_null(m->env);
	assert_null(m->env[0]);
	assert_int_equal(m->limits.memory_max_bytes, LIMIT_UNSET);
	assert_int_equal(m->limits.cpu_quota_percent, LIMIT_UNSET);
	assert_int_equal(m->limits.tasks_max, LIMIT_UNSET);
	assert_int_equal(m->probe.kind, PROBE_DEFAULT);
	assert_null(m->probe.argv);
	assert_int_equal(m->probe.port, 0);
	assert_int_equal(m->probe.grace_ms, 20000);
	assert_int_equal(m->probe.soak_ms, 2000);
}

static void test_nothing_said_is_the_default(void **state)
{
	struct manifest m;
	struct error err = {};

	(void)state;
	manifest_init(&m);
	assert_default(&m);
	manifest_release(&m);
	assert_int_equal(parse("{}", &m, &err), 0);
	assert_default(&m);
	manifest_release(&m);
	assert_int_equal(
		parse("{\"description\":null,\"environment\":{},\"limits\":{},\"probe\":null}",
		      &m, &err),
		0);
	assert_default(&m);
	manifest_release(&m);
	manifest_release(&m);
}

static void test_probes(void **state)
{
	static const struct {
		const char *text;
		enum probe_kind kind;
		uint16_t port;
	} cases[] = {
		{"{\"probe\":{\"kind\":\"none\"}}", PROBE_NONE, 0},
		{"{\"probe\":{\"kind\":\"default\"}}", PROBE_DEFAULT, 0},
		{"{\"probe\":{\"kind\":\"tcp\"}}", PROBE_TCP, 0},
		{"{\"probe\":{\"kind\":\"tcp\",\"port\":1}}", PROBE_TCP, 1},
		{"{\"probe\":{\"kind\":\"tcp\",\"port\":65535,\"grace\":600,\"soak\":600}}",
		 PROBE_TCP, 65535},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct manifest m;
		struct error err = {};

		if (parse(cases[i].text, &m, &err) != 0)
			fail_msg("%s: %s", cases[i].text, error_text(&err));
		assert_int_equal(m.probe.kind, cases[i].kind);
		assert_int_equal(m.probe.port, cases[i].port);
		manifest_release(&m);
	}
	assert_string_equal(probe_kind_name(PROBE_DEFAULT), "default");
	assert_string_equal(probe_kind_name(PROBE_NONE), "none");
	assert_string_equal(probe_kind_name(PROBE_COMMAND), "command");
	assert_string_equal(probe_kind_name(PROBE_TCP), "tcp");
}

static void test_refuses(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", "not valid JSON"},
		{"[]", "must be an object"},
		{"\"x\"", "not valid JSON"},
		{"{\x1b[2J", "not valid JSON"},
		{"{} {}", "not valid JSON"},
		{"{\"a\":1,\"a\":2}", "not valid JSON"},
		{"{\"description\":\"a\\u0000b\"}", "not valid JSON"},
		{"{\"description\":\"\xff\"}", "not valid JSON"},
		{"{\"descriptoin\":\"x\"}", "descriptoin"},
		{"{\"description\":1}", "'description' must be a string, not 1"},
		{"{\"environment\":[\"A=b\"]}", "'environment' must be an object"},
		{"{\"environment\":{\"\":\"b\"}}", "is not a name"},
		{"{\"environment\":{\"a\":\"b\"}}", "'a' is not a name"},
		{"{\"environment\":{\"1A\":\"b\"}}", "'1A' is not a name"},
		{"{\"environment\":{\"A=B\":\"b\"}}", "'A=B' is not a name"},
		{"{\"environment\":{\"A B\":\"b\"}}", "'A B' is not a name"},
		{"{\"environment\":{\"A\\nB\":\"b\"}}", "'A B' is not a name"},
		{"{\"environment\":{\"\\u0391\":\"b\"}}", "is not a name"},
		{"{\"environment\":{\"PATH\":\"/x\"}}", "may not set 'PATH'"},
		{"{\"environment\":{\"LD_PRELOAD\":\"/x\"}}", "may not set 'LD_PRELOAD'"},
		{"{\"environment\":{\"HIVE_PORT\":\"1\"}}", "may not set 'HIVE_PORT'"},
		{"{\"environment\":{\"SYSTEMD_LOG_LEVEL\":\"1\"}}",
		 "may not set 'SYSTEMD_LOG_LEVEL'"},
		{"{\"environment\":{\"A\":1}}", "'A' must be a string"},
		{"{\"environment\":{\"A\":null}}", "'A' must be a string"},
		{"{\"environment\":{\"A\":\"x\\ny\"}}", "'A' must be a string"},
		{"{\"environment\":{\"A\":\"x\\ty\"}}", "'A' must be a string"},
		{"{\"environment\":{\"A\":\"\\u001b[2J\"}}", "'A' must be a string"},
		{"{\"environment\":{\"A\":\"\\u007f\"}}", "'A' must be a string"},
		{"{\"environment\":{\"A\":\"\\u009b\"}}", "'A' must be a string"},
		{"{\"limits\":[]}", "'limits' must be an object"},
		{"{\"limits\":{\"memory\":\"1G\"}}", "unknown key 'memory' in 'limits'"},
		{"{\"limits\":{\"memory_max\":\"1Q\"}}", "'memory_max' must be"},
		{"{\"probe\":[]}", "'probe' must be an object"},
		{"{\"probe\":{}}", "'kind' is missing"},
		{"{\"probe\":{\"kind\":\"http\"}}", "not 'http'"},
		{"{\"probe\":{\"kind\":\"none\",\"timeout\":1}}",
		 "unknown key 'timeout' in 'probe'"},
		{"{\"probe\":{\"kind\":\"command\"}}", "'command' is missing"},
		{"{\"probe\":{\"kind\":\"command\",\"command\":\"/bin/true\"}}",
		 "'command' must be a list"},
		{"{\"probe\":{\"kind\":\"command\",\"command\":[]}}",
		 "'command' must have 1 to 32 words"},
		{"{\"probe\":{\"kind\":\"command\",\"command\":[\"\"]}}", "'command': word 1"},
		{"{\"probe\":{\"kind\":\"command\",\"command\":[\"a\",2]}}",
		 "'command': word 2"},
		{"{\"probe\":{\"kind\":\"tcp\",\"command\":[\"a\"]}}",
		 "'command' is for probes of kind command"},
		{"{\"probe\":{\"kind\":\"command\",\"command\":[\"a\"],\"port\":1}}",
		 "'port' is for probes of kind tcp"},
		{"{\"probe\":{\"kind\":\"tcp\",\"port\":0}}", "'port' must be"},
		{"{\"probe\":{\"kind\":\"tcp\",\"port\":65536}}", "'port' must be"},
		{"{\"probe\":{\"kind\":\"tcp\",\"port\":\"80\"}}", "'port' must be"},
		{"{\"probe\":{\"kind\":\"none\",\"grace\":-1}}", "'grace' must be"},
		{"{\"probe\":{\"kind\":\"none\",\"grace\":601}}", "'grace' must be"},
		{"{\"probe\":{\"kind\":\"none\",\"soak\":1.5}}", "'soak' must be"},
		{"{\"probe\":{\"kind\":\"none\",\"soak\":9223372036854775807}}",
		 "'soak' must be"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct manifest m = {.description = (char *)"untouched"};
		struct error err = {};

		if (parse(cases[i].text, &m, &err) != -EINVAL)
			fail_msg("%s was accepted", cases[i].text);
		assert_text(&err, cases[i].says);
		assert_text(&err, "agent.json: ");
		assert_string_equal(m.description, "untouched");
		for (const char *c = err.text; *c; c++)
			assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
	}
}

static int parse_sized(const char *before, size_t n, const char *after)
{
	_cleanup_buf_ struct buf b = {};
	struct manifest m;
	struct error err = {};
	int r;

	buf_add_str(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, after);
	r = manifest_parse(b.data, b.size, &m, &err);
	if (r == 0)
		manifest_release(&m);
	return r;
}

static void test_lengths(void **state)
{
	(void)state;
	assert_int_equal(parse_sized("{\"description\":\"", 1000, "\"}"), 0);
	assert_int_equal(parse_sized("{\"description\":\"", 1001, "\"}"), -EINVAL);
	assert_int_equal(parse_sized("{\"environment\":{\"A\":\"", 1024, "\"}}"), 0);
	assert_int_equal(parse_sized("{\"environment\":{\"A\":\"", 1025, "\"}}"), -EINVAL);
	assert_int_equal(parse_sized("{\"probe\":{\"kind\":\"command\",\"command\":[\"", 1024,
				     "\"]}}"),
			 0);
	assert_int_equal(parse_sized("{\"probe\":{\"kind\":\"command\",\"command\":[\"", 1025,
				     "\"]}}"),
			 -EINVAL);
	assert_int_equal(parse_sized("{}\n\"", MANIFEST_MAX_BYTES, "\""), -EINVAL);
}

static int parse_counted(const char *before, const char *format, size_t n, const char *after)
{
	_cleanup_buf_ struct buf b = {};
	struct manifest m;
	struct error err = {};
	int r;

	buf_add_str(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s\"A%zu\"%s", i ? "," : "", i, format);
	buf_add_str(&b, after);
	r = manifest_parse(b.data, b.size, &m, &err);
	if (r == 0)
		manifest_release(&m);
	return r;
}

static void test_counts(void **state)
{
	(void)state;
	assert_int_equal(parse_counted("{\"environment\":{", ":\"v\"", MANIFEST_MAX_ENV, "}}"),
			 0);
	assert_int_equal(parse_counted("{\"environment\":{", ":\"v\"", MANIFEST_MAX_ENV + 1,
				       "}}"),
			 -EINVAL);
	assert_int_equal(parse_counted("{\"probe\":{\"kind\":\"command\",\"command\":[", "", 32,
				       "]}}"),
			 0);
	assert_int_equal(parse_counted("{\"probe\":{\"kind\":\"command\",\"command\":[", "", 33,
				       "]}}"),
			 -EINVAL);
}

/* The file is read from a commit: whatever bytes are there, the parser returns. */
static void test_deep_nesting_returns(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct manifest m;
	struct error err = {};

	(void)state;
	for (int i = 0; i < 60000; i++)
		buf_add_char(&b, '[');
	assert_int_equal(manifest_parse(b.data, b.size, &m, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_nothing_said_is_the_default),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_deep_nesting_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
