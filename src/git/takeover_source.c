#include "git/takeover_source.h"

#include "base/text.h"
#include "model/oid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REFS_MAX 20000
#define REFS_MAX_BYTES (4u << 20)
#define MAIN "refs/heads/main"

/* The answer's bytes, at most max of them. */
static int take_answer(struct takeover_source *s, size_t max, struct reader_answer *ret_answer,
		       struct buf *ret, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	int r = reader_client_next(&s->reader, ret_answer, err);

	if (r < 0)
		return r;
	if (ret_answer->status == READER_MISSING)
		return error_set(err, ENOENT, "an object is missing");
	if (ret_answer->status == READER_TOO_LARGE || ret_answer->size > max)
		return error_set(err, E2BIG, "something there is too large");
	if (ret_answer->status != READER_OK)
		return error_set(err, EINVAL, "something there cannot be read");
	data = mem_new(ret_answer->size + 1, 1);
	r = reader_client_fetch(&s->reader, data, ret_answer->size, err);
	if (r == 0)
		buf_add(ret, data, ret_answer->size);
	return r;
}

/* Lines that make no sense are nothing of ours. */
static int take_line(struct takeover_source *s, char *line, struct error *err)
{
	char *space = strchr(line, ' ');

	if (!space)
		return 0;
	*space++ = '\0';
	if (strcmp(line, "HEAD") == 0 && !s->head) {
		s->head = str_dup(space);
	} else if (strcmp(line, "broken") == 0 && !s->broken) {
		s->broken = text_clean_dup(space, 300, false);
	} else if (oid_is_valid(line)) {
		if (s->n_refs >= REFS_MAX)
			return error_set(err, E2BIG, "there are more than %d references",
					 REFS_MAX);
		s->refs = mem_grow(s->refs, s->n_refs + 1, sizeof(*s->refs));
		s->refs[s->n_refs] = (struct takeover_source_ref){.name = str_dup(space)};
		memcpy(s->refs[s->n_refs++].oid, line, OID_HEX_SIZE);
	}
	return 0;
}

int takeover_source_open(struct takeover_source *s, int reader_fd, int64_t end_ms,
			 struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	struct reader_answer answer;
	char *line, *at, *rest;
	int r;

	*s = (struct takeover_source){};
	reader_client_init(&s->reader, reader_fd, end_ms);
	reader_client_ask_refs(&s->reader);
	r = take_answer(s, REFS_MAX_BYTES, &answer, &text, err);
	if (r < 0)
		return error_prefix(err, "the references");
	rest = at = buf_take(&text);
	while (r == 0 && (line = strsep(&rest, "\n")))
		r = take_line(s, line, err);
	free(at);
	return r;
}

void takeover_source_release(struct takeover_source *s)
{
	for (size_t i = 0; i < s->n_refs; i++)
		free(s->refs[i].name);
	free(s->refs);
	free(s->head);
	free(s->broken);
	reader_client_release(&s->reader);
}

const char *takeover_source_find(const struct takeover_source *s, const char *name)
{
	for (size_t i = 0; i < s->n_refs; i++)
		if (strcmp(s->refs[i].name, name) == 0)
			return s->refs[i].oid;
	return NULL;
}

int takeover_source_read(struct takeover_source *s, const char *hex, size_t max,
			 git_object_t *ret_type, struct buf *ret, struct error *err)
{
	struct reader_answer answer;
	git_oid id, is;
	int r = oid_to_git(&id, hex, err);

	if (r < 0)
		return r;
	reader_client_ask_object(&s->reader, id.id);
	r = take_answer(s, max, &answer, ret, err);
	if (r == 0 &&
	    (git_odb_hash(&is, buf_str(ret), ret->size, (git_object_t)answer.type) < 0 ||
	     !git_oid_equal(&is, &id)))
		r = error_set(err, EINVAL, "it is not what its id says");
	if (r < 0)
		return error_prefix(err, "object %.*s", OID_SHORT, hex);
	*ret_type = (git_object_t)answer.type;
	return 0;
}

int takeover_source_main(const struct takeover_source *s, char ret[OID_HEX_SIZE],
			 struct error *err)
{
	const char *oid = takeover_source_find(s, MAIN);

	if (!oid && s->head && strncmp(s->head, "ref: ", 5) == 0)
		oid = takeover_source_find(s, s->head + 5);
	if (!oid && s->head && oid_is_valid(s->head))
		oid = s->head;
	if (!oid)
		return error_set(err, ENOENT,
				 "there is no branch main and HEAD names no commit");
	memcpy(ret, oid, OID_HEX_SIZE);
	return 0;
}
