#include "control/postmortem.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "control/container.h"
#include "control/joblog.h"

#include <fcntl.h>
#include <stdlib.h>

#define UNITS_MAX 8
#define LINES "60"
#define TIMEOUT_S 10

static void done(struct op *op)
{
	op->r = 0; /* a container that cannot tell what happened is no other failure */
	op->after(op);
}

/* NULL when no unit failed that had not failed before. */
static json_t *journal_command(const struct op *op, const json_t *entry)
{
	json_t *argv = json_pack("[s,s,s,s,s]", "journalctl", "--no-pager",
				 "--output=short-iso", "--lines=" LINES, "--quiet");
	size_t before = json_array_size(argv), i;
	json_t *value;

	json_array_foreach (json_object_get(entry, "failed_units"), i, value) {
		const char *unit = json_string_value(value);
		_cleanup_free_ char *option = NULL;

		if (!unit || json_holds(op->baseline, unit) ||
		    json_array_size(argv) >= before + UNITS_MAX)
			continue;
		option = str_format("--unit=%s", unit);
		json_array_append_new(argv, json_string(option));
	}
	if (json_array_size(argv) == before) {
		json_decref(argv);
		return NULL;
	}
	return argv;
}

static void on_looked(struct op *op)
{
	const json_t *entry =
		op->r == 0 ? container_entry(op->answer, op->agent->settings.name) : NULL;
	json_t *argv = entry ? journal_command(op, entry) : NULL;
	_cleanup_close_ int null_fd = -1, log_fd = -1;

	if (!argv) {
		done(op);
		return;
	}
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	joblog_line(op->log, "what the failed units said last:");
	if (null_fd < 0 || joblog_pipe(op->log, &log_fd, &op->err) < 0) {
		json_decref(argv);
		done(op);
		return;
	}
	op_call(op, "exec",
		container_arguments(op->agent, json_pack("{s:o,s:i}", "argv", argv, "timeout_s",
							 TIMEOUT_S)),
		(int[]){null_fd, log_fd, log_fd}, 3, done);
}

void postmortem(struct op *op, op_step step)
{
	op->after = step;
	if (op->log)
		op_call(op, "inspect", container_arguments(op->agent, NULL), NULL, 0,
			on_looked);
	else
		step(op);
}
