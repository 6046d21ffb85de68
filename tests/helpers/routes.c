/* Prints the table of routes as JSON, one object per line, for tests that hold the description
 * of the HTTP interface to it. */
#include "web/route.h"
#include "wire/verb.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* What the controller's verb takes; NULL: there is no such verb. */
static const char *keys_of(const char *cmd)
{
	for (int i = 0; i < VERB_COUNT; i++)
		if (strcmp(verb_table()[i].name, cmd) == 0)
			return verb_table()[i].keys;
	return NULL;
}

int main(void)
{
	for (const struct route *route = route_table(); route->method; route++) {
		json_t *params = json_array(), *object;

		for (const struct route_param *p = route->params; p && p->query; p++)
			json_array_append_new(params, json_string(p->query));
		object = json_pack("{s:s,s:s,s:b,s:b,s:b,s:b,s:o}", "method", route->method,
				   "path", route->path, "described",
				   route->kind != ROUTE_PAGE && route->kind != ROUTE_ASSET,
				   "session", route_needs_session(route), "key",
				   route_needs_key(route), "streams", route_streams(route),
				   "params", params);
		if (route->cmd && keys_of(route->cmd))
			json_object_set_new(object, "takes", json_string(keys_of(route->cmd)));
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(object);
	}
	return 0;
}
