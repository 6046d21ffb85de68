/* libgit2's errors as ours, and ids between text and bytes. */
#include "git/internal.h"

#include "base/buf.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_WORDS 300

/* libgit2 keeps no errno, but ends the text of a failed system call with strerror()'s words */
static int errno_of_text(const char *text)
{
	static const int known[] = {
		ENOSPC, EDQUOT, EROFS, EACCES,  EPERM,  EMFILE,
		ENFILE, ENOMEM, EFBIG, ENOTDIR, EISDIR, ELOOP,
	};
	size_t size = strlen(text);

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const char *words = strerror(known[i]);
		size_t n = strlen(words);

		if (size >= n && strcmp(text + size - n, words) == 0)
			return known[i];
	}
	return EIO;
}

static int errno_of_code(int code, const git_error *last)
{
	switch (code) {
	case GIT_ENOTFOUND:
		return ENOENT;
	case GIT_EEXISTS:
		return EEXIST;
	case GIT_ELOCKED:
		return EBUSY;
	case GIT_EMODIFIED:
		return ESTALE;
	case GIT_EOWNER:
		return EPERM;
	case GIT_EMISMATCH:
		return EUCLEAN;
	case GIT_EAMBIGUOUS:
	case GIT_EDIRECTORY:
	case GIT_EINVALID:
	case GIT_EINVALIDSPEC:
	case GIT_EPEEL:
		return EINVAL;
	}
	if (!last)
		return EIO;
	switch (last->klass) {
	case GIT_ERROR_NOMEMORY:
		return ENOMEM;
	case GIT_ERROR_OS:
		return errno_of_text(last->message);
	}
	return EIO;
}

int git_fail(int code, struct error *err, const char *format, ...)
{
	const git_error *last = git_error_last();
	int errnum = errno_of_code(code, last);
	_cleanup_buf_ struct buf text = {};
	char context[200];
	va_list args;

	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	buf_add_str(&text, context);
	buf_add_str(&text, ": ");
	if (last && last->message)
		text_clean(&text, last->message, strlen(last->message), MAX_WORDS, false);
	else
		buf_add_str(&text, strerror(errnum));
	error_set(err, errnum, "%s", buf_str(&text));
	git_error_clear();
	return -errnum;
}

int git_write_commit(git_oid *ret, git_repository *git, const git_signature *who,
		     const char *message, const git_tree *tree, size_t n_parents,
		     const git_commit **parents)
{
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	git_buf text = {};
	int r = git_commit_create_buffer(&text, git, who, who, NULL, message, tree, n_parents,
					 parents);

	if (r == 0)
		r = git_repository_odb(&odb, git);
	if (r == 0)
		r = git_odb_write(ret, odb, text.ptr, text.size, GIT_OBJECT_COMMIT);
	git_buf_dispose(&text);
	return r;
}

int oid_to_git(git_oid *ret, const char *hex, struct error *err)
{
	if (!oid_is_valid(hex) || git_oid_fromstr(ret, hex) < 0) {
		_cleanup_free_ char *shown = text_clean_dup(hex, 60, false);

		return error_set(err, EINVAL, "'%s' is not an object id", shown);
	}
	return 0;
}

void oid_from_git(char ret[OID_HEX_SIZE], const git_oid *oid)
{
	git_oid_tostr(ret, OID_HEX_SIZE, oid);
}
