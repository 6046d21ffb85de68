#include "corpus/raw.h"

#include "base/cleanup.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STORED_MAX 65535

struct raw_batch {
	struct raw_packed *entries;
	size_t n, room;
};

void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "corpus: %s: %s\n", what, strerror(errno));
	abort();
}

char *raw_path(const struct raw_repo *repo, const char *format, ...)
{
	struct buf path = {};
	char rest[512];
	va_list args;

	va_start(args, format);
	vsnprintf(rest, sizeof(rest), format, args);
	va_end(args);
	buf_addf(&path, "%s/%s", repo->dir, rest);
	return buf_take(&path);
}

void raw_write_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "we");

	must(f != NULL, path);
	must(size == 0 || fwrite(data, size, 1, f) == 1, path);
	must(fclose(f) == 0, path);
}

void raw_init(const struct raw_repo *repo)
{
	static const char *const dirs[] = {
		".git",      ".git/objects",    ".git/objects/info", ".git/objects/pack",
		".git/refs", ".git/refs/heads", ".git/info",
	};
	static const char head[] = "ref: refs/heads/main\n";
	static const char config[] = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n";
	_cleanup_free_ char *head_path = raw_path(repo, ".git/HEAD");
	_cleanup_free_ char *config_path = raw_path(repo, ".git/config");

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *path = raw_path(repo, "%s", dirs[i]);

		must(mkdir(path, 0755) == 0, path);
	}
	raw_write_file(head_path, head, strlen(head));
	raw_write_file(config_path, config, strlen(config));
}

void raw_shell(const struct raw_repo *repo, const char *command)
{
	_cleanup_free_ char *line =
		str_format("set -- '%s' '%s'; export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 "
			   "GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A "
			   "GIT_COMMITTER_EMAIL=a@b GIT_AUTHOR_DATE='1757000000 +0000' "
			   "GIT_COMMITTER_DATE='1757000000 +0000' " RAW_GIT_FAST
			   "; cd \"$1\" || exit 1; set "
			   "-e; { %s\n} >/dev/null 2>&1",
			   repo->dir, repo->secret, command);
	int status = system(line);

	must(WIFEXITED(status) && WEXITSTATUS(status) == 0, command);
}

void raw_deflate(struct buf *out, const void *data, size_t size)
{
	const unsigned char *p = data;
	uint32_t a = 1, b = 0;
	unsigned char tail[4];

	buf_add(out, "\x78\x01", 2);
	do {
		size_t n = size < STORED_MAX ? size : STORED_MAX;
		const unsigned char head[5] = {
			n == size,         (unsigned char)n,         (unsigned char)(n >> 8),
			(unsigned char)~n, (unsigned char)(~n >> 8),
		};

		buf_add(out, head, sizeof(head));
		buf_add(out, p, n);
		for (size_t i = 0; i < n; i++) {
			a = (a + p[i]) % 65521;
			b = (b + a) % 65521;
		}
		p += n;
		size -= n;
	} while (size > 0);
	for (int i = 0; i < 4; i++)
		tail[i] = (unsigned char)((b << 16 | a) >> (24 - 8 * i));
	buf_add(out, tail, sizeof(tail));
}

void raw_id(char ret[OID_HEX_SIZE], git_object_t type, const void *data, size_t size)
{
	git_oid id;

	must(git_odb_hash(&id, data, size, type) == 0, "hash");
	git_oid_tostr(ret, OID_HEX_SIZE, &id);
}

char *raw_loose_path(const struct raw_repo *repo, const char *id)
{
	_cleanup_free_ char *dir = raw_path(repo, ".git/objects/%.2s", id);

	must(mkdir(dir, 0755) == 0 || errno == EEXIST, dir);
	return str_format("%s/%s", dir, id + 2);
}

void raw_put_loose(const struct raw_repo *repo, const char *id, const char *header,
		   const void *data, size_t size)
{
	_cleanup_buf_ struct buf plain = {}, packed = {};
	_cleanup_free_ char *path = raw_loose_path(repo, id);

	buf_add(&plain, header, strlen(header) + 1);
	buf_add(&plain, data, size);
	raw_deflate(&packed, plain.data, plain.size);
	raw_write_file(path, packed.data, packed.size);
}

static void batch_add(struct raw_batch *batch, const char *id, git_object_t type,
		      const void *data, size_t size)
{
	struct raw_packed *entry;
	void *copy = mem_new(size + 1, 1);

	memcpy(copy, data, size);
	if (batch->n == batch->room) {
		batch->room = batch->room ? 2 * batch->room : 64;
		batch->entries = mem_grow(batch->entries, batch->room, sizeof(*batch->entries));
	}
	entry = &batch->entries[batch->n++];
	*entry = (struct raw_packed){.type = (unsigned)type,
				     .size = size,
				     .data = copy,
				     .data_size = size};
	memcpy(entry->id, id, OID_HEX_SIZE);
}

void raw_begin(struct raw_repo *repo)
{
	repo->batch = mem_new(1, sizeof(*repo->batch));
}

void raw_end(struct raw_repo *repo)
{
	struct raw_batch *batch = TAKE_PTR(repo->batch);

	raw_put_pack(repo, "batch", batch->entries, batch->n);
	for (size_t i = 0; i < batch->n; i++)
		free((void *)batch->entries[i].data);
	free(batch->entries);
	free(batch);
}

void raw_put(const struct raw_repo *repo, git_object_t type, const void *data, size_t size,
	     char ret[OID_HEX_SIZE])
{
	_cleanup_free_ char *header = str_format("%s %zu", git_object_type2string(type), size);

	raw_id(ret, type, data, size);
	if (repo->batch) {
		batch_add(repo->batch, ret, type, data, size);
		return;
	}
	raw_put_loose(repo, ret, header, data, size);
}

