/* Commit objects of a repository nobody vouches for: what is taken has the same tree and
 * parents to libgit2. */
#include "git_oracle.h"

#include "git/commitcheck.h"

#define PARENTS_MAX 8

static void agrees(const struct commit_ids *ids, const void *data, size_t size)
{
	git_repository *repo = oracle_repo();
	git_commit *commit = NULL;
	git_oid id;

	oracle_add(repo, &id, data, size, GIT_OBJECT_COMMIT);
	must(git_commit_lookup(&commit, repo, &id) == 0);
	must(memcmp(git_commit_tree_id(commit)->id, ids->tree, RAW_ID_SIZE) == 0);
	must(git_commit_parentcount(commit) == ids->n_parents);
	for (size_t i = 0; i < ids->n_parents; i++)
		must(memcmp(git_commit_parent_id(commit, (unsigned)i)->id, ids->parents[i],
			    RAW_ID_SIZE) == 0);
	must(git_commit_author(commit) && git_commit_committer(commit) &&
	     git_commit_message_raw(commit));
	must(git_commit_time(commit) >= 0);
	git_commit_free(commit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char name[] = "1234567890123456789012345678901234567890";
	struct commit_ids ids = {};
	struct error err = {};

	if (commitcheck(name, data, size, PARENTS_MAX, &ids, &err) < 0) {
		must(err.err && fuzz_is_clean(err.text, strlen(err.text), false));
		return 0;
	}
	must(ids.n_parents <= PARENTS_MAX && !memchr(data, '\0', size));
	agrees(&ids, data, size);
	return 0;
}
