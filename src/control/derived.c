#include "control/derived.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "control/meta.h"
#include "git/refs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

char *derived_message(const struct op *op)
{
	const struct settings *s = &op->agent->settings;

	return str_format("deploy %s deployed/%" PRId64 " %.*s", s->name,
			  op->proposal ? op->proposal->id : s->deployed, OID_SHORT, op->commit);
}

static int move_meta(struct op *op, struct error *err)
{
	_cleanup_free_ char *message = NULL;

	if (strcmp(op->meta_parent, op->hive->meta_head) == 0)
		return meta_publish(op->hive, op->meta_commit, err);
	/* while it failed something else was committed, which says the same of this agent */
	message = derived_message(op);
	return meta_commit(op->hive, message, err);
}

int derived_move(struct op *op, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char main[OID_HEX_SIZE] = "";
	int r = hive_open_applied(op->hive, op->agent->settings.name, &repo, err);

	/* wherever it was left when a move like this one failed */
	if (r == 0)
		r = refs_read(repo, "refs/heads/main", main, err);
	if (r == 0 || r == -ENOENT)
		r = refs_move(repo, "refs/heads/main", op->commit, main[0] ? main : NULL, err);
	if (r < 0)
		return r;
	crash_point("main-moved");
	return move_meta(op, err);
}
