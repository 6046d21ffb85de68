/* References as lines of text, for whoever takes a whole repository over. */
#include "git/reader.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "git/refs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define HEAD_MAX_BYTES 1024

struct listing {
	struct buf *lines;
	size_t max;
};

static int on_ref(const char *name, const char *oid, void *data)
{
	struct listing *listing = data;

	if (listing->lines->size + strlen(name) > listing->max)
		return -E2BIG;
	buf_addf(listing->lines, "%s %s\n", oid, name);
	return 0;
}

static void add_head(struct buf *lines)
{
	_cleanup_buf_ struct buf head = {};

	if (file_read(AT_FDCWD, ".git/HEAD", HEAD_MAX_BYTES, &head, NULL) < 0)
		return;
	buf_truncate(&head, strcspn(buf_str(&head), "\n"));
	buf_addf(lines, "HEAD %s\n", buf_str(&head));
}

int reader_refs(size_t max, struct buf *ret, struct error *err)
{
	struct listing listing = {.lines = ret, .max = max};
	struct error why = {};
	int r;

	add_head(ret);
	r = refs_scan(".", "refs/", on_ref, &listing, &why);
	if (r == -E2BIG)
		return error_set(err, E2BIG, "there are more references than %zu bytes hold",
				 listing.max);
	if (r < 0) {
		_cleanup_free_ char *shown = text_clean_dup(error_text(&why), 300, false);

		buf_addf(ret, "broken %s\n", shown);
	}
	return 0;
}
