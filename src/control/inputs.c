#include "control/inputs.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "control/joblog.h"
#include "nix/flake.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int inputs_check(const struct hive *hive, struct error *err)
{
	const struct config *c = hive->config;
	int r;

	if (!c->nixpkgs || !c->base) {
		r = error_set_code(err, EOPNOTSUPP, "unsupported",
				   "the configuration does not say where '%s' comes from, so "
				   "nothing can be built by Nix",
				   c->nixpkgs ? "base" : "nixpkgs");
		error_hint(err, "set \"nixpkgs\" and \"base\" (skep.json(5))");
		return r;
	}
	if ((r = flake_check_path(c->state_dir, err)) < 0 ||
	    (r = flake_check_url("nixpkgs", c->nixpkgs, err)) < 0)
		return r;
	return flake_check_url("base", c->base, err);
}

int inputs_parse(const char *text, struct lock **ret, struct error *err)
{
	_cleanup_(lock_freep) struct lock *base = NULL;
	int r = text ? lock_parse(text, strlen(text), &base, err)
		     : error_set(err, EIO, "nothing was locked");

	if (r == 0 && (!lock_has_input(base, "nixpkgs") || !lock_has_input(base, "base")))
		r = error_set(err, EIO, "not everything was locked");
	if (r == 0)
		*ret = TAKE_PTR(base);
	return r;
}

static int take(struct hive *hive, const char *text, struct error *err)
{
	_cleanup_(lock_freep) struct lock *base = NULL;
	int r = inputs_parse(text, &base, err);

	return r < 0 ? r : lock_replace_base(hive->lock, base, err);
}

static void on_locked(struct op *op)
{
	const struct config *c = op->hive->config;

	op->build = 0;
	/* another agent's operation may have been faster: its answer holds */
	if (op->r == 0 && !op->hive->inputs)
		op->r = take(op->hive, json_string_value(json_object_get(op->answer, "lock")),
			     &op->err);
	if (op->r == 0 && !op->hive->inputs)
		op->hive->inputs =
			json_pack("{s:s,s:s}", "nixpkgs", c->nixpkgs, "base", c->base);
	op->after(op);
}

void inputs_ensure(struct op *op, op_step step)
{
	const struct config *c = op->hive->config;
	_cleanup_close_ int log_fd = -1;

	op->r = 0;
	if (op->hive->inputs) {
		step(op);
		return;
	}
	op->r = inputs_check(op->hive, &op->err);
	if (op->r == 0 && op->log)
		op->r = joblog_pipe(op->log, &log_fd, &op->err);
	else if (op->r == 0)
		log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (op->r < 0) {
		step(op);
		return;
	}
	joblog_line(op->log, "locking nixpkgs and base for the first time");
	op->after = step;
	op->build =
		op_call(op, "lock",
			json_pack("{s:{s:s,s:s},s:I}", "inputs", "nixpkgs", c->nixpkgs, "base",
				  c->base, "timeout_s", (json_int_t)c->build_timeout_s),
			&log_fd, 1, on_locked);
}
