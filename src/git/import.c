#include "git/import.h"

#include "base/clock.h"
#include "git/commitcheck.h"
#include "git/import_job.h"

#include <errno.h>
#include <git2/sys/mempack.h>
#include <string.h>

#define MIB (1024ull * 1024)
#define STAGE_PRIORITY 1

const struct import_limits import_limits_default = {
	.max_blob_bytes = IMPORT_MAX_BLOB_BYTES,
	.max_new_bytes = 32 * MIB,
	.max_commit_bytes = MIB,
	.max_new_objects = 20000,
	.max_new_commits = 10000,
	.max_parents = 16,
	.max_tree_depth = 64,
	.max_path_bytes = 1024,
	.max_tree_entries = 20000,
	.max_files = 200000,
	.max_expanded_bytes = 1024 * MIB,
	.deadline_ms = 60000,
};

static void job_release(struct import_job *job)
{
	reader_client_release(&job->reader);
	git_odb_free(job->known);
	git_odb_free(job->staged);
	free(job->new_ids);
}

int import_check_time(const struct import_job *job, struct error *err)
{
	if (clock_boot_ms() < job->end_ms)
		return 0;
	return error_set(err, ETIMEDOUT, "checking the commit took too long");
}

int import_known_type(const struct import_job *job, const git_oid *id, git_object_t *ret,
		      struct error *err)
{
	size_t size;
	int r;

	if (!git_odb_exists_ext(job->known, id, GIT_ODB_LOOKUP_NO_REFRESH))
		return -ENOENT;
	r = git_odb_read_header(&size, ret, job->known, id);
	return r < 0 ? git_fail(r, err, "cannot look at an object of our own") : 0;
}

static int job_open(struct import_job *job, struct error *err)
{
	git_odb_backend *memory;
	int r;

	r = git_repository_odb(&job->known, job->applied->git);
	/* Once, before all lookups without a refresh: another process may have stored a pack.
	 */
	if (r == 0)
		r = git_odb_refresh(job->known);
	if (r == 0)
		r = git_odb_new(&job->staged);
	if (r == 0)
		r = git_mempack_new(&memory);
	if (r == 0)
		r = git_odb_add_backend(job->staged, memory, STAGE_PRIORITY);
	return r < 0 ? git_fail(r, err, "cannot prepare the import") : 0;
}

/* The full id of an abbreviation, as the reader's repository has it. */
static int expand_prefix(struct import_job *job, const char *wanted, git_oid *ret,
			 struct error *err)
{
	size_t digits = strlen(wanted);
	struct reader_answer answer;
	git_oid prefix = {}, id;
	int r;

	if (git_oid_fromstrn(&prefix, wanted, digits) < 0)
		return error_set(err, EINVAL, "'%s' is not a commit id", wanted);
	if (digits == GIT_OID_HEXSZ) {
		*ret = prefix;
		return 0;
	}
	reader_client_ask_prefix(&job->reader, prefix.id, (unsigned)digits);
	r = reader_client_next(&job->reader, &answer, err);
	if (r < 0)
		return r;
	if (answer.status == READER_AMBIGUOUS)
		return error_set(err, EINVAL, "'%s' begins more than one id: give more digits",
				 wanted);
	if (answer.status == READER_MISSING)
		return error_set(err, ENOENT, "no commit begins with '%s'", wanted);
	if (answer.status != READER_OK || answer.size != sizeof(id.id))
		return error_set(err, EPROTO, "'%s' cannot be looked up", wanted);
	r = reader_client_fetch(&job->reader, id.id, sizeof(id.id), err);
	if (r < 0)
		return r;
	if (git_oid_ncmp(&prefix, &id, digits) != 0)
		return error_set(err, EPROTO, "the reader answers with nonsense");
	*ret = id;
	return 0;
}

/* From either place: the commit may have been known before. */
static int read_tree_id(const struct import_job *job, const git_oid *commit, git_oid *ret,
			struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *object = NULL;
	char hex[OID_HEX_SIZE];
	struct commit_ids ids;
	int r;

	r = git_odb_read(&object, job->staged, commit);
	if (r == GIT_ENOTFOUND)
		r = git_odb_read(&object, job->known, commit);
	if (r < 0)
		return git_fail(r, err, "cannot read the commit");
	oid_from_git(hex, commit);
	r = commitcheck(hex, git_odb_object_data(object), git_odb_object_size(object),
			COMMIT_MAX_PARENTS, &ids, err);
	if (r < 0)
		return r;
	memcpy(ret->id, ids.tree, sizeof(ret->id));
	return 0;
}

int import_commit(struct repo *applied, int reader_fd, const char *wanted,
		  const struct import_limits *limits, struct import_result *ret,
		  struct error *err)
{
	_cleanup_(job_release) struct import_job job = {
		.applied = applied,
		.limits = limits,
		.end_ms = clock_boot_ms() + limits->deadline_ms,
	};
	git_oid tip, tree;
	int r;

	if (!oid_is_valid_or_short(wanted))
		return error_set(err, EINVAL,
				 "a commit is named by its id, at least %d hexadecimal digits",
				 OID_SHORTEST);
	reader_client_init(&job.reader, reader_fd, job.end_ms);
	r = job_open(&job, err);
	if (r == 0)
		r = expand_prefix(&job, wanted, &tip, err);
	if (r == 0)
		r = import_walk(&job, &tip, err);
	if (r == 0)
		r = read_tree_id(&job, &tip, &tree, err);
	if (r == 0)
		r = import_expand(&job, &tree, err);
	if (r == 0)
		r = import_store(&job, err);
	if (r < 0)
		return r;
	ret->new_objects = job.n_new;
	ret->new_bytes = job.new_bytes;
	oid_from_git(ret->commit, &tip);
	oid_from_git(ret->tree, &tree);
	return 0;
}
