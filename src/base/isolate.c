#include "base/isolate.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#define TEXT_MAX (1 << 20)

/* The first word of a line is the device, below a heading. */
static bool ipv4_is_alone(const char *text)
{
	const char *line = strchr(text, '\n');

	if (!line || strncmp(text, "Iface", 5) != 0)
		return false;
	for (line++; *line; line++) {
		if (strncmp(line, "lo\t", 3) != 0)
			return false;
		line = strchr(line, '\n');
		if (!line)
			return false;
	}
	return true;
}

/* The last word of a line is the device. */
static bool ipv6_is_alone(const char *text)
{
	for (const char *end; *text; text = end + 1) {
		end = strchr(text, '\n');
		if (!end || end - text < 3 || strncmp(end - 3, " lo", 3) != 0)
			return false;
	}
	return true;
}

bool isolate_is_alone(const char *route, const char *ipv6_route)
{
	return ipv4_is_alone(route) && ipv6_is_alone(ipv6_route);
}

static bool is_alone(void)
{
	_cleanup_buf_ struct buf route = {}, ipv6_route = {};
	int r = file_read(AT_FDCWD, "/proc/self/net/ipv6_route", TEXT_MAX, &ipv6_route, NULL);

	return (r == 0 || r == -ENOENT) &&
	       file_read(AT_FDCWD, "/proc/self/net/route", TEXT_MAX, &route, NULL) == 0 &&
	       isolate_is_alone(buf_str(&route), buf_str(&ipv6_route));
}

int isolate(int namespaces, struct error *err)
{
	int r = unshare(namespaces) < 0 ? -errno : 0;

	if (r == 0 || (r == -EPERM && is_alone()))
		return 0;
	return error_set_errno(err, r, "cannot leave the machine's network");
}
