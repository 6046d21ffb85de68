/* Writes of one reference at a time, each compared and swapped under the reference's own lock.
 */
#include "git/refs.h"

#include "base/buf.h"
#include "base/text.h"
#include "git/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_STALE_S 60

static int check_name(const char *name, struct error *err)
{
	int valid = 0;

	if (strncmp(name, "refs/", 5) != 0 || git_reference_name_is_valid(&valid, name) < 0 ||
	    !valid) {
		_cleanup_free_ char *shown = text_clean_dup(name, 100, false);

		return error_set(err, EINVAL, "'%s' is not a reference's name", shown);
	}
	return 0;
}

static bool lock_exists(struct repo *repo, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/.git/%s.lock", repo->dir, name);

	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int ignore(const char *name, const char *oid, void *data)
{
	(void)name;
	(void)oid;
	(void)data;
	return 0;
}

/* The errors that all writes have in common. */
static int write_failed(struct repo *repo, const char *name, int code, struct error *err)
{
	const git_error *last = git_error_last();
	int r;

	if (code == GIT_ELOCKED) {
		const char *held = lock_exists(repo, name) ? name : "packed-refs";

		error_set(err, EBUSY, "'%s/.git/%s.lock' is in the way of '%s'", repo->dir,
			  held, name);
		error_hint(err,
			   "another process writes, or one died: a restart of the controller "
			   "removes what is stale");
		return -EBUSY;
	}
	if (code == GIT_ERROR && last && last->klass == GIT_ERROR_REFERENCE) {
		/* libgit2 has words only for a damaged file and for a name in another's way */
		if (refs_scan(repo->dir, name, ignore, NULL, err) == -EUCLEAN)
			return -EUCLEAN;
		code = GIT_EDIRECTORY;
	}
	r = git_fail(code, err, "cannot write reference '%s'", name);
	if (r == -ENOTDIR || r == -EISDIR) {
		r = -EINVAL;
		if (err)
			err->err = r;
	}
	return r;
}

/* 1: the reference is there and at oid; 0: it is not; -1: it cannot be told */
static int is_at(struct repo *repo, const char *name, const git_oid *oid)
{
	git_oid now;
	int r = git_reference_name_to_id(&now, repo->git, name);

	git_error_clear();
	return r == GIT_ENOTFOUND ? 0 : r < 0 ? -1 : git_oid_equal(&now, oid);
}

/*
 * A write that failed after its rename, when the directory could not be synced, is there for
 * everybody to see, while the caller says that it is not: it is taken back.
 */
static int take_back(struct repo *repo, const char *name, const git_oid *oid,
		     const git_oid *old, int r, struct error *err)
{
	_cleanup_(git_reference_freep) git_reference *ref = NULL;
	int at = git_oid_equal(oid, old) ? 0 : is_at(repo, name, oid);

	if (at == 0)
		return r;
	if (at > 0 && git_oid_is_zero(old))
		(void)git_reference_remove(repo->git, name);
	else if (at > 0)
		(void)git_reference_create_matching(&ref, repo->git, name, old, 1, oid, NULL);
	git_error_clear();
	if (is_at(repo, name, oid) == 0)
		return r;
	if (err)
		err->err = -ENOTRECOVERABLE;
	(void)error_prefix(err, "nobody knows whether it counts");
	return -ENOTRECOVERABLE;
}

/*
 * Nobody but this process and children of it writes here, and none holds the lock of a single
 * reference for more than moments. What is older was left by a write that failed and could not
 * remove it, on a disk that had become read-only.
 */
static bool remove_stale_lock(struct repo *repo, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/.git/%s.lock", repo->dir, name);
	struct timespec now;
	struct stat st;

	return lstat(path, &st) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0 &&
	       now.tv_sec - st.st_mtime > LOCK_STALE_S && unlink(path) == 0;
}

/* old all zero: nothing may be there. libgit2 compares under the lock only with force set. */
static int write_matching(struct repo *repo, const char *name, const git_oid *oid,
			  const git_oid *old, struct error *err)
{
	_cleanup_(git_reference_freep) git_reference *ref = NULL;
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	char hex[OID_HEX_SIZE];
	int r = check_name(name, err);

	if (r < 0)
		return r;
	r = git_repository_odb(&odb, repo->git);
	if (r < 0)
		return git_fail(r, err, "cannot read the objects of '%s'", repo->dir);
	oid_from_git(hex, oid);
	if (!git_odb_exists(odb, oid))
		return error_set(err, ENOENT, "no object %s in '%s'", hex, repo->dir);
	r = git_reference_create_matching(&ref, repo->git, name, oid, 1, old, NULL);
	if (r == GIT_ELOCKED && remove_stale_lock(repo, name))
		r = git_reference_create_matching(&ref, repo->git, name, oid, 1, old, NULL);
	if (r == GIT_EMODIFIED || (r == GIT_ENOTFOUND && !git_oid_is_zero(old)))
		return -ESTALE;
	if (r < 0) {
		const git_error *last = git_error_last();
		bool may_be_there = r == GIT_ERROR && last && last->klass == GIT_ERROR_OS;

		r = write_failed(repo, name, r, err);
		return may_be_there ? take_back(repo, name, oid, old, r, err) : r;
	}
	return 0;
}

int refs_create(struct repo *repo, const char *name, const char *oid, struct error *err)
{
	const git_oid none = {};
	git_oid new;
	int r = oid_to_git(&new, oid, err);

	if (r < 0)
		return r;
	r = write_matching(repo, name, &new, &none, err);
	if (r == -ESTALE)
		return error_set(err, EEXIST, "reference '%s' exists already", name);
	return r;
}

int refs_move(struct repo *repo, const char *name, const char *oid, const char *old,
	      struct error *err)
{
	git_oid new, expected = {};
	int r = oid_to_git(&new, oid, err);

	if (r == 0 && old)
		r = oid_to_git(&expected, old, err);
	if (r < 0)
		return r;
	r = write_matching(repo, name, &new, &expected, err);
	if (r == -ESTALE)
		return error_set(err, ESTALE, "reference '%s' is not %s any more", name,
				 old ? old : "absent");
	return r;
}

int refs_delete(struct repo *repo, const char *name, struct error *err)
{
	int r = check_name(name, err);

	if (r < 0)
		return r;
	r = git_reference_remove(repo->git, name);
	if (r < 0 && r != GIT_ENOTFOUND)
		return write_failed(repo, name, r, err);
	return 0;
}

int refs_read(struct repo *repo, const char *name, char ret[OID_HEX_SIZE], struct error *err)
{
	_cleanup_(git_reference_freep) git_reference *ref = NULL;
	int r = check_name(name, err);

	if (r < 0)
		return r;
	r = git_reference_lookup(&ref, repo->git, name);
	if (r == GIT_ENOTFOUND)
		return error_set(err, ENOENT, "no reference '%s' in '%s'", name, repo->dir);
	if (r < 0)
		return write_failed(repo, name, r, err);
	if (git_reference_type(ref) != GIT_REFERENCE_DIRECT)
		return error_set(err, EUCLEAN, "reference '%s' is symbolic", name);
	oid_from_git(ret, git_reference_target(ref));
	return 0;
}

int refs_pack(struct repo *repo, struct error *err)
{
	_cleanup_(git_refdb_freep) git_refdb *refdb = NULL;
	int r = git_repository_refdb(&refdb, repo->git);

	if (r == 0)
		r = git_refdb_compress(refdb);
	if (r < 0)
		return write_failed(repo, "refs/", r, err);
	return 0;
}
