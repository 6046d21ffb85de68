#include "control/template.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 256
#define FILE_MAX_BYTES (256 << 10)
#define DEPTH_MAX 16
#define PLACEHOLDER "@NAME@"

struct reader {
	const char *agent;
	json_t *files;
	struct error *err;
};

static int read_dir(struct reader *t, int dir_fd, const char *prefix, int depth);

static char *fill_in(const char *text, const char *agent)
{
	struct buf out = {};

	for (const char *at; (at = strstr(text, PLACEHOLDER));
	     text = at + strlen(PLACEHOLDER)) {
		buf_add(&out, text, (size_t)(at - text));
		buf_add_str(&out, agent);
	}
	buf_add_str(&out, text);
	return buf_take(&out);
}

static int add_file(struct reader *t, int dir_fd, const char *name, const char *path,
		    mode_t mode)
{
	_cleanup_buf_ struct buf data = {};
	_cleanup_free_ char *filled = NULL;
	char target[PATH_MAX] = "";
	json_t *file;
	int r;

	if (json_array_size(t->files) >= FILES_MAX)
		return error_set(t->err, E2BIG, "the template has more than %d files",
				 FILES_MAX);
	if (S_ISLNK(mode)) {
		ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

		if (n < 0)
			return error_set_errno(t->err, errno, "cannot read link '%s'", path);
		target[n] = '\0';
		buf_add_str(&data, target);
	} else {
		r = file_read(dir_fd, name, FILE_MAX_BYTES, &data, t->err);
		if (r < 0)
			return r;
	}
	if (!text_is_utf8(buf_str(&data), data.size) || strlen(buf_str(&data)) != data.size)
		return error_set(t->err, EINVAL, "template file '%s' is not text", path);
	filled = fill_in(buf_str(&data), t->agent);
	file = json_pack("{s:s,s:s}", "path", path, "data", filled);
	if (S_ISLNK(mode))
		json_object_set_new(file, "symlink", json_true());
	else if (mode & 0111)
		json_object_set_new(file, "executable", json_true());
	json_array_append_new(t->files, file);
	return 0;
}

static int add_entry(struct reader *t, int dir_fd, const char *name, const char *prefix,
		     int depth)
{
	_cleanup_free_ char *path = str_format("%s%s%s", prefix, prefix[0] ? "/" : "", name);
	struct stat st;
	int fd;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(t->err, errno, "cannot look at template '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return add_file(t, dir_fd, name, path, st.st_mode);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(t->err, errno, "cannot open template '%s'", path);
	return read_dir(t, fd, path, depth + 1);
}

/* Takes over dir_fd. */
static int read_dir(struct reader *t, int dir_fd, const char *prefix, int depth)
{
	_cleanup_closedir_ DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;

	if (!dir || depth > DEPTH_MAX) {
		if (!dir)
			(void)close(dir_fd);
		return error_set(t->err, ELOOP, "cannot read template directory '%s'", prefix);
	}
	while (errno = 0, (entry = readdir(dir))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = add_entry(t, dirfd(dir), entry->d_name, prefix, depth);
		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(t->err, errno, "cannot list template '%s'", prefix) : 0;
}

static int read_template(const struct hive *hive, const struct settings *settings, json_t **ret,
			 struct error *err)
{
	const char *agent = settings->name;
	_cleanup_free_ char *name = str_format("%s/%s", builder_kind_name(settings->builder),
					       name_is_manager(agent) ? "manager" : "agent");
	_cleanup_free_ char *dir = str_format("%s/%s", hive->config->templates_dir, name);
	struct reader t = {.agent = agent, .files = json_array(), .err = err};
	bool opened = hive->templates_fd >= 0;
	int fd = openat(opened ? hive->templates_fd : AT_FDCWD, opened ? name : dir,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		r = error_set_errno(err, errno, "cannot open the template '%s'", dir);
	else
		r = read_dir(&t, fd, "", 0);
	if (r == 0 && json_array_size(t.files) == 0)
		r = error_set(err, ENOENT, "the template '%s' is empty", dir);
	if (r < 0) {
		json_decref(t.files);
		return r;
	}
	*ret = t.files;
	return 0;
}

static bool has_file(const json_t *files, const char *path)
{
	json_t *file;
	size_t i;

	json_array_foreach (files, i, file)
		if (strcmp(json_string_value(json_object_get(file, "path")), path) == 0)
			return true;
	return false;
}

/* An image's files, filled in; those of the template that it has are left out of that. */
static json_t *lay_image(const json_t *image, const char *agent, const json_t *below)
{
	json_t *files = json_array(), *file;
	size_t i;

	json_array_foreach (image, i, file) {
		_cleanup_free_ char *data =
			fill_in(json_string_value(json_object_get(file, "data")), agent);
		json_t *filled = json_copy(file);

		json_object_set_new(filled, "data", json_string(data));
		json_array_append_new(files, filled);
	}
	json_array_foreach (below, i, file)
		if (!has_file(image, json_string_value(json_object_get(file, "path"))))
			json_array_append(files, file);
	return files;
}

int template_read(const struct hive *hive, const struct settings *settings, const json_t *image,
		  json_t **ret, struct error *err)
{
	json_auto_t *below = NULL;
	int r = 0;

	if (!image)
		return read_template(hive, settings, ret, err);
	if (settings->builder == BUILDER_NIX)
		r = read_template(hive, settings, &below, err);
	if (r == 0)
		*ret = lay_image(image, settings->name, below);
	return r;
}
