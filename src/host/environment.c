#include "host/environment.h"

#include "base/buf.h"

#include <stdlib.h>

/* Quoted as one word; '%' would begin a specifier. spec_parse() let no control characters pass.
 */
static void add(struct buf *out, const char *entry)
{
	buf_add_str(out, "DefaultEnvironment=\"");
	for (const char *c = entry; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_add_char(out, '\\');
		if (*c == '%')
			buf_add_char(out, '%');
		buf_add_char(out, *c);
	}
	buf_add_str(out, "\"\n");
}

static void add_own(struct buf *out, char *entry)
{
	add(out, entry);
	free(entry);
}

char *environment_render(const struct container_spec *spec)
{
	struct buf out = {};

	buf_add_str(&out, "[Manager]\n");
	for (char **e = spec->env; e && *e; e++)
		add(&out, *e);
	add_own(&out, str_format("HIVE_PORT=%u", spec->port));
	add_own(&out, str_format("HIVE_LABEL=%s", spec->label));
	add_own(&out, str_format("HIVE_DASHBOARD_PORT=%u", spec->dashboard_port));
	return buf_take(&out);
}
