#include "unit.h"

#include "base/cleanup.h"
#include "web/assets.h"

#include <errno.h>
#include <sys/stat.h>

static void put(void **state, const char *name, const char *text)
{
	char path[256];
	FILE *file = fopen(unit_path(path, state, name), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

#define ENTRY                                                           \
	"{\"path\":\"/static/a.js\",\"file\":\"a.js\",\"type\":\"text/" \
	"javascript\",\"encodings\":[\"br\",\"gzip\"]}"

static void put_all(void **state)
{
	put(state, "a.js", "0123456789");
	put(state, "a.js.br", "01234");
	put(state, "a.js.gz", "0123456");
	put(state, "index.html", "page");
	put(state, "manifest.json",
	    "[" ENTRY ",{\"path\":\"/\",\"file\":\"index.html\",\"type\":\"text/html\"}]");
}

static void test_find(void **state)
{
	struct assets *assets = NULL;
	struct error err = {};

	put_all(state);
	assert_int_equal(assets_load(*state, &assets, &err), 0);
	assert_non_null(assets_find(assets, "/"));
	assert_false(assets_find(assets, "/")->immutable);
	assert_true(assets_find(assets, "/static/a.js")->immutable);
	assert_int_equal(assets_find(assets, "/static/a.js")->n_bodies, 3);
	assert_null(assets_find(assets, "/static/a.js.br"));
	assert_null(assets_find(assets, "/static/index.html"));
	assert_null(assets_find(NULL, "/"));
	assets_free(assets);
	assets_free(NULL);
}

static void test_choose(void **state)
{
	static const struct {
		const char *accept, *encoding; /* NULL: as it is */
	} cases[] = {
		{NULL, NULL},       {"", NULL},
		{"identity", NULL}, {"br", "br"},
		{"gzip", "gzip"},   {"gzip, deflate, br, zstd", "br"},
		{"GZIP", "gzip"},   {"br;q=0, gzip", "gzip"},
		{"br;q=0.0", NULL}, {"br;q=0.001", "br"},
		{"br; q=1", "br"},  {"xbr, brx", NULL},
		{"*", NULL},
	};
	const struct asset *asset;
	struct assets *assets = NULL;
	struct error err = {};

	put_all(state);
	assert_int_equal(assets_load(*state, &assets, &err), 0);
	asset = assets_find(assets, "/static/a.js");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = asset_choose(asset, cases[i].accept)->encoding;

		if ((got != NULL) != (cases[i].encoding != NULL) ||
		    (got && strcmp(got, cases[i].encoding) != 0))
			fail_msg("'%s': %s", cases[i].accept, got ? got : "as it is");
	}
	assert_string_not_equal(asset->bodies[0].etag, asset->bodies[1].etag);
	assert_true(asset_is_known(&asset->bodies[0], asset->bodies[0].etag));
	assert_false(asset_is_known(&asset->bodies[0], asset->bodies[1].etag));
	assert_false(asset_is_known(&asset->bodies[0], NULL));
	assets_free(assets);
}

static void test_refused(void **state)
{
	static const char *const manifests[] = {
		"",
		"{}",
		"[1]",
		"[{\"path\":\"/static/a.js\",\"file\":\"a.js\"}]",
		"[{\"path\":\"/other\",\"file\":\"a.js\",\"type\":\"x\"}]",
		"[{\"path\":\"/static/a.js\",\"file\":\"missing\",\"type\":\"x\"}]",
		"[{\"path\":\"/static/a.js\",\"file\":\"../a.js\",\"type\":\"x\"}]",
		"[{\"path\":\"/static/a.js\",\"file\":\"/etc/passwd\",\"type\":\"x\"}]",
		"[{\"path\":\"/static/a.js\",\"file\":\"link\",\"type\":\"x\"}]",
		"[{\"path\":\"/static/a.js\",\"file\":\"a.js\",\"type\":\"x\\r\\nSet-Cookie: "
		"a=b\"}]",
		"[" ENTRY "," ENTRY "]",
	};
	struct assets *assets = NULL;
	char path[256];

	put_all(state);
	assert_int_equal(symlink("/etc/passwd", unit_path(path, state, "link")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(manifests); i++) {
		struct error err = {};

		put(state, "manifest.json", manifests[i]);
		if (assets_load(*state, &assets, &err) >= 0)
			fail_msg("'%s' was taken", manifests[i]);
		assert_text(&err, "manifest.json");
	}
	assert_null(assets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_find, unit_dir_setup, unit_dir_teardown),
		cmocka_unit_test_setup_teardown(test_choose, unit_dir_setup, unit_dir_teardown),
		cmocka_unit_test_setup_teardown(test_refused, unit_dir_setup,
						unit_dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
