/*
 * The file is a line that names its format, then records: a head, the tag object's bytes, a
 * NUL, and zeros up to the next multiple of 8. A record whose checksum is wrong ends what is
 * believed: a write that was cut short stands last.
 */
#include "git/tagbook.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "git/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "skep tags 1\n\0\0\0"
#define MAGIC_SIZE 16
#define FILE_MAX_BYTES (1LL << 30)
#define FILE_MODE 0640

_Static_assert(sizeof(MAGIC) == MAGIC_SIZE, "records stand at multiples of 8");

struct head {
	uint64_t check;
	uint32_t size; /* of the tag object */
	unsigned char id[GIT_OID_RAWSZ];
};

struct slot {
	uint32_t at; /* of the record, in units of 8 bytes; 0: none */
	bool asked;
};

struct tagbook {
	char *path;
	char *data;         /* mapped; NULL: nothing */
	size_t size, good;  /* of the file, and how much of it is believed */
	struct slot *slots; /* a power of two of them */
	size_t n_slots, records, asked;
	struct buf added; /* records */
};

static size_t padded(size_t size)
{
	return (size + 8) & ~(size_t)7; /* with its NUL */
}

static void mix(uint64_t *sum, const void *eight)
{
	uint64_t word;

	memcpy(&word, eight, sizeof(word));
	*sum = (*sum ^ word) * 0xff51afd7ed558ccdULL;
	*sum ^= *sum >> 32;
}

/* Against accidents; who can write the file can write the repositories too. */
static uint64_t checksum(const struct head *head, const char *padded_data)
{
	uint64_t sum = 0x9e3779b97f4a7c15ULL ^ head->size;

	mix(&sum, head->id);
	mix(&sum, head->id + 8);
	mix(&sum, head->id + sizeof(head->id) - 8);
	for (size_t i = 0; i < padded(head->size); i += 8)
		mix(&sum, padded_data + i);
	return sum;
}

static const struct head *record_at(const struct tagbook *book, const struct slot *slot)
{
	return (const struct head *)(const void *)(book->data + (size_t)slot->at * 8);
}

/* Where an id is or belongs. */
static struct slot *find(const struct tagbook *book, const unsigned char *id)
{
	uint64_t hash;

	memcpy(&hash, id, sizeof(hash));
	for (size_t i = hash & (book->n_slots - 1);; i = (i + 1) & (book->n_slots - 1)) {
		struct slot *slot = &book->slots[i];

		if (!slot->at || memcmp(record_at(book, slot)->id, id, GIT_OID_RAWSZ) == 0)
			return slot;
	}
}

/* The size of the sound record at this place; 0: there is none. */
static size_t sound_record(const struct tagbook *book, size_t at)
{
	struct head head;

	if (book->size - at < sizeof(head))
		return 0;
	memcpy(&head, book->data + at, sizeof(head));
	at += sizeof(head);
	if (head.size > book->size || padded(head.size) > book->size - at ||
	    book->data[at + head.size] != '\0' ||
	    checksum(&head, book->data + at) != head.check)
		return 0;
	return sizeof(head) + padded(head.size);
}

static void make_index(struct tagbook *book)
{
	size_t at = MAGIC_SIZE, size;

	while ((size = sound_record(book, at)) > 0) {
		book->records++;
		at += size;
	}
	book->good = at;
	for (book->n_slots = 16; book->n_slots < 2 * book->records;)
		book->n_slots *= 2;
	book->slots = mem_new(book->n_slots, sizeof(*book->slots));
	for (at = MAGIC_SIZE; at < book->good;) {
		const struct head *head = (const void *)(book->data + at);

		find(book, head->id)->at = (uint32_t)(at / 8);
		at += sizeof(*head) + padded(head->size);
	}
}

struct tagbook *tagbook_open(const char *path)
{
	struct tagbook *book = mem_new(1, sizeof(*book));
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	void *data;

	book->path = str_dup(path);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_size < MAGIC_SIZE || st.st_size > FILE_MAX_BYTES)
		return book;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED)
		return book;
	book->data = data;
	book->size = (size_t)st.st_size;
	if (memcmp(book->data, MAGIC, MAGIC_SIZE) == 0)
		make_index(book);
	return book;
}

int tagbook_get(struct tagbook *book, const char *oid, struct tag *ret)
{
	const struct head *head;
	struct slot *slot;
	git_oid id;

	if (!book->slots || oid_to_git(&id, oid, NULL) < 0)
		return 0;
	slot = find(book, id.id);
	if (!slot->at)
		return 0;
	head = record_at(book, slot);
	if (tag_parse((const char *)(head + 1), head->size, ret, NULL) < 0)
		return 0;
	book->asked += !slot->asked;
	slot->asked = true;
	return 1;
}

static void add_record(struct buf *out, const unsigned char *id, const char *data, size_t size)
{
	static const char zeros[8];
	struct head head = {.size = (uint32_t)size};
	size_t start = out->size;

	memcpy(head.id, id, sizeof(head.id));
	buf_add(out, &head, sizeof(head));
	buf_add(out, data, size);
	buf_add(out, zeros, padded(size) - size);
	head.check = checksum(&head, out->data + start + sizeof(head));
	memcpy(out->data + start, &head, sizeof(head));
}

int tagbook_read(struct tagbook *book, struct repo *repo, const char *oid, struct tag *ret,
		 struct error *err)
{
	_cleanup_buf_ struct buf raw = {};
	git_oid id;
	int r;

	if ((r = oid_to_git(&id, oid, err)) < 0 || (r = tag_read_raw(repo, oid, &raw, err)) < 0)
		return r;
	r = tag_parse(buf_str(&raw), raw.size, ret, err);
	if (r < 0)
		return error_prefix(err, "object %s", oid);
	add_record(&book->added, id.id, raw.data, raw.size);
	return 0;
}

/* What was asked for, and what is new. */
static void write_all(const struct tagbook *book)
{
	_cleanup_buf_ struct buf out = {};

	buf_add(&out, MAGIC, MAGIC_SIZE);
	for (size_t i = 0; i < book->n_slots; i++) {
		const struct head *head;

		if (!book->slots[i].asked)
			continue;
		head = record_at(book, &book->slots[i]);
		buf_add(&out, head, sizeof(*head) + padded(head->size));
	}
	buf_add(&out, book->added.data, book->added.size);
	(void)file_write_atomic(AT_FDCWD, book->path, out.data, out.size, FILE_MODE, NULL);
}

static void append(const struct tagbook *book)
{
	_cleanup_close_ int fd = open(book->path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		(void)file_write_all(fd, book->added.data, book->added.size);
}

void tagbook_close(struct tagbook *book)
{
	if (!book)
		return;
	if (!book->slots || book->good < book->size || book->asked < book->records / 2) {
		if (book->added.size > 0 || book->data)
			write_all(book);
	} else if (book->added.size > 0) {
		append(book);
	}
	if (book->data)
		(void)munmap(book->data, book->size);
	buf_release(&book->added);
	free(book->slots);
	free(book->path);
	free(book);
}
