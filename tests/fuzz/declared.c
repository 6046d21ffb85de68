/*
 * Files somebody declares a hive with: skep's own in JSON, another system's in YAML. What is
 * accepted is a document that the daemon accepts too, and settings that it can write.
 */
#include "fuzz.h"

#include "base/json.h"
#include "declare/chimera.h"
#include "declare/files.h"
#include "model/declare.h"
#include "model/document.h"

/* Whatever was accepted becomes an entry of agents.json that is read again. */
static void check_document(const json_t *document)
{
	struct error err = {};
	const char *name;
	json_t *declared;

	must(document_check(document, &err) == 0);
	json_object_foreach (json_object_get(document, "agents"), name, declared) {
		struct settings settings, again;

		settings_init(&settings, name);
		settings.port = 8100;
		settings.uid_base = 65536;
		if (declare_settings(declared, "owner", &settings, &err) == 0) {
			json_auto_t *entry = settings_to_json(&settings);

			must(settings_from_json(name, entry, &again, &err) == 0);
			settings_release(&again);
		}
		settings_release(&settings);
	}
}

/* Each field is a file. */
static struct source *read_fields(const char *const *paths, const uint8_t *data, size_t size)
{
	struct source *source = source_new();

	for (; *paths; paths++) {
		_cleanup_free_ char *text = fuzz_field(&data, &size);

		must(source_add(source, *paths, text, strlen(text), false, false, NULL) == 0);
	}
	source_finish(source);
	return source;
}

static void read_own(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {
		"hive.json",       "agents/alice.json",     "profiles/small.json",
		"images/web.json", "images/web/agent.json", NULL};
	struct source *source = read_fields(paths, data, size);
	struct error err = {};
	json_t *document = NULL;

	if (files_read(source, "here", &document, &err) == 0)
		check_document(document);
	else
		must(err.err && error_text(&err)[0]);
	json_decref(document);
	source_free(source);
}

static void read_chimera(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"nodes/here.yaml", "images/i.yaml",
					    "profiles/p.yaml", "cloud-init/c.yaml",
					    "config.yaml",     NULL};
	struct source *source = read_fields(paths, data, size);
	json_auto_t *notes = json_array();
	struct error err = {};
	json_t *document = NULL;

	if (chimera_read(source, "here", &document, notes, &err) == 0)
		check_document(document);
	else
		must(err.err && error_text(&err)[0]);
	json_decref(document);
	source_free(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 'y')
		read_chimera(data + 1, size - 1);
	else
		read_own(data + 1, size - 1);
	return 0;
}
