#include "host/mountinfo.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "ID PARENT MAJ:MIN ROOT POINT OPTIONS ..." */
bool mount_line_split(char *line, struct mount_line *ret)
{
	char *fields[6] = {}, *save = NULL;

	for (int i = 0; i < 6; i++, line = NULL)
		fields[i] = strtok_r(line, " ", &save);
	*ret = (struct mount_line){fields[2], fields[3], fields[4], fields[5]};
	return fields[5] != NULL;
}

/* Paths are written with space, tab, newline and backslash in octal. */
static char *escaped(const char *path)
{
	struct buf out = {};

	for (; *path; path++) {
		if (strchr(" \t\n\\", *path))
			buf_addf(&out, "\\%03o", (unsigned)(unsigned char)*path);
		else
			buf_add_char(&out, *path);
	}
	return buf_take(&out);
}

static size_t below(const char *path, const char *point)
{
	size_t size = strcmp(point, "/") == 0 ? 0 : strlen(point);

	return strncmp(path, point, size) == 0 && (path[size] == '/' || !path[size]) ? size + 1
										     : 0;
}

int mount_locate(const char *mountinfo, const char *path, char **ret_device, char **ret_dir)
{
	_cleanup_free_ char *copy = str_dup(mountinfo), *wanted = escaped(path);
	char *save = NULL, *device = NULL, *dir = NULL;
	size_t longest = 0;

	for (char *line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m;
		size_t size = mount_line_split(line, &m) ? below(wanted, m.point) : 0;

		if (size == 0 || size < longest)
			continue;
		longest = size;
		free(device);
		free(dir);
		device = str_dup(m.device);
		dir = str_format("%s%s", strcmp(m.root, "/") == 0 ? "" : m.root,
				 wanted + size - 1);
	}
	if (!device)
		return -ENOENT;
	*ret_device = device;
	*ret_dir = dir;
	return 0;
}
