/* Packs and what lies beside them. */
#include "corpus/corpus.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_A "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B "b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1"
#define CONTENT "content"
#define MIB (1u << 20)

static void point_at(struct raw_repo *repo, const char *id)
{
	_cleanup_buf_ struct buf tree = {};

	raw_add_entry(&tree, "100644", "odd", 0, id);
	raw_tip(repo, &tree);
}

static void make_plain(struct raw_repo *repo, const void *arg)
{
	struct raw_packed entry = {
		.type = 3,
		.size = strlen(CONTENT),
		.data = CONTENT,
		.data_size = strlen(CONTENT),
	};

	(void)arg;
	raw_init(repo);
	raw_id(entry.id, GIT_OBJECT_BLOB, CONTENT, strlen(CONTENT));
	raw_put_pack(repo, "plain", &entry, 1);
	point_at(repo, entry.id);
}

static void add_varint(struct buf *out, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		buf_add_char(out, (char)(0x80 | (value & 0x7f)));
	buf_add_char(out, (char)value);
}

/* A delta that takes nothing from its base. */
static void add_delta(struct buf *out, uint64_t base_size, const char *text)
{
	size_t size = strlen(text);

	add_varint(out, base_size);
	add_varint(out, size);
	buf_add_char(out, (char)size);
	buf_add(out, text, size);
}

static void make_chain(struct raw_repo *repo, const void *arg)
{
	unsigned n = *(const unsigned *)arg;
	_cleanup_free_ struct raw_packed *entries = mem_new(n, sizeof(*entries));
	_cleanup_free_ struct buf *data = mem_new(n, sizeof(*data));
	_cleanup_free_ char(*ids)[OID_HEX_SIZE] = mem_new(n, OID_HEX_SIZE);

	raw_init(repo);
	for (unsigned i = 0; i < n; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%015u", i);
		raw_id(ids[i], GIT_OBJECT_BLOB, text, 15);
		if (i == 0)
			buf_add(&data[i], text, 15);
		else
			add_delta(&data[i], 15, text);
		memcpy(entries[i].id, ids[i], OID_HEX_SIZE);
		entries[i].type = i == 0 ? 3 : 7;
		entries[i].base = i == 0 ? NULL : ids[i - 1];
		entries[i].data = data[i].data;
		entries[i].size = entries[i].data_size = data[i].size;
	}
	raw_put_pack(repo, "chain", entries, n);
	point_at(repo, ids[n - 1]);
	for (unsigned i = 0; i < n; i++)
		buf_release(&data[i]);
}

/* Up to two entries, the first of which is wanted. */
struct wrong {
	unsigned type;
	uint64_t size, back;
	const char *base;
	const char *data;
	size_t data_size;
	const char *second_base;
};

static void make_wrong(struct raw_repo *repo, const void *arg)
{
	const struct wrong *wrong = arg;
	struct raw_packed entries[2] = {
		{
			.id = ID_A,
			.type = wrong->type,
			.size = wrong->size ? wrong->size : wrong->data_size,
			.back = wrong->back,
			.base = wrong->base,
			.data = wrong->data,
			.data_size = wrong->data_size,
		},
		{
			.id = ID_B,
			.type = wrong->second_base ? 7 : 3,
			.size = 5,
			.base = wrong->second_base,
			.data = "\5\2\2xy",
			.data_size = 5,
		},
	};

	raw_init(repo);
	raw_put_pack(repo, "wrong", entries, 2);
	point_at(repo, ID_A);
}

/* A file of a good pack cut to so many bytes, or overwritten. */
struct damage {
	const char *suffix;
	off_t keep;       /* -1: the file goes */
	const char *text; /* instead */
};

static void make_damaged(struct raw_repo *repo, const void *arg)
{
	const struct damage *damage = arg;
	_cleanup_free_ char *path = NULL;

	make_plain(repo, NULL);
	path = raw_path(repo, ".git/objects/pack/%s", damage->suffix);
	if (damage->text)
		raw_write_file(path, damage->text, strlen(damage->text));
	else if (damage->keep < 0)
		must(unlink(path) == 0, path);
	else
		must(truncate(path, damage->keep) == 0, path);
}

static void make_with_git(struct raw_repo *repo, const void *arg)
{
	_cleanup_free_ char *tip_path = raw_path(repo, "tip");
	_cleanup_fclose_ FILE *f = NULL;

	raw_shell(repo,
		  "git init -q -b main . && seq 1 3000 >a && git add a && git commit -qm 1 && "
		  "seq 2 3001 >a && git commit -qam 2 && seq 3 3002 >a && git commit -qam 3 && "
		  "git repack -adfq && git rev-parse HEAD >tip");
	raw_shell(repo, arg);
	f = fopen(tip_path, "re");
	must(f && fread(repo->tip, OID_HEX_SIZE - 1, 1, f) == 1, tip_path);
}

#define WRONG(...)                                       \
	.make = make_wrong, .arg = &(const struct wrong) \
	{                                                \
		__VA_ARGS__                              \
	}
#define DAMAGE(...)                                         \
	.make = make_damaged, .arg = &(const struct damage) \
	{                                                   \
		__VA_ARGS__                                 \
	}
