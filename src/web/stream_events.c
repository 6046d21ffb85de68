#include "web/stream.h"

#include "base/json.h"
#include "web/hub.h"
#include "web/query.h"
#include "web/reply.h"

/* A browser that comes back says where it was by itself, and then knows better than the address
 * it came with. */
static int read_since(const struct exchange *x, int64_t *ret, struct error *err)
{
	json_t *asked = json_object();
	int64_t last = stream_last_id(x);
	int r = query_read(x->guarded.query, x->guarded.route->params, asked, err);

	*ret = -1;
	if (r == 0)
		r = json_get_int(asked, "since", false, 0, INT64_MAX, ret, err);
	if (last >= 0)
		*ret = last;
	json_decref(asked);
	return r;
}

static void on_admitted(struct exchange *x)
{
	struct hub *hub = x->web->hub;
	struct error err = {};
	struct stream *s;
	int64_t since;

	if (read_since(x, &since, &err) < 0) {
		reply_error(x, &err);
		return;
	}
	if (!stream_has_room(x))
		return;
	s = stream_open(x);
	if (s)
		hub_join(hub, s, since);
}

void stream_events(struct exchange *x)
{
	exchange_admit(x, on_admitted);
}
