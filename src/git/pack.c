/*
 * The pack is made in memory, where its parts are, and written in one go. libgit2's own way
 * compresses, then inflates and hashes what it has just compressed, and maps a piece of the
 * file for each object.
 */
#include "git/pack.h"

#include "base/buf.h"
#include "base/file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha1.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define PACK_MODE 0444
#define PACK_SIGNATURE "PACK"
#define INDEX_SIGNATURE "\377tOc"
#define VERSION 2
#define FANOUT 256
#define HEAD_MAX_BYTES 10
/* Small objects: what the compressor clears for each of them would cost more than it gains. */
#define MEMORY_LEVEL 5

struct packed {
	git_oid id;
	uint32_t crc, offset;
};

struct writer {
	z_stream z;
	struct buf pack;
	struct packed *objects;
	size_t count;
	uint64_t bytes;
};

static void writer_release(struct writer *w)
{
	(void)deflateEnd(&w->z);
	buf_release(&w->pack);
	free(w->objects);
}

static void add_u32(struct buf *out, uint32_t value)
{
	value = htobe32(value);
	buf_add(out, &value, sizeof(value));
}

/* Type and size, seven bits a byte but for the first. */
static void add_head(struct buf *out, git_object_t type, size_t size)
{
	unsigned char head[HEAD_MAX_BYTES];
	size_t n = 0;

	head[n] = (unsigned char)((unsigned)type << 4 | (size & 15));
	for (size >>= 4; size > 0; size >>= 7) {
		head[n++] |= 0x80;
		head[n] = size & 0x7f;
	}
	buf_add(out, head, n + 1);
}

static int add_content(struct writer *w, const void *data, size_t size, struct error *err)
{
	unsigned char piece[16384];
	int r;

	w->z.next_in = (unsigned char *)data;
	w->z.avail_in = (uInt)size;
	do {
		w->z.next_out = piece;
		w->z.avail_out = sizeof(piece);
		r = deflate(&w->z, Z_FINISH);
		buf_add(&w->pack, piece, sizeof(piece) - w->z.avail_out);
	} while (r == Z_OK);
	if (r != Z_STREAM_END || deflateReset(&w->z) != Z_OK)
		return error_set(err, EIO, "cannot compress an object");
	return 0;
}

static int add_object(struct writer *w, git_odb *from, const git_oid *id, struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *object = NULL;
	struct packed *packed = &w->objects[w->count++];
	size_t size;
	int r = git_odb_read(&object, from, id);

	if (r < 0)
		return git_fail(r, err, "cannot read an object for the pack");
	size = git_odb_object_size(object);
	w->bytes += size;
	if (w->bytes > PACK_MAX_BYTES)
		return error_set(err, E2BIG, "more than %u bytes are too many for one pack",
				 PACK_MAX_BYTES);
	*packed = (struct packed){.id = *id, .offset = (uint32_t)w->pack.size};
	add_head(&w->pack, git_odb_object_type(object), size);
	r = add_content(w, git_odb_object_data(object), size, err);
	packed->crc = (uint32_t)crc32(0, (unsigned char *)w->pack.data + packed->offset,
				      (uInt)(w->pack.size - packed->offset));
	return r;
}

static void add_checksum(struct buf *out, unsigned char ret[SHA1_DIGEST_SIZE])
{
	struct sha1_ctx sha1;

	sha1_init(&sha1);
	sha1_update(&sha1, out->size, (const uint8_t *)out->data);
	sha1_digest(&sha1, SHA1_DIGEST_SIZE, ret);
	buf_add(out, ret, SHA1_DIGEST_SIZE);
}

static int by_id(const void *a, const void *b)
{
	return git_oid_cmp(&((const struct packed *)a)->id, &((const struct packed *)b)->id);
}

/* Sorts the objects. */
static void make_index(struct writer *w, const unsigned char checksum[SHA1_DIGEST_SIZE],
		       struct buf *out)
{
	unsigned char own[SHA1_DIGEST_SIZE];
	size_t below = 0;

	qsort(w->objects, w->count, sizeof(*w->objects), by_id);
	buf_add(out, INDEX_SIGNATURE, 4);
	add_u32(out, VERSION);
	for (unsigned first = 0; first < FANOUT; first++) {
		while (below < w->count && w->objects[below].id.id[0] <= first)
			below++;
		add_u32(out, (uint32_t)below);
	}
	for (size_t i = 0; i < w->count; i++)
		buf_add(out, w->objects[i].id.id, sizeof(w->objects[i].id.id));
	for (size_t i = 0; i < w->count; i++)
		add_u32(out, w->objects[i].crc);
	for (size_t i = 0; i < w->count; i++)
		add_u32(out, w->objects[i].offset);
	buf_add(out, checksum, SHA1_DIGEST_SIZE);
	add_checksum(out, own);
}

/* Synced, under its temporary name; the umask counts. */
static int write_temporary(int dir_fd, const char *name, const struct buf *data,
			   struct error *err)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       PACK_MODE);
	int r = fd < 0 ? -errno : file_write_all(fd, data->data, data->size);

	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? error_set_errno(err, -r, "cannot write '%s'", name) : 0;
}

/* The pack gets its name first: an index without one is what recovery removes. */
static int put_in_place(int dir_fd, const struct buf *pack, const struct buf *index,
			const char *name, struct error *err)
{
	const struct buf *const contents[] = {pack, index};
	static const char *const suffixes[] = {"pack", "idx"};
	int r = 0;

	for (unsigned i = 0; i < 2 && r == 0; i++) {
		_cleanup_free_ char *final = str_format("pack-%s.%s", name, suffixes[i]);
		_cleanup_free_ char *temporary = str_format("tmp_%s", final);

		if (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT)
			return error_set_errno(err, errno, "cannot remove '%s'", temporary);
		r = write_temporary(dir_fd, temporary, contents[i], err);
		if (r == 0 && renameat(dir_fd, temporary, dir_fd, final) < 0)
			r = error_set_errno(err, errno, "cannot rename '%s'", temporary);
		if (r < 0)
			(void)unlinkat(dir_fd, temporary, 0);
	}
	if (r == 0 && fsync(dir_fd) < 0)
		r = error_set_errno(err, errno, "cannot sync the directory of packs");
	return r;
}

static int store(struct repo *to, struct writer *w, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/.git/objects/pack", to->dir);
	_cleanup_close_ int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_buf_ struct buf index = {};
	char name[OID_HEX_SIZE];
	git_oid checksum;

	if (dir_fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	add_checksum(&w->pack, checksum.id);
	make_index(w, checksum.id, &index);
	oid_from_git(name, &checksum);
	return put_in_place(dir_fd, &w->pack, &index, name, err);
}

int pack_write(struct repo *to, git_odb *from, const git_oid *ids, size_t n, struct error *err)
{
	_cleanup_(writer_release) struct writer w = {};
	int r = 0;

	if (n > PACK_MAX_OBJECTS)
		return error_set(err, E2BIG, "more than %u objects are too many for one pack",
				 PACK_MAX_OBJECTS);
	if (deflateInit2(&w.z, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return error_set(err, ENOMEM, "cannot start zlib");
	w.objects = mem_new(n, sizeof(*w.objects));
	buf_add_str(&w.pack, PACK_SIGNATURE);
	add_u32(&w.pack, VERSION);
	add_u32(&w.pack, (uint32_t)n);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_object(&w, from, &ids[i], err);
	return r < 0 ? r : store(to, &w, err);
}
