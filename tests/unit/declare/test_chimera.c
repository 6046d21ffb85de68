/* Another system's files: what becomes of them, and that whatever does not is told. */
#include "declare/files_unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "declare/chimera.h"

#include <errno.h>

#define IMAGE                                                                     \
	{                                                                         \
		"images/u.yaml", "u-24.04:\n  type: tar\n  source: https://x/y\n" \
	}
#define PROFILE                                             \
	{                                                   \
		"profiles/p.yaml", "p:\n  description: d\n" \
	}

static int read_tree(const struct unit_file *files, const char *host, json_t **ret,
		     json_t *notes, struct error *err)
{
	struct source *s = unit_source(files);
	int r = chimera_read(s, host, ret, notes, err);

	source_free(s);
	return r;
}

static const struct unit_file tree[] = {
	{"config.yaml", "agent:\n  log_level: INFO\nproxy:\n  http_proxy: http://p:1\n"},
	{"images/u.yaml",
	 "u-24.04:\n  type: tar\n  verify: no\n  source: https://x/y\n  custom_files:\n"
	 "    - {path: /etc/motd, ensure: present}\n"
	 "    - {path: /etc/localtime, ensure: link, target: /usr/share/zoneinfo/UTC}\n"
	 "    - {path: /etc/gone, ensure: absent}\n"
	 "  nspawn_parameters:\n    - fstab=no\n    - systemd.mask=ssh.socket\n"},
	{"profiles/p.yaml",
	 "p:\n  nspawn_config_content: |\n    [Exec]\n    Boot=true\n    PrivateUsers=no\n"
	 "    [Network]\n    Private=yes\n    # a comment\n    [Files]\n    Bind=/srv\n"
	 "  systemd_override_content: |\n    [Service]\n    CPUQuota=400%\n"
	 "    MemoryMax=4096M\n    TasksMax=5\n    Nice=1\n"},
	{"cloud-init/b.yaml",
	 "base:\n  meta_data: {tier: x}\n  user_data: |\n    #cloud-config\n    write_files:\n"
	 "      - path: /etc/hive/from\n        content: chimera\n      - path: "
	 "/usr/local/bin/x\n"
	 "        permissions: '0755'\n        content: x\n      - {path: /x, encoding: b64, "
	 "content: eA==}\n    runcmd: [x]\n"
	 "jinja:\n  user_data: |\n    {% if x %}\n    a: b\n    {% endif %}\n"},
	{"nodes/dev.yaml",
	 "containers:\n  one:\n    image: u-24.04\n    profile: p\n    autostart: false\n"
	 "    cloud_init:\n      template: base\n      meta_data: {purpose: dev, n: 1}\n"
	 "  two:\n    ensure: absent\n    image: u-24.04\n"
	 "  three:\n    image: u-24.04\n    state: stopped\n    cloud_init: {template: jinja}\n"
	 "other: 1\n"},
	{"nodes/prod.yaml", "containers:\n  four:\n    image: u-24.04\n"},
	{},
};

static void test_tree(void **state)
{
	static const char wanted[] =
		"{\"one\":{\"network\":\"private\",\"limits\":{\"cpu_quota\":\"400%\","
		"\"memory_max\":\"4096M\"},\"labels\":{\"tier\":\"x\",\"purpose\":\"dev\"},"
		"\"desired\":\"running\",\"image\":\"one\"},\"three\":{\"desired\":\"stopped\","
		"\"image\":\"three\"}}";
	static const char files[] =
		"[{\"path\":\"rootfs/etc/motd\",\"data\":\"\"},{\"path\":"
		"\"rootfs/etc/localtime\",\"data\":\"/usr/share/zoneinfo/UTC\",\"symlink\":"
		"true},{\"path\":\"rootfs/etc/systemd/system/ssh.socket\",\"data\":"
		"\"/dev/null\",\"symlink\":true},{\"path\":\"rootfs/etc/hive/from\",\"data\":"
		"\"chimera\"},{\"path\":\"rootfs/usr/local/bin/x\",\"data\":\"x\","
		"\"executable\":true},{\"path\":\"agent.json\",\"data\":\"{\\n  "
		"\\\"environment\\\": {\\n    \\\"HTTP_PROXY\\\": \\\"http://p:1\\\"\\n  "
		"}\\n}\"}]";
	json_auto_t *document = NULL, *notes = json_array(), *agents = NULL, *list = NULL;
	struct error err = {};

	(void)state;
	if (read_tree(tree, "dev", &document, notes, &err) < 0)
		fail_msg("%s", error_text(&err));
	agents = json_loads(wanted, 0, NULL);
	list = json_loads(files, 0, NULL);
	assert_true(json_equal(agents, json_object_get(document, "agents")));
	assert_true(json_equal(
		list,
		json_object_get(json_object_get(json_object_get(document, "images"), "one"),
				"files")));
	assert_string_equal(json_string_value(json_object_get(document, "hive")), "chimera");
}

