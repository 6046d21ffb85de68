#include "host/environment.h"

#include "base/buf.h"

#include <stdlib.h>

/* What systemd gives its services, and where a container finds the client. */
#define SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/hive/bin"

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
	add(&out, "PATH=" SEARCH_PATH); /* the agent's own wish comes later and wins */
	for (char **e = spec->env; e && *e; e++)
		add(&out, *e);
	add_own(&out, str_format("HIVE_PORT=%u", spec->port));
	add_own(&out, str_format("HIVE_LABEL=%s", spec->label));
	add_own(&out, str_format("HIVE_DASHBOARD_PORT=%u", spec->dashboard_port));
	return buf_take(&out);
}
