/* What there is in a repository that is taken over: its references, read once, and objects by
 * id, each checked against its id. */
#pragma once

#include "base/buf.h"
#include "git/internal.h"
#include "git/reader_client.h"

#include <stdbool.h>
#include <stddef.h>

struct takeover_source_ref {
	char *name;
	char oid[OID_HEX_SIZE];
};

struct takeover_source {
	struct reader_client reader;
	char *head; /* what HEAD says: "ref: refs/heads/main" or an id; NULL */
	char *broken;
	struct takeover_source_ref *refs;
	size_t n_refs;
};

/* Asks for the references. */
int takeover_source_open(struct takeover_source *source, int reader_fd, int64_t end_ms,
			 struct error *err);
void takeover_source_release(struct takeover_source *source);

/* What a reference points at, NULL when there is none. Borrowed. */
const char *takeover_source_find(const struct takeover_source *source, const char *name);

/* An object of at most max bytes. data is NUL-terminated. */
int takeover_source_read(struct takeover_source *source, const char *oid, size_t max,
			 git_object_t *ret_type, struct buf *ret, struct error *err);

/* The commit main is at: the branch's, or, where there is none, HEAD's. -ENOENT. */
int takeover_source_main(const struct takeover_source *source, char ret[OID_HEX_SIZE],
			 struct error *err);
