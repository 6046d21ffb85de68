#include "control/port.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>

#define SHOWN_MAX 40

void port_ask(struct op *op, op_step step)
{
	const struct settings *s = &op->agent->settings;

	if (s->private_network) {
		json_decref(op->answer);
		op->answer = NULL;
		op->r = 0;
		step(op);
		return;
	}
	op_call(op, "observe",
		json_pack("{s:s,s:s,s:i}", "what", "port", "agent", s->name, "port",
			  (int)s->port),
		NULL, 0, step);
}

/* "'nginx' of agent 'bob' (process 7)", as much of it as is known. */
static char *describe(const json_t *listener)
{
	const char *name = NULL, *agent = NULL;
	_cleanup_free_ char *program = NULL, *owner = NULL;
	int64_t pid = 0;

	(void)json_get_str(listener, "name", false, &name, NULL);
	(void)json_get_str(listener, "agent", false, &agent, NULL);
	(void)json_get_int(listener, "pid", false, 0, INT32_MAX, &pid, NULL);
	program = name && name[0] ? text_clean_dup(name, SHOWN_MAX, false) : NULL;
	owner = agent ? str_format(" of agent '%.40s'", agent) : str_dup("");
	return program ? str_format("'%s'%s (process %lld)", program, owner, (long long)pid)
		       : str_format("a program%s that cannot be seen", owner);
}

int port_judge(struct op *op)
{
	const struct settings *s = &op->agent->settings;
	const json_t *listener = op->r == 0 ? json_object_get(op->answer, "listener") : NULL;
	_cleanup_free_ char *who = NULL;

	if (!listener)
		return op->r;
	who = describe(listener);
	op->r = error_set(&op->err, EBUSY, "port %u of '%s' is taken by %s", (unsigned)s->port,
			  s->name, who);
	error_hint(&op->err, "end that program, or use network=private");
	return op->r;
}