/* Everything that was left out, each once. */
static void test_notes(void **state)
{
	static const char *const wanted[] = {
		"config.yaml: agent: ",
		"images/u.yaml: source: ",
		"images/u.yaml: custom_files: '/etc/gone'",
		"images/u.yaml: nspawn_parameters: 'fstab=no'",
		"profiles/p.yaml: nspawn_config_content: [Exec] PrivateUsers=no",
		"profiles/p.yaml: nspawn_config_content: [Files] Bind=/srv",
		"profiles/p.yaml: systemd_override_content: TasksMax is not carried over",
		"profiles/p.yaml: systemd_override_content: [Service] Nice=1",
		"cloud-init/b.yaml: user_data.write_files: '/x'",
		"cloud-init/b.yaml: user_data.runcmd: ",
		"cloud-init/b.yaml: user_data: is not carried over: it is a template",
		"nodes/dev.yaml: autostart: of 'one'",
		"nodes/dev.yaml: meta_data.n: ",
		"nodes/dev.yaml: other: ",
	};
	json_auto_t *document = NULL, *notes = json_array();
	struct error err = {};

	(void)state;
	assert_int_equal(read_tree(tree, "dev", &document, notes, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		size_t n = 0, j;
		json_t *note;

		json_array_foreach (notes, j, note)
			n += strstr(json_string_value(note), wanted[i]) != NULL;
		if (n != 1)
			fail_msg("'%s' is told %zu times", wanted[i], n);
	}
	assert_int_equal(json_array_size(notes), ARRAY_SIZE(wanted));
}

static void test_refusals(void **state)
{
	static const struct {
		struct unit_file files[5];
		const char *said;
	} cases[] = {
		{{IMAGE}, "there are no containers below 'nodes/'"},
		{{IMAGE, {"nodes/a.yaml", "containers:\n  x:\n    image: nope\n"}},
		 "nodes/a.yaml: containers.x.image: there is no 'nope'"},
		{{IMAGE, {"nodes/a.yaml", "containers:\n  x: {}\n"}},
		 "nodes/a.yaml: containers.x: 'image' is missing"},
		{{IMAGE, {"nodes/a.yaml", "containers:\n  x: {image: u-24.04, state: up}\n"}},
		 "nodes/a.yaml: containers.x.state: it must be running or stopped"},
		{{IMAGE,
		  {"nodes/a.yaml", "containers:\n  x: {image: u-24.04, ensuer: present}\n"}},
		 "unknown key 'ensuer'; did you mean 'ensure'?"},
		{{IMAGE, {"nodes/a.yaml", "containers:\n  X_1: {image: u-24.04}\n"}},
		 "nodes/a.yaml: containers: 'X_1' is not an agent name"},
		{{IMAGE,
		  {"nodes/a.yaml", "containers:\n  x: {image: u-24.04}\n"},
		  {"nodes/b.yaml", "containers:\n  x: {image: u-24.04}\n"}},
		 "nodes/b.yaml: 'x' is in nodes/a.yaml already"},
		{{IMAGE, {"nodes/a.yaml", "containers:\n  x: {image: u-24.04}\n  x: {}\n"}},
		 "nodes/a.yaml: line 3: a key is there twice"},
		{{IMAGE, {"nodes/a.yaml", "- x\n"}}, "nodes/a.yaml: it must be a mapping"},
		{{IMAGE,
		  PROFILE,
		  {"nodes/a.yaml", "containers:\n  x: {image: u-24.04, profile: q}\n"}},
		 "nodes/a.yaml: containers.x.profile: there is no 'q'"},
		{{{"images/u.yaml",
		   "u:\n  custom_files: [{path: a/../../../x, ensure: present}]\n"},
		  {"nodes/a.yaml", "containers:\n  x: {image: u}\n"}},
		 "nodes/a.yaml: containers.x: 'rootfs/a/../../../x' is no path inside an "
		 "image"},
		{{{"images/u.yaml", "u:\n  custom_files: [{path: a, ensure: link, target: "
				    "../../../etc}]\n"},
		  {"nodes/a.yaml", "containers:\n  x: {image: u}\n"}},
		 "the symlink 'rootfs/a' leads out of its image"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_auto_t *notes = json_array();
		struct error err = {};
		json_t *document = NULL;

		if (read_tree(cases[i].files, "a", &document, notes, &err) == 0)
			fail_msg("nobody said '%s'", cases[i].said);
		assert_text(&err, cases[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
