/* Annotated tags: the record's entries. */
#pragma once

#include "base/buf.h"
#include "git/repo.h"

#include <stdint.h>

/* Who commits and tags: the same for everything the controller writes. */
#define GIT_IDENTITY_NAME "skep"
#define GIT_IDENTITY_MAIL "skep@localhost"

/*
 * Writes an annotated tag object on target (a commit or any object) and creates
 * refs/tags/<name>; both are on disk on return. The message is kept byte for byte (no comment
 * stripping); it must be UTF-8 without NUL. -EEXIST when the name is taken. ret_oid receives
 * the tag object's id, also with -ENOTRECOVERABLE (refs.h).
 */
int tag_create(struct repo *repo, const char *name, const char *target, const char *message,
	       int64_t wall_s, char ret_oid[OID_HEX_SIZE], struct error *err);

struct tag {
	char target[OID_HEX_SIZE];
	char name[128];
	int64_t wall_s;
	struct buf message;
};

/*
 * Reads a tag object. -EINVAL when the id names something else. The caller calls tag_release().
 */
int tag_read(struct repo *repo, const char *oid, struct tag *ret, struct error *err);
void tag_release(struct tag *tag);

/* Its bytes alone, added to ret. */
int tag_read_raw(struct repo *repo, const char *oid, struct buf *ret, struct error *err);

/* The same from a tag object's bytes (NUL-terminated, as libgit2 and struct buf keep them). */
int tag_parse(const char *data, size_t size, struct tag *ret, struct error *err);
