/* An entry of agents.json and changes to it as text: what is written is read again as the same.
 */
#include "fuzz.h"

#include "base/json.h"
#include "model/settings.h"

static void reads_the_same(const struct settings *settings)
{
	json_auto_t *written = settings_to_json(settings), *again = NULL;
	struct settings other;
	struct error err = {};
	int r;

	must(written);
	r = settings_from_json(settings->name, written, &other, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", error_text(&err));
	must(r == 0);
	again = settings_to_json(&other);
	must(json_equal(written, again));
	settings_release(&other);
}

/* Every setting as the text it is set with, laid over a fresh entry, is that setting again. */
static void text_sets_the_same(const struct settings *settings)
{
	json_auto_t *texts = settings_to_text(settings), *again = NULL;
	struct settings other;
	struct error err = {};
	const char *key;
	json_t *value;
	bool restart;

	settings_init(&other, settings->name);
	other.parent[0] = '\0';
	json_object_foreach (texts, key, value) {
		int r = settings_change(&other, key, json_string_value(value), &restart, &err);

		if (r < 0)
			fprintf(stderr, "%s = %s: %s\n", key, json_string_value(value),
				error_text(&err));
		must(r == 0);
	}
	again = settings_to_text(&other);
	must(json_equal(texts, again));
	settings_release(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *entry = fuzz_field(&data, &size);
	json_auto_t *object = NULL;
	struct settings settings;
	struct error err = {};

	if (json_parse(entry, strlen(entry), &object, &err) < 0)
		return 0;
	if (settings_from_json("alice", object, &settings, &err) < 0) {
		must(err.err);
		return 0;
	}
	reads_the_same(&settings);
	for (int i = 0; size > 0 && i < 16; i++) {
		_cleanup_free_ char *key = fuzz_field(&data, &size);
		_cleanup_free_ char *value = fuzz_field(&data, &size);
		bool restart = false;

		if (settings_change(&settings, key, value, &restart, &err) < 0)
			must(err.err && fuzz_is_clean(err.text, strlen(err.text), false));
		reads_the_same(&settings);
	}
	text_sets_the_same(&settings);
	settings_release(&settings);
	return 0;
}
