#include "model/document.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "model/builder.h"
#include "model/declare.h"
#include "model/driver.h"
#include "model/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATH_MAX_BYTES 512
#define PATH_MAX_DEPTH 16
#define SOURCE_MAX_BYTES 200

/* ---- the files of an image ---- */

static bool is_part(const char *part, size_t size)
{
	return size > 0 && size <= 255 && !(size == 1 && part[0] == '.') &&
	       !(size == 2 && memcmp(part, "..", 2) == 0) &&
	       !(size == 4 && strncasecmp(part, ".git", 4) == 0);
}

static bool is_path(const char *path)
{
	int depth = 0;

	if (strlen(path) > PATH_MAX_BYTES)
		return false;
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
			return false;
	for (;; path++) {
		size_t size = strcspn(path, "/");

		if (!is_part(path, size) || ++depth > PATH_MAX_DEPTH)
			return false;
		path += size;
		if (!*path)
			return true;
	}
}

/* A link that climbs higher than its own place is deep leads out. */
static bool leaves_tree(const char *path, const char *target)
{
	int depth = 0;

	if (target[0] == '/')
		return false; /* it is resolved inside the container */
	for (const char *p = path; (p = strchr(p, '/')); p++)
		depth++;
	while (*target) {
		size_t size = strcspn(target, "/");

		if (size == 2 && memcmp(target, "..", 2) == 0)
			depth--;
		else if (size > 0 && !(size == 1 && target[0] == '.'))
			depth++;
		if (depth < 0)
			return true;
		target += size + (target[size] == '/');
	}
	return false;
}

static int check_manifest(const char *data, struct error *err)
{
	struct manifest manifest;
	int r = manifest_parse(data, strlen(data), &manifest, err);

	if (r == 0)
		manifest_release(&manifest);
	return r;
}

static int check_file(const json_t *file, const char **ret_path, struct error *err)
{
	static const char *const keys[] = {"path", "data", "executable", "symlink", NULL};
	const char *path = NULL, *data = NULL;
	_cleanup_free_ char *shown = NULL;
	bool executable = false, symlink = false;
	int r;

	if (!json_is_object(file))
		return error_set(err, EINVAL, "a file must be an object");
	if ((r = json_only_keys(file, keys, "a file", err)) < 0 ||
	    (r = json_get_str(file, "path", true, &path, err)) < 0 ||
	    (r = json_get_str(file, "data", true, &data, err)) < 0 ||
	    (r = json_get_bool(file, "executable", false, &executable, err)) < 0 ||
	    (r = json_get_bool(file, "symlink", false, &symlink, err)) < 0)
		return r;
	shown = text_clean_dup(path, 200, false);
	if (!is_path(path))
		return error_set(err, EINVAL, "'%s' is no path inside an image", shown);
	if (symlink && (!data[0] || strlen(data) > PATH_MAX_BYTES || leaves_tree(path, data)))
		return error_set(err, EINVAL, "the symlink '%s' leads out of its image", shown);
	*ret_path = path;
	return strcmp(path, MANIFEST_PATH) == 0 ? check_manifest(data, err) : 0;
}

/* "a" and "a/b" cannot both be files. */
static int check_parents(const json_t *seen, const char *path, struct error *err)
{
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		_cleanup_free_ char *parent = str_dup_n(path, (size_t)(p - path));

		if (parent && json_object_get(seen, parent))
			return error_set(err, EINVAL, "'%s' is a file and has files below it",
					 parent);
	}
	return 0;
}

int document_check_files(const json_t *files, struct error *err)
{
	json_auto_t *seen = json_object();
	_cleanup_free_ char *text = NULL;
	const char *path = NULL;
	json_t *file, *value;
	size_t i;
	int r;

	if (json_array_size(files) > IMAGE_MAX_FILES)
		return error_set(err, E2BIG, "an image has more than %d files",
				 IMAGE_MAX_FILES);
	json_array_foreach (files, i, file) {
		r = check_file(file, &path, err);
		if (r < 0)
			return r;
		if (json_object_get(seen, path))
			return error_set(err, EEXIST, "the file '%s' is there twice", path);
		json_object_set_new(seen, path, json_true());
	}
	json_object_foreach (seen, path, value) {
		r = check_parents(seen, path, err);
		if (r < 0)
			return r;
	}
	text = json_line(files);
	if (text && strlen(text) > IMAGE_MAX_BYTES)
		return error_set(err, E2BIG, "an image has more than %u KiB",
				 IMAGE_MAX_BYTES >> 10);
	return 0;
}