#define CHAIN(n)                                     \
	.make = make_chain, .arg = &(const unsigned) \
	{                                            \
		n                                    \
	}
#define BYTES(text) .data = text, .data_size = sizeof(text) - 1
/* base of 5 bytes, result of 8 GiB, one byte of it */
#define DELTA_8_GIB "\5\200\200\200\200\40\1x"
/* base of 5 bytes, result of 100, copied from behind the base's end */
#define DELTA_OUTSIDE "\5\144\221\120\144"
#define DELTA_ENDLESS "\5\2\177x"

static const struct corpus_case cases[] = {
	TAKE("plain pack", .make = make_plain),
	TAKE("deltas", .make = make_with_git, .arg = "true", .flags = "large-diff"),
	TAKE("multi-pack-index", .make = make_with_git, .arg = "git multi-pack-index write",
	     .flags = "large-diff"),
	TAKE("commit-graph", .make = make_with_git, .arg = "git commit-graph write --reachable",
	     .flags = "large-diff"),
	TAKE("chain of 50 deltas", CHAIN(50)),
	TAKE("chain of 5000 deltas", CHAIN(5000)),
	REFUSE("delta of itself", ANY_ERROR, "",
	       WRONG(.type = 7, .base = ID_A, BYTES("\2\2\2xy")), .deadline_ms = 500),
	REFUSE("two deltas of each other", ANY_ERROR, "",
	       WRONG(.type = 7, .base = ID_B, BYTES("\2\2\2xy"), .second_base = ID_A),
	       .deadline_ms = 500),
	REFUSE("delta of something absent", ANY_ERROR, "",
	       WRONG(.type = 7, .base = "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
		     BYTES("\2\2\2xy"))),
	REFUSE("offset before the pack", ANY_ERROR, "",
	       WRONG(.type = 6, .back = 100000, BYTES("\2\2\2xy"))),
	REFUSE("offset of 0", ANY_ERROR, "", WRONG(.type = 6, .back = 0, BYTES("\2\2\2xy")),
	       .deadline_ms = 500),
	REFUSE("offset into the header", ANY_ERROR, "",
	       WRONG(.type = 6, .back = 11, BYTES("\2\2\2xy"))),
	REFUSE("delta to 8 GiB", ANY_ERROR, "",
	       WRONG(.type = 7, .base = ID_B, BYTES(DELTA_8_GIB))),
	REFUSE("delta copying from outside", ANY_ERROR, "",
	       WRONG(.type = 7, .base = ID_B, BYTES(DELTA_OUTSIDE))),
	REFUSE("delta without end", ANY_ERROR, "",
	       WRONG(.type = 7, .base = ID_B, BYTES(DELTA_ENDLESS))),
	REFUSE("delta of a base of other size", ANY_ERROR, "",
	       WRONG(.type = 7, .base = ID_B, BYTES("\7\2\2xy"))),
	REFUSE("entry of type 0", ANY_ERROR, "", WRONG(.type = 0, BYTES(CONTENT))),
	REFUSE("entry of type 5", ANY_ERROR, "", WRONG(.type = 5, BYTES(CONTENT))),
	REFUSE("entry claims 8 GiB", E2BIG, "is too large: 16777216 bytes",
	       WRONG(.type = 3, .size = 8ull << 30, BYTES(CONTENT))),
	REFUSE("entry claims more than it has", ANY_ERROR, "",
	       WRONG(.type = 3, .size = 5000, BYTES(CONTENT)), .deadline_ms = 500),
	REFUSE("entry claims less than it has", ANY_ERROR, "",
	       WRONG(.type = 3, .size = 3, BYTES(CONTENT))),
	REFUSE("entry of other content", EINVAL, "content its id",
	       WRONG(.type = 3, BYTES(CONTENT))),
	REFUSE("pack of 20 bytes", ANY_ERROR, "", DAMAGE("pack-plain.pack", 20, NULL)),
	REFUSE("empty pack", ANY_ERROR, "", DAMAGE("pack-plain.pack", 0, NULL)),
	REFUSE("no pack", ANY_ERROR, "", DAMAGE("pack-plain.pack", -1, NULL)),
	REFUSE("no index", ENOENT, "is missing", DAMAGE("pack-plain.idx", -1, NULL)),
	REFUSE("empty index", ENOENT, "is missing", DAMAGE("pack-plain.idx", 0, NULL)),
	REFUSE("index of 1000 bytes", ENOENT, "is missing",
	       DAMAGE("pack-plain.idx", 1000, NULL)),
	REFUSE("index of text", ENOENT, "is missing", DAMAGE("pack-plain.idx", 0, "no index")),
	TAKE("bad multi-pack-index",
	     DAMAGE("multi-pack-index", 0, "MIDX\1\1\4\0\377\377\377\377")),
	REFUSE("pack cut while its index is good", ANY_ERROR, "", .make = make_with_git,
	       .arg = "chmod u+w .git/objects/pack/*.pack; truncate -s 4096 "
		      ".git/objects/pack/*.pack"),
};

const struct corpus_list corpus_packs = {cases, ARRAY_SIZE(cases)};
