/*
 * The staged objects become one pack without a search for deltas: libgit2 takes
 * pack.deltaCacheSize (1 in applied's configuration) for the size from which it does not try.
 * `git repack` makes up for it later.
 */
#include "git/import_job.h"

#include <errno.h>
#include <git2/sys/repository.h>

#define PACK_MODE 0444

DEFINE_CLEANUP(git_config *, git_config_free)
DEFINE_CLEANUP(git_packbuilder *, git_packbuilder_free)

static int open_staged(struct import_job *job, git_repository **ret, struct error *err)
{
	_cleanup_(git_repository_freep) git_repository *staged = NULL;
	_cleanup_(git_config_freep) git_config *config = NULL;
	int r;

	r = git_repository_wrap_odb(&staged, job->staged);
	if (r == 0)
		r = git_repository_config(&config, job->applied->git);
	if (r == 0)
		r = git_repository_set_config(staged, config);
	if (r < 0)
		return git_fail(r, err, "cannot prepare the pack");
	*ret = TAKE_PTR(staged);
	return 0;
}

int import_store(struct import_job *job, struct error *err)
{
	_cleanup_(git_repository_freep) git_repository *staged = NULL;
	_cleanup_(git_packbuilder_freep) git_packbuilder *builder = NULL;
	_cleanup_free_ char *pack_dir = NULL;
	int r;

	if (job->n_new == 0)
		return 0;
	r = open_staged(job, &staged, err);
	if (r < 0)
		return r;
	r = git_packbuilder_new(&builder, staged);
	if (r < 0)
		return git_fail(r, err, "cannot prepare the pack");
	(void)git_packbuilder_set_threads(builder, 1);
	for (size_t i = 0; i < job->n_new && r == 0; i++)
		r = git_packbuilder_insert(builder, &job->new_ids[i], NULL);
	/* The last moment to give up: past it the pack is there. */
	if (r == 0 && import_check_time(job, err) < 0)
		return -ETIMEDOUT;
	pack_dir = str_format("%s/.git/objects/pack", job->applied->dir);
	if (r == 0)
		r = git_packbuilder_write(builder, pack_dir, PACK_MODE, NULL, NULL);
	if (r == 0)
		r = git_odb_refresh(job->known);
	return r < 0 ? git_fail(r, err, "cannot store the pack") : 0;
}
