/* libgit2's own reading of an object that our checks took: whoever reads it later sees the
 * same. */
#pragma once

#include "fuzz.h"

#include <git2.h>
#include <git2/sys/mempack.h>
#include <git2/sys/repository.h>

struct oracle {
	git_odb *odb;
	git_odb_backend *memory;
	git_repository *repo;
};

/* A repository in memory, made once and emptied for each input. */
static inline git_repository *oracle_repo(void)
{
	static struct oracle o;

	if (o.repo) {
		must(git_mempack_reset(o.memory) == 0);
		git_repository_free(o.repo);
		o.repo = NULL;
	} else {
		must(git_libgit2_init() > 0);
		must(git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 0) == 0);
		must(git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0) == 0);
		must(git_odb_new(&o.odb) == 0 && git_mempack_new(&o.memory) == 0);
		must(git_odb_add_backend(o.odb, o.memory, 1) == 0);
	}
	must(git_repository_wrap_odb(&o.repo, o.odb) == 0);
	return o.repo;
}

static inline void oracle_add(git_repository *repo, git_oid *ret, const void *data, size_t size,
			      git_object_t type)
{
	git_odb *odb = NULL;

	must(git_repository_odb(&odb, repo) == 0);
	must(git_odb_write(ret, odb, data, size, type) == 0);
	git_odb_free(odb);
}
