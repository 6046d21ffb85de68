/* What is staged becomes one pack of applied: a pack is there as a whole or not at all. */
#include "git/import_job.h"

#include "git/pack.h"

#include <errno.h>

int import_store(struct import_job *job, struct error *err)
{
	int r;

	if (job->n_new == 0)
		return 0;
	/* The last moment to give up: past it the pack is there. */
	r = import_check_time(job, err);
	if (r == 0)
		r = pack_write(job->applied, job->staged, job->new_ids, job->n_new, err);
	if (r < 0)
		return r;
	r = git_odb_refresh(job->known);
	return r < 0 ? git_fail(r, err, "cannot read the new pack") : 0;
}
