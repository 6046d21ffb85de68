#include "web/site.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_authority(const char *host)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.:[]";

	return host[0] && strspn(host, allowed) == strlen(host);
}

int site_add_origin(struct site *site, const char *origin, struct error *err)
{
	bool tls = strncmp(origin, "https://", 8) == 0;
	bool plain = strncmp(origin, "http://", 7) == 0;
	struct site_name *name = &site->names[site->n];

	if ((!tls && !plain) || !is_authority(origin + (tls ? 8 : 7)) ||
	    strlen(origin) >= sizeof(name->origin))
		return error_set(
			err, EINVAL,
			"'%.100s' is not an origin: http:// or https://, a name in lower case, "
			"a port unless it is the usual one, and no path",
			origin);
	if (site->n == SITE_MAX)
		return error_set(err, E2BIG, "more than %d origins", SITE_MAX);
	(void)snprintf(name->origin, sizeof(name->origin), "%s", origin);
	name->host = name->origin + (tls ? 8 : 7);
	name->tls = tls;
	site->n++;
	return 0;
}

int site_add_port(struct site *site, uint16_t port, struct error *err)
{
	static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost"};
	char origin[SITE_ORIGIN_SIZE];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(hosts) && r == 0; i++) {
		(void)snprintf(origin, sizeof(origin), "http://%s:%u", hosts[i], port);
		if (port == 80)
			*strrchr(origin, ':') = '\0';
		r = site_add_origin(site, origin, err);
	}
	return r;
}

const struct site_name *site_find_host(const struct site *site, const char *host)
{
	for (size_t i = 0; i < site->n; i++)
		if (strcasecmp(site->names[i].host, host) == 0)
			return &site->names[i];
	return NULL;
}

bool site_is_own(const struct site *site, const char *origin, const char *host)
{
	for (size_t i = 0; i < site->n; i++)
		if (strcmp(site->names[i].origin, origin) == 0 &&
		    strcasecmp(site->names[i].host, host) == 0)
			return true;
	return false;
}
