/* Single objects that are absent, of another kind, damaged, or no files at all. */
#include "corpus/corpus.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ID_A "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define MIB (1u << 20)

/* tip: a commit of a tree with one entry of this mode and id */
static void point_at(struct raw_repo *repo, const char *mode, const char *id)
{
	_cleanup_buf_ struct buf tree = {};

	raw_add_entry(&tree, mode, "odd", 0, id);
	raw_tip(repo, &tree);
}

static void make_missing(struct raw_repo *repo, const void *arg)
{
	raw_init(repo);
	point_at(repo, arg, ID_A);
}

static void make_missing_tip(struct raw_repo *repo, const void *arg)
{
	raw_init(repo);
	memcpy(repo->tip, arg, OID_HEX_SIZE);
}

static void make_missing_parent(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf empty = {};
	char tree[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	raw_put_tree(repo, &empty, tree);
	raw_put_commit(repo, tree, ID_A, repo->tip);
}

static void make_blob_as_tree(struct raw_repo *repo, const void *arg)
{
	char blob[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	raw_put_text(repo, "content", blob);
	point_at(repo, "40000", blob);
}

static void make_two_types(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf tree = {};
	char blob[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	raw_put_text(repo, "content", blob);
	raw_add_entry(&tree, "100644", "a", 0, blob);
	raw_add_entry(&tree, "40000", "b", 0, blob);
	raw_tip(repo, &tree);
}

static void make_sized(struct raw_repo *repo, const void *arg)
{
	size_t size = *(const size_t *)arg;
	_cleanup_free_ char *data = mem_new(size, 1);
	char blob[OID_HEX_SIZE];

	memset(data, 'x', size);
	raw_init(repo);
	raw_put(repo, GIT_OBJECT_BLOB, data, size, blob);
	point_at(repo, "100644", blob);
}

static void make_many(struct raw_repo *repo, const void *arg)
{
	_cleanup_buf_ struct buf tree = {};

	raw_init(repo);
	raw_begin(repo);
	for (unsigned i = 0; i < *(const unsigned *)arg; i++) {
		char name[16], blob[OID_HEX_SIZE];

		snprintf(name, sizeof(name), "%07u", i);
		raw_put_text(repo, name, blob);
		raw_add_entry(&tree, "100644", name, 0, blob);
	}
	raw_tip(repo, &tree);
	raw_end(repo);
}

/* A loose blob whose header is not what its id stands for. */
struct lie {
	const char *header;
	size_t body;
	size_t cut; /* bytes missing from the file */
};

static void make_lie(struct raw_repo *repo, const void *arg)
{
	const struct lie *lie = arg;
	_cleanup_free_ char *body = mem_new(lie->body + 1, 1), *path = NULL;
	struct stat st;

	memset(body, 'x', lie->body);
	raw_init(repo);
	raw_put_loose(repo, ID_A, lie->header, body, lie->body);
	path = raw_loose_path(repo, ID_A);
	must(stat(path, &st) == 0 && truncate(path, st.st_size - (off_t)lie->cut) == 0, path);
	point_at(repo, "100644", ID_A);
}

static void make_garbage(struct raw_repo *repo, const void *arg)
{
	_cleanup_free_ char *path = NULL;

	raw_init(repo);
	path = raw_loose_path(repo, ID_A);
	raw_write_file(path, arg, strlen(arg));
	point_at(repo, "100644", ID_A);
}

/* What stands where the object's file should be. */
static void make_fifo(struct raw_repo *repo, const void *arg)
{
	_cleanup_free_ char *path = NULL;

	(void)arg;
	raw_init(repo);
	path = raw_loose_path(repo, ID_A);
	must(mkfifo(path, 0666) == 0, path);
	point_at(repo, "100644", ID_A);
}

static void make_directory(struct raw_repo *repo, const void *arg)
{
	_cleanup_free_ char *path = NULL;

	(void)arg;
	raw_init(repo);
	path = raw_loose_path(repo, ID_A);
	must(mkdir(path, 0755) == 0, path);
	point_at(repo, "100644", ID_A);
}

static void make_socket(struct raw_repo *repo, const void *arg)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_free_ char *path = NULL;

	(void)arg;
	raw_init(repo);
	path = raw_loose_path(repo, ID_A);
	must(strlen(path) < sizeof(address.sun_path), path);
	strcpy(address.sun_path, path);
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, path);
	point_at(repo, "100644", ID_A);
}

static void make_unreadable(struct raw_repo *repo, const void *arg)
{
	_cleanup_free_ char *path = NULL;
	char blob[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	raw_put_text(repo, "content", blob);
	path = raw_loose_path(repo, blob);
	must(chmod(path, 0) == 0, path);
	point_at(repo, "100644", blob);
}

static void make_inner_symlink(struct raw_repo *repo, const void *arg)
{
	_cleanup_free_ char *path = NULL, *aside = NULL;
	char blob[OID_HEX_SIZE];

	(void)arg;
	raw_init(repo);
	raw_put_text(repo, "content", blob);
	path = raw_loose_path(repo, blob);
	aside = raw_path(repo, "aside");
	must(rename(path, aside) == 0 && symlink("../../../aside", path) == 0, path);
	point_at(repo, "100644", blob);
}

#define SIZED(n)                                   \
	.make = make_sized, .arg = &(const size_t) \
	{                                          \
		n                                  \
	}
#define MANY(n)                                     \
	.make = make_many, .arg = &(const unsigned) \
	{                                           \
		n                                   \
	}
#define LIE(...)                                     \
	.make = make_lie, .arg = &(const struct lie) \
	{                                            \
		__VA_ARGS__                          \
	}
#define NULL_ID "0000000000000000000000000000000000000000"

static const struct corpus_case cases[] = {
	REFUSE("null id", ENOENT, "is missing", .make = make_missing_tip, .arg = NULL_ID),
	REFUSE("missing tip", ENOENT, "(commit a1a1a1a1a1a1) is missing",
	       .make = make_missing_tip, .arg = ID_A),
	REFUSE("missing blob", ENOENT, "'odd' (blob a1a1a1a1a1a1) is missing",
	       .make = make_missing, .arg = "100644"),
	REFUSE("missing tree", ENOENT, "'odd' (tree a1a1a1a1a1a1) is missing",
	       .make = make_missing, .arg = "40000"),
	REFUSE("missing parent", ENOENT, "is missing", .make = make_missing_parent),
	REFUSE("blob for a tree", EINVAL, "'odd'", .make = make_blob_as_tree),
	REFUSE("one id of two types", EINVAL, "'b'", .make = make_two_types),
	TAKE("blob of 16 MiB", SIZED(16 * MIB), .flags = "large-diff"),
	REFUSE("blob of a byte more", E2BIG, "'odd'", SIZED(16 * MIB + 1)),
	REFUSE("more bytes than allowed", E2BIG, "may add", SIZED(MIB), .max_bytes = MIB,
	       .flags = "large-diff"),
	TAKE("as many objects as allowed", MANY(98), .max_objects = 100),
	REFUSE("more objects than allowed", E2BIG, "is one too many: 100 new objects", MANY(99),
	       .max_objects = 100),
	REFUSE("20001 objects", E2BIG, "is one too many: 20000 new objects", MANY(19999)),
	REFUSE("other content", EINVAL, "does not have the content", LIE("blob 5", 5, 0)),
	REFUSE("header of another type", EINVAL, "another type", LIE("tree 5", 5, 0)),
	REFUSE("header of 8 GiB", E2BIG, "is too large: 16777216 bytes",
	       LIE("blob 8589934592", 5, 0)),
	REFUSE("header of 2^64", ANY_ERROR, "", LIE("blob 18446744073709551615", 5, 0)),
	REFUSE("header of 2^64 and more", ANY_ERROR, "",
	       LIE("blob 99999999999999999999999", 5, 0)),
	REFUSE("header of 5, body of 64 MiB", ANY_ERROR, "", LIE("blob 5", 64 * MIB, 0)),
	REFUSE("header of 5000, body of 5", ANY_ERROR, "", LIE("blob 5000", 5, 0),
	       .deadline_ms = 500),
	REFUSE("truncated stream", ANY_ERROR, "", LIE("blob 5000", 5000, 1000),
	       .deadline_ms = 500),
	REFUSE("truncated checksum", ANY_ERROR, "", LIE("blob 5", 5, 2), .deadline_ms = 500),
	REFUSE("bad type word", EINVAL, "", LIE("blub 5", 5, 0)),
	REFUSE("no size", EINVAL, "", LIE("blob ", 5, 0)),
	REFUSE("no header", EINVAL, "", LIE("", 5, 0)),
	REFUSE("garbage", EINVAL, "", .make = make_garbage, .arg = "not a git object at all"),
	REFUSE("empty file", EINVAL, "", .make = make_garbage, .arg = ""),
	REFUSE("FIFO", ETIMEDOUT, "took too long", .make = make_fifo, .deadline_ms = 500),
	REFUSE("directory", ANY_ERROR, "", .make = make_directory),
	REFUSE("socket", ANY_ERROR, "", .make = make_socket),
	REFUSE("unreadable", ANY_ERROR, "", .make = make_unreadable, .needs_jail = true),
	TAKE("symlink within the repository", .make = make_inner_symlink),
};

const struct corpus_list corpus_objects = {cases, ARRAY_SIZE(cases)};
