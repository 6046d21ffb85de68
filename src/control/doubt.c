/*
 * When even looking fails after a write that failed (no descriptor, a disk that is going), what
 * is in memory may be behind the record. Who was told so was told of an error: the write is
 * taken back as soon as that works. The next start takes what it finds for granted.
 */
#include "control/doubt.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "git/refs.h"

#include <errno.h>
#include <string.h>

void doubt_note(struct hive *hive, const char *dir, const char *ref, const char *oid,
		const char *old)
{
	struct doubt *d = &hive->doubt;

	d->dir = str_dup(dir);
	snprintf(d->ref, sizeof(d->ref), "%s", ref);
	snprintf(d->oid, sizeof(d->oid), "%s", oid);
	snprintf(d->old, sizeof(d->old), "%s", old);
	log_line(LOG_ERR, "nobody knows whether '%s' of '%s' was written", ref, dir);
}

static int take_back(const struct doubt *d, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char now[OID_HEX_SIZE];
	int r = repo_open(d->dir, &repo, err);

	if (r == 0)
		r = refs_read(repo, d->ref, now, err);
	if (r == -ENOENT || (r == 0 && strcmp(now, d->oid) != 0))
		return 0;
	if (r < 0)
		return r;
	return d->old[0] ? refs_move(repo, d->ref, d->old, d->oid, err)
			 : refs_delete(repo, d->ref, err);
}

int doubt_settle(struct hive *hive, struct error *err)
{
	struct doubt *d = &hive->doubt;
	int r = d->dir ? take_back(d, err) : 0;

	if (r < 0)
		return error_prefix(err, "nobody knows whether '%s' was written", d->ref);
	free(d->dir);
	*d = (struct doubt){};
	return 0;
}
