/* libgit2 started, with nothing of it that a repository of our own does not need. */
#include "git/internal.h"

#define CACHE_MAX_BYTES (16 << 20)
#define PACK_WINDOW_BYTES (32 << 20) /* some who call us have 1 GiB of address space */
#define PACK_MAPPED_BYTES (256 << 20)

/*
 * A libgit2 that was built with Mbed TLS parses all certificates the machine trusts when it is
 * started, and a worker that takes a small commit over then spends three quarters of its time
 * on them. This function takes the place of Mbed TLS's own and finds none: nothing here speaks
 * TLS, and what would would trust nobody.
 */
int mbedtls_x509_crt_parse_file(void *chain, const char *path);

__attribute__((visibility("default"))) int mbedtls_x509_crt_parse_file(void *chain,
								       const char *path)
{
	(void)chain;
	(void)path;
	return 0;
}

int git_setup(bool write, struct error *err)
{
	static const int levels[] = {
		GIT_CONFIG_LEVEL_PROGRAMDATA,
		GIT_CONFIG_LEVEL_SYSTEM,
		GIT_CONFIG_LEVEL_XDG,
		GIT_CONFIG_LEVEL_GLOBAL,
	};
	int r = git_libgit2_init();

	if (r < 0)
		return git_fail(r, err, "cannot start libgit2");
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		r = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
		if (r < 0)
			return git_fail(r, err, "cannot keep git from reading configuration");
	}
	(void)git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)CACHE_MAX_BYTES);
	(void)git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)PACK_WINDOW_BYTES);
	(void)git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)PACK_MAPPED_BYTES);
	r = git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, (int)write);
	if (r < 0)
		return git_fail(r, err, "cannot make git sync what it writes");
	return 0;
}

void git_trust_objects(void)
{
	(void)git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
}

void git_hold_sync(bool hold)
{
	(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, (int)!hold);
}
