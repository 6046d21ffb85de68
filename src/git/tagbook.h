/*
 * What annotated tags say, kept in one file by their ids: a tag object never changes, and
 * reading thousands of them out of packs is most of what a start takes. A cache: it may be
 * deleted or damaged at any time, and then costs time alone.
 */
#pragma once

#include "git/tag.h"

struct tagbook;

/* Maps the file at path. One that is absent or damaged is an empty book. Never fails. */
struct tagbook *tagbook_open(const char *path);

/* A tag by its id, as tag_read() gives it: 1 and *ret is the caller's, 0 when it is not in the
 * book. */
int tagbook_get(struct tagbook *book, const char *oid, struct tag *ret);

/* As tag_read(), and remembers it for the next time. */
int tagbook_read(struct tagbook *book, struct repo *repo, const char *oid, struct tag *ret,
		 struct error *err);

/*
 * Writes what is new, and the whole file again without the tags that nobody asked for when
 * those are most of it. Frees the book (NULL is fine). What cannot be written is read again the
 * next time.
 */
void tagbook_close(struct tagbook *book);
static inline void tagbook_closep(struct tagbook **book)
{
	tagbook_close(*book);
}
