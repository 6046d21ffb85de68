/* A declared hive for a test: files from a table, read as a source would have read them. */
#pragma once

#include "unit.h"

#include "base/buf.h"
#include "declare/files.h"

#include <jansson.h>

struct unit_file {
	const char *path, *data; /* a symlink where data begins with "-> " */
};

/* The files of a table that ends with a NULL path. */
static inline struct source *unit_source(const struct unit_file *files)
{
	struct source *s = source_new();

	for (; files->path; files++) {
		bool symlink = strncmp(files->data, "-> ", 3) == 0;
		const char *data = files->data + (symlink ? 3 : 0);

		assert_int_equal(source_add(s, files->path, data, strlen(data), false, symlink,
					    NULL),
				 0);
	}
	source_finish(s);
	return s;
}

/* What they declare on a host; a failure's text goes to err. */
static inline int unit_read(const struct unit_file *files, const char *host, json_t **ret,
			    struct error *err)
{
	struct source *s = unit_source(files);
	int r = files_read(s, host, ret, err);

	source_free(s);
	return r;
}
