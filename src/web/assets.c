#include "web/assets.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define MANIFEST_MAX (256 << 10)
#define FILES_MAX 256
#define BYTES_MAX ((size_t)16 << 20)
#define PATH_MAX_BYTES 200

struct assets {
	struct asset *list;
	size_t n, bytes;
};

/* Tells versions of one file apart; nobody gains by a collision but the author of both. */
static void set_etag(struct asset_body *body)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < body->size; i++)
		hash = (hash ^ (unsigned char)body->data[i]) * 1099511628211u;
	(void)snprintf(body->etag, sizeof(body->etag), "\"%016llx-%zx%s%s\"",
		       (unsigned long long)hash, body->size, body->encoding ? "-" : "",
		       body->encoding ? body->encoding : "");
}

static int add_body(struct assets *assets, struct asset *asset, int dir_fd, const char *file,
		    const char *encoding, const char *suffix, struct error *err)
{
	_cleanup_free_ char *name = str_format("%s%s", file, suffix);
	_cleanup_buf_ struct buf data = {};
	struct asset_body *body = &asset->bodies[asset->n_bodies];
	_cleanup_close_ int fd = file_open_beneath(dir_fd, name, O_RDONLY, err);
	int r;

	if (fd < 0)
		return fd;
	r = file_read(dir_fd, name, BYTES_MAX, &data, err);
	if (r < 0)
		return r;
	assets->bytes += data.size;
	if (assets->bytes > BYTES_MAX)
		return error_set(err, E2BIG,
				 "the dashboard's files have more than %zu bytes in all",
				 BYTES_MAX);
	body->encoding = encoding;
	body->size = data.size;
	body->data = buf_take(&data);
	set_etag(body);
	asset->n_bodies++;
	return 0;
}

static int add_encodings(struct assets *assets, struct asset *asset, int dir_fd,
			 const char *file, const json_t *encodings, struct error *err)
{
	static const struct {
		const char *name, *suffix;
	} known[ASSET_BODIES - 1] = {{"br", ".br"}, {"gzip", ".gz"}};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known) && r == 0; i++)
		if (json_holds(encodings, known[i].name))
			r = add_body(assets, asset, dir_fd, file, known[i].name,
				     known[i].suffix, err);
	return r;
}

static int add_asset(struct assets *assets, int dir_fd, const json_t *entry, struct error *err)
{
	struct asset *asset = &assets->list[assets->n];
	const char *path = NULL, *file = NULL, *type = NULL;
	json_t *encodings = NULL;
	int r;

	if (!json_is_object(entry))
		return error_set(err, EINVAL, "an entry is not an object");
	if ((r = json_get_str(entry, "path", true, &path, err)) < 0 ||
	    (r = json_get_str(entry, "file", true, &file, err)) < 0 ||
	    (r = json_get_str(entry, "type", true, &type, err)) < 0 ||
	    (r = json_get_array(entry, "encodings", false, &encodings, err)) < 0)
		return r;
	if (strlen(path) > PATH_MAX_BYTES ||
	    (strcmp(path, "/") != 0 && strncmp(path, "/static/", 8) != 0))
		return error_set(err, EINVAL, "'%.100s' is neither '/' nor below /static/",
				 path);
	if (assets_find(assets, path))
		return error_set(err, EEXIST, "'%s' is there twice", path);
	if (strpbrk(type, "\r\n"))
		return error_set(err, EINVAL, "'%s' has a type of two lines", path);
	asset->path = str_dup(path);
	asset->type = str_dup(type);
	asset->immutable = strcmp(path, "/") != 0;
	assets->n++;
	r = add_body(assets, asset, dir_fd, file, NULL, "", err);
	return r < 0 ? r : add_encodings(assets, asset, dir_fd, file, encodings, err);
}

static int load(struct assets *assets, int dir_fd, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	json_t *manifest = NULL, *entry;
	size_t i;
	int r = file_read(dir_fd, "manifest.json", MANIFEST_MAX, &text, err);

	if (r < 0)
		return r;
	r = json_parse(buf_str(&text), text.size, &manifest, err);
	if (r == 0 && (!json_is_array(manifest) || json_array_size(manifest) > FILES_MAX))
		r = error_set(err, EINVAL, "it is not a list of at most %d files", FILES_MAX);
	if (r == 0)
		assets->list = mem_new(json_array_size(manifest) + 1, sizeof(*assets->list));
	json_array_foreach (manifest, i, entry)
		if (r == 0)
			r = add_asset(assets, dir_fd, entry, err);
	json_decref(manifest);
	return r;
}

int assets_load(const char *dir, struct assets **ret, struct error *err)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct assets *assets;
	int r;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", dir);
	assets = mem_new(1, sizeof(*assets));
	r = load(assets, fd, err);
	if (r < 0) {
		assets_free(assets);
		return error_prefix(err, "%s/manifest.json", dir);
	}
	*ret = assets;
	return 0;
}

void assets_free(struct assets *assets)
{
	if (!assets)
		return;
	for (size_t i = 0; i < assets->n; i++) {
		struct asset *asset = &assets->list[i];

		for (size_t b = 0; b < asset->n_bodies; b++)
			free(asset->bodies[b].data);
		free(asset->path);
		free(asset->type);
	}
	free(assets->list);
	free(assets);
}

const struct asset *assets_find(const struct assets *assets, const char *path)
{
	for (size_t i = 0; assets && i < assets->n; i++)
		if (strcmp(assets->list[i].path, path) == 0)
			return &assets->list[i];
	return NULL;
}

/* Whether the list names the coding, and not with a weight of nothing. */
static bool accepts(const char *accept, const char *encoding)
{
	size_t n = strlen(encoding);

	while (accept && *accept) {
		size_t size = strcspn(accept, ",");
		size_t word;

		while (size > 0 && (*accept == ' ' || *accept == '\t')) {
			accept++;
			size--;
		}
		word = strcspn(accept, ",; \t");
		if (word == n && strncasecmp(accept, encoding, n) == 0) {
			const char *q = memmem(accept, size, "q=0", 3);

			return !q || strspn(q + 2, "0.") != strcspn(q + 2, ", \t;");
		}
		accept += size;
		accept += *accept == ',';
	}
	return false;
}

const struct asset_body *asset_choose(const struct asset *asset, const char *accept)
{
	const struct asset_body *best = &asset->bodies[0];

	for (size_t i = 1; i < asset->n_bodies; i++)
		if (accepts(accept, asset->bodies[i].encoding) &&
		    asset->bodies[i].size < best->size)
			best = &asset->bodies[i];
	return best;
}

bool asset_is_known(const struct asset_body *body, const char *if_none_match)
{
	return if_none_match && strstr(if_none_match, body->etag) != NULL;
}