/* ---- images and agents ---- */

static int check_image(const json_t *image, struct error *err)
{
	static const char *const keys[] = {"builder", "driver", "files", NULL};
	const char *builder = NULL, *driver = NULL;
	enum builder_kind builder_kind = BUILDER_OVERLAY;
	enum driver_kind driver_kind = DRIVER_NSPAWN;
	json_t *files = NULL;
	int r;

	if (!json_is_object(image))
		return error_set(err, EINVAL, "it must be an object");
	if ((r = declare_only_keys(image, "", keys, err)) < 0 ||
	    (r = json_get_str(image, "builder", false, &builder, err)) < 0 ||
	    (builder && (r = builder_kind_parse(builder, &builder_kind, err)) < 0) ||
	    (r = json_get_str(image, "driver", false, &driver, err)) < 0 ||
	    (driver && (r = driver_kind_parse(driver, &driver_kind, err)) < 0) ||
	    (r = json_get_array(image, "files", false, &files, err)) < 0)
		return r;
	return files ? document_check_files(files, err) : 0;
}

static int check_agent(const json_t *agent, const json_t *images, struct error *err)
{
	const char *keys[16] = {"image"}, *image = NULL;
	int r;

	for (size_t i = 0; declare_keys[i]; i++)
		keys[i + 1] = declare_keys[i];
	if (!json_is_object(agent))
		return error_set(err, EINVAL, "it must be an object");
	if ((r = declare_only_keys(agent, "", keys, err)) < 0 ||
	    (r = declare_check(agent, err)) < 0 ||
	    (r = json_get_str(agent, "image", false, &image, err)) < 0)
		return r;
	if (image && !json_object_get(images, image))
		return error_set(err, ENOENT, "there is no image '%.60s'", image);
	return 0;
}

static int check_agents(const json_t *agents, const json_t *images, struct error *err)
{
	const char *name;
	json_t *agent;
	int r;

	if (json_object_size(agents) > DOCUMENT_MAX_AGENTS)
		return error_set(err, E2BIG, "more than %d agents", DOCUMENT_MAX_AGENTS);
	json_object_foreach ((json_t *)agents, name, agent) {
		r = name_check(name, err);
		if (r == 0)
			r = check_agent(agent, images, err);
		if (r < 0)
			return error_prefix(err, "agent '%.40s'", name);
	}
	return 0;
}

static int check_images(const json_t *images, struct error *err)
{
	const char *name;
	json_t *image;
	int r;

	if (json_object_size(images) > DOCUMENT_MAX_IMAGES)
		return error_set(err, E2BIG, "more than %d images", DOCUMENT_MAX_IMAGES);
	json_object_foreach ((json_t *)images, name, image) {
		r = name_check_other("an image", name, err);
		if (r == 0)
			r = check_image(image, err);
		if (r < 0)
			return error_prefix(err, "image '%.40s'", name);
	}
	return 0;
}

int document_check(const json_t *document, struct error *err)
{
	static const char *const keys[] = {"version", "hive",   "source",
					   "agents",  "images", NULL};
	json_t *agents = NULL, *images = NULL;
	const char *hive = NULL, *source = NULL;
	int64_t version = 0;
	int r;

	if (!json_is_object(document))
		return error_set(err, EINVAL, "a declared hive must be an object");
	if ((r = declare_only_keys(document, "", keys, err)) < 0 ||
	    (r = json_get_int(document, "version", true, 1, 1, &version, err)) < 0 ||
	    (r = json_get_str(document, "hive", true, &hive, err)) < 0 ||
	    (r = declare_check_owner(hive, err)) < 0 ||
	    (r = json_get_str(document, "source", false, &source, err)) < 0 ||
	    (r = json_get_object(document, "agents", true, &agents, err)) < 0 ||
	    (r = json_get_object(document, "images", false, &images, err)) < 0 ||
	    (r = check_images(images, err)) < 0)
		return r;
	if (source && strlen(source) > SOURCE_MAX_BYTES)
		return error_set(err, E2BIG, "'source' has more than %d bytes",
				 SOURCE_MAX_BYTES);
	return check_agents(agents, images, err);
}
