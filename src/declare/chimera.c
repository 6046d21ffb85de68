#include "declare/chimera.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "declare/chimera_parts.h"
#include "declare/yaml.h"
#include "model/declare.h"
#include "model/document.h"
#include "model/manifest.h"
#include "model/names.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define HIVE_NAME "chimera"

struct tree {
	const struct source *source;
	const char *host;
	json_t *images, *profiles, *templates; /* name -> {"file","value"} */
	json_t *nodes;                         /* the same, of containers; with "node" */
	json_t *proxy;                         /* of the main configuration; NULL */
	json_t *notes;
	struct error *err;
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int read_yaml(const struct tree *t, const struct source_file *file, json_t **ret)
{
	json_t *value = NULL;
	int r;

	if (file->symlink)
		return error_set(t->err, ELOOP, "%s: it is a symlink, which is not followed",
				 file->path);
	r = yaml_parse(file->data, file->size, &value, t->err);
	if (r == 0 && !json_is_object(value) && !json_is_null(value)) {
		json_decref(value);
		r = error_set(t->err, EINVAL, "it must be a mapping");
	}
	if (r < 0)
		return error_prefix(t->err, "%s", file->path);
	*ret = value;
	return 0;
}

static bool is_yaml(const char *path)
{
	size_t size = strlen(path);

	return (size > 5 && strcmp(path + size - 5, ".yaml") == 0) ||
	       (size > 4 && strcmp(path + size - 4, ".yml") == 0);
}

static int add(struct tree *t, json_t *into, const struct source_file *file, const char *name,
	       json_t *value)
{
	const char *other = text_of(json_object_get(into, name), "file");

	if (!json_is_object(value))
		return error_set(t->err, EINVAL, "%s: '%.80s' must be a mapping", file->path,
				 name);
	if (other)
		return error_set(t->err, EEXIST, "%s: '%.80s' is in %s already", file->path,
				 name, other);
	json_object_set_new(into, name,
			    json_pack("{s:s,s:O}", "file", file->path, "value", value));
	return 0;
}

/* Every mapping of every file of a directory; of a node's file what is below 'containers'. */
static int read_all(struct tree *t, const char *directory, const char *below, json_t *into)
{
	for (size_t i = source_first(t->source, directory);
	     source_is_below(t->source, i, directory); i++) {
		const struct source_file *file = &t->source->files[i];
		json_auto_t *value = NULL;
		json_t *entries, *entry;
		const char *name;
		int r;

		if (!is_yaml(file->path))
			continue;
		r = read_yaml(t, file, &value);
		if (r < 0)
			return r;
		entries = below ? json_object_get(value, below) : value;
		json_object_foreach (entries, name, entry) {
			r = add(t, into, file, name, entry);
			if (r < 0)
				return r;
		}
		if (!below)
			continue;
		json_object_foreach (value, name, entry)
			if (strcmp(name, below) != 0)
				chimera_note(t->notes, file->path, name, "is not carried over");
	}
	return 0;
}

/* config.yaml or chimera.yaml: how Chimera itself runs, and a proxy for its containers. */
static int read_main(struct tree *t)
{
	static const char *const names[] = {"config.yaml", "chimera.yaml"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct source_file *file = source_find(t->source, names[i]);
		json_auto_t *value = NULL;
		const char *key;
		json_t *each;
		int r;

		if (!file)
			continue;
		r = read_yaml(t, file, &value);
		if (r < 0)
			return r;
		json_object_foreach (value, key, each) {
			if (strcmp(key, "proxy") == 0 && json_is_object(each))
				t->proxy = json_incref(each);
			else
				chimera_note(t->notes, file->path, key,
					     "is not carried over: skep.json says how skep "
					     "runs");
		}
	}
	return 0;
}

/* ---- one container ---- */

struct container {
	const char *name, *file;
	const json_t *value;
	json_t *settings, *files;
};

/* The named part of another file, which must be there. */
static int find(const struct tree *t, const struct container *c, const json_t *in,
		const char *key, const char *name, const json_t **ret)
{
	*ret = json_object_get(in, name);
	if (*ret)
		return 0;
	return error_set(t->err, ENOENT, "%s: containers.%s.%s: there is no '%.80s'", c->file,
			 c->name, key, name);
}

/* What a template says, with what the container says over it. */
static void merge_deep(json_t *into, const json_t *over)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)over, key, value) {
		json_t *old = json_object_get(into, key);

		if (json_is_object(old) && json_is_object(value))
			merge_deep(old, value);
		else
			json_object_set_new(into, key, json_deep_copy(value));
	}
}

