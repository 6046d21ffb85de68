#include "host/checks_port.h"

#include "base/cleanup.h"
#include "host/checks.h"

#include <string.h>

bool checks_port_is_ours(const struct listener *listener)
{
	static const char *const names[] = {"systemd", "skepd", "skep-web"};

	if (listener->uid != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(listener->name, names[i]) == 0)
			return true;
	return listener->pid == 0; /* whose it is cannot be seen */
}

void checks_port(json_t *checks, uint16_t port)
{
	static const char fix[] = "end what listens there, or choose another port: "
				  "dashboard_port, skep-web.socket";
	struct listener found = {};
	struct error err = {};
	int r = port_find_listener(port, 0, &found, &err);

	if (r < 0)
		checks_add(checks, "dashboard", false, "see the detail", "%s",
			   error_text(&err));
	else if (r == 0)
		checks_add(checks, "dashboard", true, NULL,
			   "not served (systemctl enable --now skep-web.socket)");
	else if (checks_port_is_ours(&found))
		checks_add(checks, "dashboard", true, NULL, "http://127.0.0.1:%u/", port);
	else
		checks_add(checks, "dashboard", false, fix,
			   "port %u belongs to '%s' (process %d, uid %u)", port, found.name,
			   (int)found.pid, (unsigned)found.uid);
}