void raw_put_text(const struct raw_repo *repo, const char *text, char ret[OID_HEX_SIZE])
{
	raw_put(repo, GIT_OBJECT_BLOB, text, strlen(text), ret);
}

void raw_add_entry(struct buf *tree, const char *mode, const char *name, size_t name_size,
		   const char *id)
{
	git_oid oid;

	must(git_oid_fromstr(&oid, id) == 0, id);
	buf_addf(tree, "%s ", mode);
	buf_add(tree, name, name_size ? name_size : strlen(name));
	buf_add_char(tree, '\0');
	buf_add(tree, oid.id, sizeof(oid.id));
}

void raw_put_tree(const struct raw_repo *repo, const struct buf *tree, char ret[OID_HEX_SIZE])
{
	raw_put(repo, GIT_OBJECT_TREE, buf_str(tree), tree->size, ret);
}

void raw_put_commit(const struct raw_repo *repo, const char *tree, const char *parent,
		    char ret[OID_HEX_SIZE])
{
	_cleanup_buf_ struct buf text = {};

	buf_addf(&text, "tree %s\n", tree);
	if (parent)
		buf_addf(&text, "parent %s\n", parent);
	buf_add_str(&text, "author A <a@b> 1757000000 +0000\n"
			   "committer A <a@b> 1757000000 +0000\n\nchange\n");
	raw_put(repo, GIT_OBJECT_COMMIT, text.data, text.size, ret);
}

void raw_tip(struct raw_repo *repo, const struct buf *tree)
{
	char id[OID_HEX_SIZE];

	raw_put_tree(repo, tree, id);
	raw_put_commit(repo, id, NULL, repo->tip);
}

/* Type and size as a pack has them: 4 bits, then 7 at a time, lowest first. */
static void add_pack_head(struct buf *out, unsigned type, uint64_t size)
{
	unsigned char byte = (unsigned char)(type << 4 | (size & 15));

	for (size >>= 4; size > 0; size >>= 7) {
		buf_add_char(out, (char)(byte | 0x80));
		byte = size & 0x7f;
	}
	buf_add_char(out, (char)byte);
}

/* The distance of an offset delta: 7 bits at a time, highest first, each but the last one less.
 */
static void add_distance(struct buf *out, uint64_t back)
{
	unsigned char bytes[10];
	size_t i = sizeof(bytes);

	bytes[--i] = back & 0x7f;
	while ((back >>= 7) > 0)
		bytes[--i] = (unsigned char)(0x80 | (--back & 0x7f));
	buf_add(out, bytes + i, sizeof(bytes) - i);
}

static void add_be32(struct buf *out, uint32_t value)
{
	value = htobe32(value);
	buf_add(out, &value, sizeof(value));
}

static void add_id(struct buf *out, const char *id)
{
	git_oid oid;

	must(git_oid_fromstr(&oid, id) == 0, id);
	buf_add(out, oid.id, sizeof(oid.id));
}

static int compare_packed(const void *a, const void *b)
{
	return strcmp(((const struct raw_packed *)a)->id, ((const struct raw_packed *)b)->id);
}

static unsigned first_byte(const char *id)
{
	char two[3] = {id[0], id[1], '\0'};

	return (unsigned)strtoul(two, NULL, 16);
}

/* Version 2: fan-out, ids in order, checksums nobody looks at, offsets, the pack's trailer. */
static void write_index(const char *path, const struct raw_packed *entries,
			const uint32_t *offsets, size_t n, const char *trailer)
{
	_cleanup_buf_ struct buf index = {};
	uint32_t counts[256] = {};

	buf_add(&index, "\377tOc\0\0\0\2", 8);
	for (size_t i = 0; i < n; i++)
		counts[first_byte(entries[i].id)]++;
	for (unsigned byte = 0; byte < 256; byte++) {
		if (byte > 0)
			counts[byte] += counts[byte - 1];
		add_be32(&index, counts[byte]);
	}
	for (size_t i = 0; i < n; i++)
		add_id(&index, entries[i].id);
	for (size_t i = 0; i < n; i++)
		add_be32(&index, 0);
	for (size_t i = 0; i < n; i++)
		add_be32(&index, offsets[i]);
	buf_add(&index, trailer, 20);
	buf_add(&index, trailer, 20);
	raw_write_file(path, index.data, index.size);
}

void raw_put_pack(const struct raw_repo *repo, const char *name, struct raw_packed *entries,
		  size_t n)
{
	static const char trailer[] = "not a checksum......";
	_cleanup_free_ uint32_t *offsets = mem_new(n, sizeof(*offsets));
	_cleanup_free_ char *pack_path = raw_path(repo, ".git/objects/pack/pack-%s.pack", name);
	_cleanup_free_ char *index_path = raw_path(repo, ".git/objects/pack/pack-%s.idx", name);
	_cleanup_buf_ struct buf pack = {};

	qsort(entries, n, sizeof(*entries), compare_packed);
	buf_add(&pack, "PACK\0\0\0\2", 8);
	add_be32(&pack, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		offsets[i] = (uint32_t)pack.size;
		add_pack_head(&pack, entries[i].type, entries[i].size);
		if (entries[i].type == 6)
			add_distance(&pack, entries[i].back);
		if (entries[i].type == 7)
			add_id(&pack, entries[i].base);
		raw_deflate(&pack, entries[i].data, entries[i].data_size);
	}
	buf_add(&pack, trailer, 20);
	raw_write_file(pack_path, pack.data, pack.size);
	write_index(index_path, entries, offsets, n, trailer);
}