/* user_data is YAML within YAML; one that is a template is for a renderer we are not. */
static int open_user_data(const struct tree *t, const char *file, json_t *cloud_init)
{
	const char *text = text_of(cloud_init, "user_data");
	json_t *value = NULL;
	int r;

	if (!text)
		return 0;
	if (strstr(text, "{%") || strstr(text, "{{")) {
		chimera_note(t->notes, file, "user_data",
			     "is not carried over: it is a template");
		json_object_del(cloud_init, "user_data");
		return 0;
	}
	r = yaml_parse(text, strlen(text), &value, t->err);
	if (r < 0)
		return error_prefix(t->err, "%s: user_data", file);
	json_object_set_new(cloud_init, "user_data", value);
	return 0;
}

static int lay_cloud_init(const struct tree *t, struct container *c)
{
	json_auto_t *own = json_deep_copy(json_object_get(c->value, "cloud_init")),
		    *merged = json_object();
	const char *name = text_of(own, "template"), *file = c->file, *key;
	const json_t *template = NULL;
	json_t *value;
	int r;

	if (!own || json_is_null(own))
		return 0;
	if (!json_is_object(own))
		return error_set(t->err, EINVAL,
				 "%s: containers.%s.cloud_init: it must be a mapping", c->file,
				 c->name);
	if (name) {
		r = find(t, c, t->templates, "cloud_init.template", name, &template);
		if (r < 0)
			return r;
		file = text_of(template, "file");
		merge_deep(merged, json_object_get(template, "value"));
		if ((r = open_user_data(t, file, merged)) < 0)
			return r;
	}
	if ((r = open_user_data(t, c->file, own)) < 0)
		return r;
	merge_deep(merged, own);
	chimera_lay_user_data(json_object_get(merged, "user_data"), file, c->files, t->notes);
	chimera_lay_meta_data(json_object_get(merged, "meta_data"), c->file, c->settings,
			      t->notes);
	json_object_foreach (merged, key, value)
		if (strcmp(key, "user_data") != 0 && strcmp(key, "meta_data") != 0 &&
		    strcmp(key, "template") != 0)
			chimera_note(t->notes, file, key, "is not carried over");
	return 0;
}

