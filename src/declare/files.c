#include "declare/files.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "model/declare.h"
#include "model/document.h"
#include "model/names.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define HIVE_FILE "hive.json"
#define INCLUDE_MAX 64
#define INCLUDE_MAX_DEPTH 8
#define PROFILES_MAX 32

struct reader {
	const struct source *source;
	const char *host;
	json_t *places;   /* directories read, "" the first */
	json_t *agents;   /* name -> {"file","value"} */
	json_t *profiles; /* the same */
	json_t *images;   /* the same, with "place" */
	json_t *hive;     /* hive.json of the top */
	struct error *err;
};

static const char *field(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- one file ---- */

static int read_object(const struct reader *r, const char *path, json_t **ret)
{
	const struct source_file *file = source_find(r->source, path);
	json_t *value = NULL;
	int e;

	if (!file)
		return error_set(r->err, ENOENT, "there is no '%s'", path);
	if (file->symlink)
		return error_set(r->err, ELOOP, "%s: it is a symlink, which is not followed",
				 path);
	e = json_parse(file->data, file->size, &value, r->err);
	if (e == 0 && !json_is_object(value)) {
		json_decref(value);
		e = error_set(r->err, EINVAL, "it must be an object");
	}
	if (e < 0)
		return error_prefix(r->err, "%s", path);
	*ret = value;
	return 0;
}

/* A list of at most max strings that each pass check. */
static int check_strings(const json_t *object, const char *key, size_t max,
			 int (*check)(const char *, struct error *), struct error *err)
{
	json_t *list = NULL, *value;
	size_t i;
	int r = json_get_array(object, key, false, &list, err);

	if (r == 0 && json_array_size(list) > max)
		return error_set(err, E2BIG, "'%s' has more than %zu", key, max);
	json_array_foreach (list, i, value) {
		if (r == 0 && !json_is_string(value))
			r = error_set(err, EINVAL, "'%s' must hold strings only", key);
		else if (r == 0 && check && check(json_string_value(value), err) < 0)
			r = error_prefix(err, "'%s'", key);
	}
	return r;
}

static int check_pattern(const char *pattern, struct error *err)
{
	_cleanup_free_ char *shown = text_clean_dup(pattern, 80, false);

	if (pattern[0] && strlen(pattern) <= 255)
		return 0;
	return error_set(err, EINVAL, "'%s' is no pattern for the name of a host", shown);
}

static int check_profile_name(const char *name, struct error *err)
{
	return name_check_other("a profile", name, err);
}

static bool matches(const char *pattern, const char *host)
{
	return fnmatch(pattern, host, FNM_NOESCAPE) == 0;
}

/* Whether a file is for this host: it names none, or one that matches. */
static bool is_here(const struct reader *r, const json_t *object)
{
	json_t *hosts = json_object_get(object, "hosts"), *value;
	size_t i;

	json_array_foreach (hosts, i, value)
		if (matches(json_string_value(value), r->host))
			return true;
	return !json_is_array(hosts);
}

/* ---- agents, profiles and images ---- */

static int check_agent(const json_t *object, struct error *err)
{
	static const char *const own[] = {"image", "profiles", "hosts"};
	const char *keys[16] = {}, *image = NULL;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		keys[n++] = own[i];
	for (size_t i = 0; declare_keys[i]; i++)
		keys[n++] = declare_keys[i];
	if ((r = declare_only_keys(object, "", keys, err)) < 0 ||
	    (r = json_get_str(object, "image", false, &image, err)) < 0 ||
	    (image && name_check_other("an image", image, err) < 0 &&
	     (r = error_prefix(err, "'image'")) < 0) ||
	    (r = check_strings(object, "profiles", PROFILES_MAX, check_profile_name, err)) <
		    0 ||
	    (r = check_strings(object, "hosts", 256, check_pattern, err)) < 0)
		return r;
	return declare_check(object, err);
}

static int check_profile(const json_t *object, struct error *err)
{
	int r = declare_only_keys(object, "", declare_keys, err);

	return r < 0 ? r : declare_check(object, err);
}

static int check_image(const json_t *object, struct error *err)
{
	static const char *const keys[] = {"builder", "driver", "files", NULL};
	const char *builder = NULL, *driver = NULL, *files = NULL;
	enum builder_kind builder_kind = BUILDER_OVERLAY;
	enum driver_kind driver_kind = DRIVER_NSPAWN;
	int r;

	if ((r = declare_only_keys(object, "", keys, err)) < 0 ||
	    (r = json_get_str(object, "builder", false, &builder, err)) < 0 ||
	    (builder && (r = builder_kind_parse(builder, &builder_kind, err)) < 0) ||
	    (r = json_get_str(object, "driver", false, &driver, err)) < 0 ||
	    (driver && (r = driver_kind_parse(driver, &driver_kind, err)) < 0) ||
	    (r = json_get_str(object, "files", false, &files, err)) < 0)
		return r;
	r = files ? name_check_other("a directory beside it", files, err) : 0;
	return r < 0 ? error_prefix(err, "'files'") : 0;
}

struct kind {
	const char *directory, *word;
	int (*check)(const json_t *object, struct error *err);
};

static const struct kind agent_kind = {"agents/", "an agent", check_agent};
static const struct kind profile_kind = {"profiles/", "a profile", check_profile};
static const struct kind image_kind = {"images/", "an image", check_image};

static int add(struct reader *r, const struct kind *kind, json_t *into, const char *place,
	       const char *path, const char *name)
{
	json_auto_t *value = NULL;
	const char *other;
	int e = kind == &agent_kind ? name_check(name, r->err)
				    : name_check_other(kind->word, name, r->err);

	if (e < 0)
		return error_prefix(r->err, "%s: the name of the file", path);
	other = json_string_value(json_object_get(json_object_get(into, name), "file"));
	if (other)
		return error_set(r->err, EEXIST, "%s: there is %s '%s' in %s already", path,
				 kind->word, name, other);
	e = read_object(r, path, &value);
	if (e < 0)
		return e;
	e = kind->check(value, r->err);
	if (e < 0)
		return error_prefix(r->err, "%s", path);
	json_object_set_new(into, name,
			    json_pack("{s:s,s:s,s:O}", "file", path, "place", place, "value",
				      value));
	return 0;
}

/* Every NAME.json of one directory; what else is in it is looked at where it is named. */
static int add_all(struct reader *r, const struct kind *kind, json_t *into, const char *place)
{
	_cleanup_free_ char *directory = str_format("%s%s", place, kind->directory);
	size_t i = source_first(r->source, directory);

	for (; source_is_below(r->source, i, directory); i++) {
		const char *path = r->source->files[i].path, *name = path + strlen(directory);
		size_t size = strlen(name);
		_cleanup_free_ char *stem = NULL;
		int e;

		if (strchr(name, '/') && kind == &image_kind)
			continue;
		if (strchr(name, '/') || size < 6 || strcmp(name + size - 5, ".json") != 0)
			return error_set(r->err, EINVAL, "%s: only NAME.json belongs in %s",
					 path, directory);
		stem = str_dup_n(name, size - 5);
		e = add(r, kind, into, place, path, stem);
		if (e < 0)
			return e;
	}
	return 0;
}

/* ---- hive.json and what it includes ---- */

static int check_host(const char *pattern, const json_t *value, struct error *err)
{
	static const char *const keys[] = {"profiles", NULL};
	_cleanup_free_ char *shown = text_clean_dup(pattern, 80, false);
	int r;

	if (!json_is_object(value))
		return error_set(err, EINVAL, "'hosts.%s' must be an object", shown);
	if ((r = check_pattern(pattern, err)) == 0 &&
	    (r = declare_only_keys(value, "", keys, err)) == 0)
		r = check_strings(value, "profiles", PROFILES_MAX, check_profile_name, err);
	return r < 0 ? error_prefix(err, "'hosts.%s'", shown) : 0;
}

static int check_include(const char *path, struct error *err)
{
	_cleanup_free_ char *shown = text_clean_dup(path, 80, false);
	size_t size = strlen(path);
	const char *at = path;

	while (*at) {
		size_t part = strcspn(at, "/");

		if (part == 0 || at[0] == '.')
			break;
		at += part;
		if (*at == '/' && at[1])
			at++;
	}
	if (size > 0 && size <= 255 && !*at)
		return 0;
	return error_set(err, EINVAL, "'%s' is no directory inside this one", shown);
}

static int check_hive(const json_t *hive, bool is_top, struct error *err)
{
	static const char *const top[] = {"name",     "description", "include",
					  "profiles", "hosts",       NULL};
	static const char *const below[] = {"description", "include", NULL};
	const char *name = NULL, *description = NULL, *pattern;
	json_t *hosts = NULL, *value;
	int r;

	if ((r = declare_only_keys(hive, "", is_top ? top : below, err)) < 0 ||
	    (r = json_get_str(hive, "name", is_top, &name, err)) < 0 ||
	    (name && (r = declare_check_owner(name, err)) < 0) ||
	    (r = json_get_str(hive, "description", false, &description, err)) < 0 ||
	    (r = check_strings(hive, "include", INCLUDE_MAX, check_include, err)) < 0 ||
	    (r = check_strings(hive, "profiles", PROFILES_MAX, check_profile_name, err)) < 0 ||
	    (r = json_get_object(hive, "hosts", false, &hosts, err)) < 0)
		return r;
	json_object_foreach (hosts, pattern, value)
		if (r == 0)
			r = check_host(pattern, value, err);
	return r;
}

static int read_place(struct reader *r, const char *place, int depth);

static int read_includes(struct reader *r, const json_t *hive, const char *path,
			 const char *place, int depth)
{
	json_t *value;
	size_t i;
	int e = 0;

	json_array_foreach (json_object_get(hive, "include"), i, value) {
		_cleanup_free_ char *below =
			str_format("%s%s/", place, json_string_value(value));

		if (!source_is_below(r->source, source_first(r->source, below), below))
			return error_set(r->err, ENOENT, "%s: there is nothing in '%s'", path,
					 below);
		e = read_place(r, below, depth + 1);
		if (e < 0)
			return e;
	}
	return e;
}

/* A directory that is included twice is read once. */
static int read_place(struct reader *r, const char *place, int depth)
{
	_cleanup_free_ char *path = str_format("%s" HIVE_FILE, place);
	json_auto_t *hive = NULL;
	int e = 0;

	if (json_object_get(r->places, place))
		return 0;
	if (depth > INCLUDE_MAX_DEPTH || json_object_size(r->places) > INCLUDE_MAX)
		return error_set(r->err, E2BIG,
				 "%s: more than %d includes, or %d within each other", place,
				 INCLUDE_MAX, INCLUDE_MAX_DEPTH);
	json_object_set_new(r->places, place, json_true());
	if (depth == 0 || source_find(r->source, path)) {
		e = read_object(r, path, &hive);
		if (e == 0 && check_hive(hive, depth == 0, r->err) < 0)
			e = error_prefix(r->err, "%s", path);
	}
	if (e < 0 || (e = add_all(r, &profile_kind, r->profiles, place)) < 0 ||
	    (e = add_all(r, &image_kind, r->images, place)) < 0 ||
	    (e = add_all(r, &agent_kind, r->agents, place)) < 0)
		return e;
	if (depth == 0)
		r->hive = json_incref(hive);
	return hive ? read_includes(r, hive, path, place, depth) : 0;
}

/* ---- the document ---- */

static int lay_profiles(struct reader *r, json_t *into, const json_t *object, const char *path)
{
	json_t *value;
	size_t i;

	json_array_foreach (json_object_get(object, "profiles"), i, value) {
		const char *name = json_string_value(value);
		json_t *profile = json_object_get(r->profiles, name);

		if (!profile)
			return error_set(r->err, ENOENT,
					 "%s: 'profiles': there is no profile '%s'", path,
					 name);
		declare_merge(into, json_object_get(profile, "value"));
	}
	return 0;
}

/* Those of every agent, of this host, the agent's own, then what it says itself. */
static int merge_agent(struct reader *r, const json_t *entry, json_t **ret)
{
	const char *path = field(entry, "file"), *pattern;
	const json_t *object = json_object_get(entry, "value");
	json_auto_t *merged = json_object();
	json_t *value, *image = json_object_get(object, "image");
	int e = lay_profiles(r, merged, r->hive, HIVE_FILE);

	json_object_foreach (json_object_get(r->hive, "hosts"), pattern, value)
		if (e == 0 && matches(pattern, r->host))
			e = lay_profiles(r, merged, value, HIVE_FILE);
	if (e == 0)
		e = lay_profiles(r, merged, object, path);
	if (e < 0)
		return e;
	declare_merge(merged, object);
	if (json_is_string(image)) {
		if (!json_object_get(r->images, json_string_value(image)))
			return error_set(r->err, ENOENT, "%s: 'image': there is no image '%s'",
					 path, json_string_value(image));
		json_object_set(merged, "image", image);
	}
	if (json_object_size(json_object_get(merged, "labels")) >= LABELS_MAX)
		return error_set(r->err, E2BIG, "%s: 'labels': with its profiles more than %d",
				 path, LABELS_MAX - 1);
	*ret = TAKE_PTR(merged);
	return 0;
}

static int read_image_file(const struct reader *r, const struct source_file *file,
			   const char *name, json_t *files)
{
	json_t *entry = json_pack("{s:s,s:s#}", "path", name, "data", file->data, file->size);

	if (!entry || strlen(file->data) != file->size) {
		json_decref(entry);
		return error_set(r->err, EINVAL, "%s: it is not text", file->path);
	}
	if (file->symlink)
		json_object_set_new(entry, "symlink", json_true());
	else if (file->executable)
		json_object_set_new(entry, "executable", json_true());
	json_array_append_new(files, entry);
	return 0;
}

/* images/NAME.json and the files in images/NAME/, or in the directory it names. */
static int read_image(struct reader *r, const char *name, const json_t *entry, json_t **ret)
{
	const char *path = field(entry, "file");
	const char *place = field(entry, "place");
	const json_t *object = json_object_get(entry, "value");
	const char *files_name = field(object, "files");
	_cleanup_free_ char *directory =
		str_format("%simages/%s/", place, files_name ? files_name : name);
	json_auto_t *image = json_deep_copy(object), *files = json_array();
	size_t i = source_first(r->source, directory);
	int e = 0;

	for (; e == 0 && source_is_below(r->source, i, directory); i++)
		e = read_image_file(r, &r->source->files[i],
				    r->source->files[i].path + strlen(directory), files);
	if (e < 0)
		return e;
	if (files_name && json_array_size(files) == 0)
		return error_set(r->err, ENOENT, "%s: 'files': there is nothing in '%s'", path,
				 directory);
	if (document_check_files(files, r->err) < 0)
		return error_prefix(r->err, "%s", directory);
	json_object_del(image, "files");
	if (json_array_size(files) > 0)
		json_object_set(image, "files", files);
	*ret = TAKE_PTR(image);
	return 0;
}

static int make_document(struct reader *r, json_t **ret)
{
	json_auto_t *agents = json_object(), *images = json_object(), *used = json_object(),
		    *document = NULL;
	const char *name;
	json_t *entry;

	json_object_foreach (r->agents, name, entry) {
		json_auto_t *merged = NULL;
		int e = merge_agent(r, entry, &merged);

		if (e < 0)
			return e;
		if (!is_here(r, json_object_get(entry, "value")))
			continue;
		json_object_set(agents, name, merged);
		if (json_object_get(merged, "image"))
			json_object_set_new(used, field(merged, "image"), json_true());
	}
	json_object_foreach (r->images, name, entry) {
		json_auto_t *image = NULL;
		int e = read_image(r, name, entry, &image);

		if (e < 0)
			return e;
		if (json_object_get(used, name))
			json_object_set(images, name, image);
	}
	document =
		json_pack("{s:i,s:O,s:O,s:O}", "version", 1, "hive",
			  json_object_get(r->hive, "name"), "agents", agents, "images", images);
	if (r->source->revision) {
		_cleanup_free_ char *text = str_format("git %s", r->source->revision);

		json_object_set_new(document, "source", json_string(text));
	}
	*ret = TAKE_PTR(document);
	return 0;
}

int files_read(const struct source *source, const char *host, json_t **ret_document,
	       struct error *err)
{
	json_auto_t *places = json_object(), *agents = json_object(), *profiles = json_object(),
		    *images = json_object(), *document = NULL;
	struct reader r = {.source = source,
			   .host = host,
			   .places = places,
			   .agents = agents,
			   .profiles = profiles,
			   .images = images,
			   .err = err};
	int e = read_place(&r, "", 0);

	if (e == 0)
		e = make_document(&r, &document);
	json_decref(r.hive);
	if (e == 0)
		e = document_check(document, err);
	if (e < 0)
		return e;
	*ret_document = TAKE_PTR(document);
	return 0;
}
