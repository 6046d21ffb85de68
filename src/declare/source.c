#include "declare/source.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct source *source_new(void)
{
	return mem_new(1, sizeof(struct source));
}

void source_free(struct source *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_files; i++) {
		free(s->files[i].path);
		free(s->files[i].data);
	}
	free(s->files);
	free(s->revision);
	free(s);
}

DEFINE_CLEANUP(struct source *, source_free)

bool source_is_hidden(const char *path)
{
	return path[0] == '.';
}

int source_add(struct source *s, const char *path, const void *data, size_t size,
	       bool executable, bool symlink, struct error *err)
{
	_cleanup_free_ char *shown = text_clean_dup(path, 200, false);
	struct source_file *file;

	if (s->n_files >= SOURCE_MAX_FILES)
		return error_set(err, E2BIG, "'%s': there are more than %d files", shown,
				 SOURCE_MAX_FILES);
	if (size > SOURCE_MAX_FILE_BYTES)
		return error_set(err, E2BIG, "'%s' has more than %u KiB", shown,
				 SOURCE_MAX_FILE_BYTES >> 10);
	if (s->n_bytes + size > SOURCE_MAX_BYTES)
		return error_set(err, E2BIG, "'%s': the files have more than %u MiB in all",
				 shown, SOURCE_MAX_BYTES >> 20);
	if (!text_is_utf8(path, strlen(path)))
		return error_set(err, EINVAL, "the name of '%s' is not text", shown);
	s->files = mem_grow(s->files, s->n_files + 1, sizeof(*s->files));
	file = &s->files[s->n_files++];
	*file = (struct source_file){
		.path = str_dup(path),
		.data = mem_new(size + 1, 1),
		.size = size,
		.executable = executable,
		.symlink = symlink,
	};
	memcpy(file->data, data, size);
	s->n_bytes += size;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct source_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void source_finish(struct source *s)
{
	if (s->n_files > 0)
		qsort(s->files, s->n_files, sizeof(*s->files), compare);
}

size_t source_first(const struct source *s, const char *directory)
{
	size_t low = 0, high = s->n_files;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(s->files[middle].path, directory) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool source_is_below(const struct source *s, size_t index, const char *directory)
{
	return index < s->n_files &&
	       strncmp(s->files[index].path, directory, strlen(directory)) == 0;
}

const struct source_file *source_find(const struct source *s, const char *path)
{
	size_t i = source_first(s, path);

	return i < s->n_files && strcmp(s->files[i].path, path) == 0 ? &s->files[i] : NULL;
}

/* ---- a directory ---- */

static int read_dir(struct source *s, int dir_fd, const char *prefix, int depth,
		    struct error *err);

static int read_link(struct source *s, int dir_fd, const char *name, const char *path,
		     struct error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));

	if (n < 0)
		return error_set_errno(err, errno, "cannot read the link '%s'", path);
	if ((size_t)n == sizeof(target))
		return error_set(err, E2BIG, "the link '%s' is too long", path);
	return source_add(s, path, target, (size_t)n, false, true, err);
}

static int read_entry(struct source *s, int dir_fd, const char *name, const char *prefix,
		      int depth, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s%s", prefix, name);
	_cleanup_free_ char *below = str_format("%s/", path);
	_cleanup_buf_ struct buf data = {};
	struct stat st;
	int fd, r;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(err, errno, "cannot look at '%s'", path);
	if (S_ISLNK(st.st_mode))
		return read_link(s, dir_fd, name, path, err);
	if (S_ISDIR(st.st_mode)) {
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return error_set_errno(err, errno, "cannot open '%s'", path);
		return read_dir(s, fd, below, depth + 1, err);
	}
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "'%s' is neither a file nor a directory", path);
	r = file_read(dir_fd, name, SOURCE_MAX_FILE_BYTES, &data, err);
	return r < 0 ? r
		     : source_add(s, path, buf_str(&data), data.size, st.st_mode & 0111, false,
				  err);
}

/* Takes over dir_fd. */
static int read_dir(struct source *s, int dir_fd, const char *prefix, int depth,
		    struct error *err)
{
	_cleanup_closedir_ DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;

	if (!dir) {
		(void)close(dir_fd);
		return error_set_errno(err, errno, "cannot list '%s'", prefix);
	}
	if (depth > SOURCE_MAX_DEPTH)
		return error_set(err, E2BIG, "'%s' is more than %d directories deep", prefix,
				 SOURCE_MAX_DEPTH);
	while (errno = 0, (entry = readdir(dir))) {
		const char *name = entry->d_name;
		int r;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    (!prefix[0] && source_is_hidden(name)))
			continue;
		r = read_entry(s, dirfd(dir), name, prefix, depth, err);
		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(err, errno, "cannot list '%s'", prefix) : 0;
}

int source_read_dir(const char *path, struct source **ret, struct error *err)
{
	_cleanup_(source_freep) struct source *s = source_new();
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	r = read_dir(s, fd, "", 0, err);
	if (r < 0)
		return r;
	source_finish(s);
	*ret = TAKE_PTR(s);
	return 0;
}