/* The proxy becomes what every service in the container has in its environment. */
static void lay_proxy(const struct tree *t, struct container *c)
{
	json_auto_t *manifest = json_object(), *environment = json_object();
	_cleanup_free_ char *text = NULL;
	const char *key;
	json_t *value;

	json_object_foreach (t->proxy, key, value) {
		_cleanup_free_ char *name = str_dup(key);

		for (char *p = name; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		if (json_is_string(value))
			json_object_set(environment, name, value);
	}
	if (json_object_size(environment) > 0)
		json_object_set(manifest, "environment", environment);
	text = json_dumps(manifest, JSON_INDENT(2));
	chimera_put_file(c->files, MANIFEST_PATH, text, false, false);
}

static int lay_parts(const struct tree *t, struct container *c)
{
	const char *image = text_of(c->value, "image"), *profile = text_of(c->value, "profile");
	const json_t *part = NULL;
	int r;

	if (!image)
		return error_set(t->err, EINVAL, "%s: containers.%s: 'image' is missing",
				 c->file, c->name);
	if ((r = find(t, c, t->images, "image", image, &part)) < 0)
		return r;
	chimera_lay_image(json_object_get(part, "value"), text_of(part, "file"), c->files,
			  t->notes);
	if (profile) {
		if ((r = find(t, c, t->profiles, "profile", profile, &part)) < 0)
			return r;
		chimera_lay_profile(json_object_get(part, "value"), text_of(part, "file"),
				    c->settings, t->notes);
	}
	return lay_cloud_init(t, c);
}

static int check_word(const struct tree *t, const struct container *c, const char *key,
		      const char *a, const char *b)
{
	const json_t *value = json_object_get(c->value, key);
	const char *text = json_string_value(value);

	if (!value || (text && (strcmp(text, a) == 0 || strcmp(text, b) == 0)))
		return 0;
	return error_set(t->err, EINVAL, "%s: containers.%s.%s: it must be %s or %s", c->file,
			 c->name, key, a, b);
}

static int check_keys(const struct tree *t, const struct container *c)
{
	static const char *const keys[] = {"ensure",     "state",     "image", "profile",
					   "cloud_init", "autostart", "name",  NULL};
	int r = declare_only_keys(c->value, "", keys, t->err);

	if (r < 0)
		return error_prefix(t->err, "%s: containers.%s", c->file, c->name);
	if ((r = check_word(t, c, "ensure", "present", "absent")) < 0 ||
	    (r = check_word(t, c, "state", "running", "stopped")) < 0)
		return r;
	if (json_is_false(json_object_get(c->value, "autostart")))
		chimera_note(t->notes, c->file, "autostart",
			     "of '%s' is not carried over: what is wanted running is started",
			     c->name);
	r = name_check(c->name, t->err);
	return r < 0 ? error_prefix(t->err, "%s: containers", c->file) : 0;
}

/* Whether the file of a node is for this host. */
static bool is_here(const struct tree *t, const char *file)
{
	const char *name = strrchr(file, '/') + 1;
	size_t size = (size_t)(strrchr(name, '.') - name);

	return strlen(t->host) == size && strncmp(t->host, name, size) == 0;
}

/* Each agent has an image of its own: what its container's image, template and node say. */
static int add_container(const struct tree *t, struct container *c, json_t *agents,
			 json_t *images)
{
	const char *ensure = text_of(c->value, "ensure"), *state = text_of(c->value, "state");
	int r = check_keys(t, c);

	if (r < 0 || (r = lay_parts(t, c)) < 0)
		return r;
	if ((ensure && strcmp(ensure, "absent") == 0) || !is_here(t, c->file))
		return 0;
	lay_proxy(t, c);
	json_object_set_new(c->settings, "desired", json_string(state ? state : "running"));
	json_object_set_new(c->settings, "image", json_string(c->name));
	json_object_set(agents, c->name, c->settings);
	json_object_set_new(images, c->name,
			    json_pack("{s:s,s:O}", "builder", "overlay", "files", c->files));
	r = document_check_files(c->files, t->err);
	return r < 0 ? error_prefix(t->err, "%s: containers.%s", c->file, c->name) : 0;
}

static int make_document(const struct tree *t, json_t **ret)
{
	json_auto_t *agents = json_object(), *images = json_object();
	const char *name;
	json_t *entry;

	json_object_foreach (t->nodes, name, entry) {
		json_auto_t *settings = json_object(), *files = json_array();
		struct container c = {.name = name,
				      .file = text_of(entry, "file"),
				      .value = json_object_get(entry, "value"),
				      .settings = settings,
				      .files = files};
		int r = add_container(t, &c, agents, images);

		if (r < 0)
			return r;
	}
	*ret = json_pack("{s:i,s:s,s:O,s:O}", "version", 1, "hive", HIVE_NAME, "agents", agents,
			 "images", images);
	return 0;
}

/* The same part of a file is met once for each container that takes it. */
static void keep_once(json_t *notes)
{
	json_auto_t *seen = json_object();

	for (size_t i = 0; i < json_array_size(notes);) {
		const char *text = json_string_value(json_array_get(notes, i));

		if (json_object_get(seen, text)) {
			json_array_remove(notes, i);
			continue;
		}
		json_object_set_new(seen, text, json_true());
		i++;
	}
}

int chimera_read(const struct source *source, const char *host, json_t **ret_document,
		 json_t *notes, struct error *err)
{
	json_auto_t *images = json_object(), *profiles = json_object(),
		    *templates = json_object(), *nodes = json_object(), *document = NULL;
	struct tree t = {.source = source,
			 .host = host,
			 .images = images,
			 .profiles = profiles,
			 .templates = templates,
			 .nodes = nodes,
			 .notes = notes,
			 .err = err};
	int r;

	if ((r = read_all(&t, "images/", NULL, images)) == 0 &&
	    (r = read_all(&t, "profiles/", NULL, profiles)) == 0 &&
	    (r = read_all(&t, "cloud-init/", NULL, templates)) == 0 &&
	    (r = read_all(&t, "nodes/", "containers", nodes)) == 0 && (r = read_main(&t)) == 0)
		r = make_document(&t, &document);
	json_decref(t.proxy);
	if (r == 0 && json_object_size(nodes) == 0)
		r = error_set(err, ENOENT, "there are no containers below 'nodes/'");
	if (r == 0 && source->revision) {
		_cleanup_free_ char *text = str_format("git %s", source->revision);

		json_object_set_new(document, "source", json_string(text));
	}
	if (r == 0)
		r = document_check(document, err);
	if (r < 0)
		return r;
	keep_once(notes);
	*ret_document = TAKE_PTR(document);
	return 0;
}
