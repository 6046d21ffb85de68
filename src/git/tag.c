/* Annotated tags written byte for byte: the object first, then the reference that makes it
 * count. */
#include "git/tag.h"

#include "git/internal.h"
#include "git/refs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MESSAGE (1u << 20)

static int target_type(struct repo *repo, git_odb *odb, const git_oid *target,
		       git_object_t *ret, struct error *err)
{
	size_t size;
	int r = git_odb_read_header(&size, ret, odb, target);

	if (r == GIT_ENOTFOUND) {
		char hex[OID_HEX_SIZE];

		oid_from_git(hex, target);
		return error_set(err, ENOENT, "no object %s in '%s'", hex, repo->dir);
	}
	if (r < 0)
		return git_fail(r, err, "cannot read what the tag is for");
	return 0;
}

static int check(struct repo *repo, const char *ref, const char *name, const char *message,
		 struct error *err)
{
	char taken[OID_HEX_SIZE];
	int r;

	if (strlen(name) >= sizeof(((struct tag *)NULL)->name))
		return error_set(err, EINVAL, "a tag's name is too long: %zu bytes",
				 strlen(name));
	if (strlen(message) > MAX_MESSAGE)
		return error_set(err, E2BIG, "the message of tag '%s' is larger than %u bytes",
				 name, MAX_MESSAGE);
	if (!text_is_utf8(message, strlen(message)))
		return error_set(err, EINVAL, "the message of tag '%s' is not UTF-8", name);
	/* refs_create() decides; this only keeps a refused tag from leaving an object behind */
	r = refs_read(repo, ref, taken, err);
	if (r == 0)
		return error_set(err, EEXIST, "tag '%s' exists already", name);
	return r == -ENOENT ? 0 : r;
}

int tag_create(struct repo *repo, const char *name, const char *target, const char *message,
	       int64_t wall_s, char ret_oid[OID_HEX_SIZE], struct error *err)
{
	_cleanup_free_ char *ref = str_format("refs/tags/%s", name);
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	_cleanup_buf_ struct buf text = {};
	char hex[OID_HEX_SIZE];
	git_object_t type;
	git_oid oid;
	int r = check(repo, ref, name, message, err);

	if (r == 0)
		r = oid_to_git(&oid, target, err);
	if (r < 0)
		return r;
	r = git_repository_odb(&odb, repo->git);
	if (r < 0)
		return git_fail(r, err, "cannot read the objects of '%s'", repo->dir);
	r = target_type(repo, odb, &oid, &type, err);
	if (r < 0)
		return r;
	buf_addf(&text, "object %s\ntype %s\ntag %s\n", target, git_object_type2string(type),
		 name);
	buf_addf(&text, "tagger %s <%s> %" PRId64 " +0000\n\n", GIT_IDENTITY_NAME,
		 GIT_IDENTITY_MAIL, wall_s);
	buf_add_str(&text, message);
	r = git_odb_write(&oid, odb, text.data, text.size, GIT_OBJECT_TAG);
	if (r < 0)
		return git_fail(r, err, "cannot write tag '%s'", name);
	oid_from_git(hex, &oid);
	r = refs_create(repo, ref, hex, err);
	if (r == -EEXIST)
		return error_set(err, EEXIST, "tag '%s' exists already", name);
	if (r == 0 || r == -ENOTRECOVERABLE)
		memcpy(ret_oid, hex, sizeof(hex));
	return r;
}

/* Takes the rest of a header line "key value"; at moves past it. */
static int take_line(const char **at, const char *key, char *ret, size_t size)
{
	const char *end = strchr(*at, '\n');
	size_t n = strlen(key);

	if (!end || strncmp(*at, key, n) != 0 || (*at)[n] != ' ')
		return -EINVAL;
	*at += n + 1;
	if ((size_t)(end - *at) >= size)
		return -EINVAL;
	memcpy(ret, *at, (size_t)(end - *at));
	ret[end - *at] = '\0';
	*at = end + 1;
	return 0;
}

int tag_parse(const char *data, size_t size, struct tag *ret, struct error *err)
{
	struct tag tag = {};
	char type[16], tagger[512];
	const char *at = data, *time;

	if (memchr(data, '\0', size) ||
	    take_line(&at, "object", tag.target, sizeof(tag.target)) < 0 ||
	    !oid_is_valid(tag.target) || take_line(&at, "type", type, sizeof(type)) < 0 ||
	    take_line(&at, "tag", tag.name, sizeof(tag.name)) < 0 ||
	    take_line(&at, "tagger", tagger, sizeof(tagger)) < 0 || *at != '\n')
		return error_set(err, EINVAL, "not a tag object as we write them");
	time = strstr(tagger, "> ");
	tag.wall_s = time ? strtoll(time + 2, NULL, 10) : 0;
	buf_add_str(&tag.message, at + 1);
	*ret = tag;
	return 0;
}

int tag_read_raw(struct repo *repo, const char *oid, struct buf *ret, struct error *err)
{
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	_cleanup_(git_odb_object_freep) git_odb_object *object = NULL;
	git_oid id;
	int r = oid_to_git(&id, oid, err);

	if (r < 0)
		return r;
	r = git_repository_odb(&odb, repo->git);
	if (r == 0)
		r = git_odb_read(&object, odb, &id);
	if (r == GIT_ENOTFOUND)
		return error_set(err, ENOENT, "no object %s in '%s'", oid, repo->dir);
	if (r < 0)
		return git_fail(r, err, "cannot read object %s", oid);
	if (git_odb_object_type(object) != GIT_OBJECT_TAG)
		return error_set(err, EINVAL, "object %s is a %s, not a tag", oid,
				 git_object_type2string(git_odb_object_type(object)));
	buf_add(ret, git_odb_object_data(object), git_odb_object_size(object));
	return 0;
}

int tag_read(struct repo *repo, const char *oid, struct tag *ret, struct error *err)
{
	_cleanup_buf_ struct buf raw = {};
	int r = tag_read_raw(repo, oid, &raw, err);

	if (r < 0)
		return r;
	r = tag_parse(buf_str(&raw), raw.size, ret, err);
	return r < 0 ? error_prefix(err, "object %s", oid) : 0;
}

void tag_release(struct tag *tag)
{
	buf_release(&tag->message);
}
