/*
 * A bound directory that was removed and made again, or moved, stays what it was in a running
 * container: the mount names the old one. Seen by the device and the directory of it that is
 * mounted, which the container cannot change.
 */
#include "host/differ.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "host/mountinfo.h"

#include <string.h>

#define CLIENT_DIR "/run/hive/bin/" /* replaced by an update of skep: an old one works on */

/* Up to the next ':' that is not escaped, as nspawn reads it; *at moves behind it. */
static char *take_part(const char **at)
{
	struct buf part = {};

	for (; **at && **at != ':'; ++*at) {
		if (**at == '\\' && (*at)[1])
			++*at;
		buf_add_char(&part, **at);
	}
	if (**at)
		++*at;
	return buf_take(&part);
}

/* What is mounted at point, of all that is there the last one that is wanted, if any is: the
 * container itself can only cover it. */
struct found {
	bool any, right, read_only;
	char *root; /* of the last one */
};

static void look(const char *leaders, const char *point, const char *device, const char *dir,
		 struct found *ret)
{
	_cleanup_free_ char *copy = str_dup(leaders);
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m;

		bool right;

		if (!mount_line_split(line, &m) || strcmp(m.point, point) != 0)
			continue;
		right = !dir || (strcmp(m.device, device) == 0 && strcmp(m.root, dir) == 0);
		if (ret->right && (!right || !dir))
			continue;
		free(ret->root);
		ret->root = str_dup(m.root);
		ret->any = true;
		ret->right = right;
		ret->read_only = strncmp(m.options, "ro", 2) == 0;
	}
}

static void check(const char *own, const char *leaders, const char *arg, bool read_only,
		  json_t *list)
{
	_cleanup_free_ char *source = take_part(&arg), *point = take_part(&arg);
	_cleanup_free_ char *device = NULL, *dir = NULL, *field = str_format("bind %s", point);
	_cleanup_free_ char *want = str_format("%s%s", source, read_only ? ", read-only" : "");
	struct found found = {};

	if (strncmp(point, CLIENT_DIR, strlen(CLIENT_DIR)) == 0)
		return;
	/* what an agent brings for /usr is stacked over the machine's: another device */
	if (strcmp(point, "/usr") != 0 && mount_locate(own, source, &device, &dir) < 0)
		return;
	look(leaders, point, device, dir, &found);
	if (!found.any)
		differ_add(list, field, want, "nothing");
	else if (!found.right)
		differ_add(list, field, want, found.root);
	else if (read_only && !found.read_only)
		differ_add(list, field, want, "writable");
	free(found.root);
}

void differ_binds(const char *own, const char *leaders, char *const *argv, json_t *list)
{
	static const char rw[] = "--bind=", ro[] = "--bind-ro=";

	for (; *argv; argv++) {
		if (strncmp(*argv, rw, strlen(rw)) == 0)
			check(own, leaders, *argv + strlen(rw), false, list);
		else if (strncmp(*argv, ro, strlen(ro)) == 0)
			check(own, leaders, *argv + strlen(ro), true, list);
	}
}
