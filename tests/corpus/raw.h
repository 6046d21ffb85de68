/*
 * Repositories written byte by byte, so that they can be wrong in every way: loose objects,
 * trees, commits, packs with their index. Whatever the file system refuses ends the program.
 */
#pragma once

#include "base/buf.h"
#include "model/oid.h"

#include <git2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raw_batch;

struct raw_repo {
	const char *dir;    /* holds .git */
	const char *secret; /* another repository's directory, which must stay unread */
	char secret_blob[OID_HEX_SIZE], secret_commit[OID_HEX_SIZE];
	char tip[OID_HEX_SIZE]; /* what is to be imported */
	struct raw_batch *batch;
};

/* Shell: git children need not wait for the disk. */
#define RAW_GIT_FAST "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.fsync GIT_CONFIG_VALUE_0=none"

void must(bool ok, const char *what);

/* "DIR/…", the caller frees. */
char *raw_path(const struct raw_repo *repo, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void raw_write_file(const char *path, const void *data, size_t size);

/* .git with HEAD, config, objects, refs. */
void raw_init(const struct raw_repo *repo);

/* Runs a shell command with the repository as $1 and the secret one as $2, without anyone's
 * configuration. */
void raw_shell(const struct raw_repo *repo, const char *command);

/* zlib's format without compression (RFC 1950, RFC 1951 stored blocks). */
void raw_deflate(struct buf *out, const void *data, size_t size);

void raw_id(char ret[OID_HEX_SIZE], git_object_t type, const void *data, size_t size);

/* The path of the loose object called id; its directory is made. The caller frees. */
char *raw_loose_path(const struct raw_repo *repo, const char *id);

/* A loose object with any header ("blob 5") and content under any id. */
void raw_put_loose(const struct raw_repo *repo, const char *id, const char *header,
		   const void *data, size_t size);

/* A true loose object. */
void raw_put(const struct raw_repo *repo, git_object_t type, const void *data, size_t size,
	     char ret[OID_HEX_SIZE]);
void raw_put_text(const struct raw_repo *repo, const char *text, char ret[OID_HEX_SIZE]);

/* name_size 0: strlen(name) */
void raw_add_entry(struct buf *tree, const char *mode, const char *name, size_t name_size,
		   const char *id);
void raw_put_tree(const struct raw_repo *repo, const struct buf *tree, char ret[OID_HEX_SIZE]);

/* parent may be NULL */
void raw_put_commit(const struct raw_repo *repo, const char *tree, const char *parent,
		    char ret[OID_HEX_SIZE]);

/* tip = a commit of the tree */
void raw_tip(struct raw_repo *repo, const struct buf *tree);

/* A pack of n entries, each as it stands in a pack (see git's gitformat-pack(5)). */
struct raw_packed {
	char id[OID_HEX_SIZE];
	unsigned type;    /* 1 to 4, 6 offset delta, 7 reference delta */
	uint64_t size;    /* claimed */
	uint64_t back;    /* for 6: how far back its base is */
	const char *base; /* for 7 */
	const void *data;
	size_t data_size;
};
void raw_put_pack(const struct raw_repo *repo, const char *name, struct raw_packed *entries,
		  size_t n);

/* From the one to the other, objects put go into one pack: for those who put thousands. */
void raw_begin(struct raw_repo *repo);
void raw_end(struct raw_repo *repo);
