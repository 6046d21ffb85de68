/*
 * The object reader: both ends of the little protocol by which a jailed process hands out
 * objects of a repository it does not trust. Request: 1 byte verb ('O' object by id, 'P' expand
 * a prefix), 20 bytes id (for 'P' the prefix, left aligned, zero padded), 1 byte count of hex
 * digits. Two more verbs, whose id is not looked at: 'R' references, 'W' the id of the tree
 * that the work tree would be. Answer: 1 byte status, 1 byte git object type, 8 bytes size
 * (little endian), then size bytes ('P' and 'W': the 20-byte id; 'R': reader_refs() has the
 * lines). One side asks, answers come in order.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

enum reader_status {
	READER_OK = 0,
	READER_MISSING = 1,
	READER_TOO_LARGE = 2,
	READER_CORRUPT = 3,
	READER_AMBIGUOUS = 4,
};

struct reader_limits {
	uint64_t max_object_bytes;
};

/*
 * Serves requests on fd from the object store .git/objects below the current directory until
 * end of file; loose and pack backends only: no configuration, hooks, alternates or gitfiles
 * are read, and references only when they are asked for. The process is jailed already.
 */
int reader_serve(int fd, const struct reader_limits *limits, struct error *err);

/*
 * The references of .git below the current directory, a line each: "HEAD <what it says>" first
 * when there is one, "<40 hex> <name>", and at the end "broken <why>" when not all could be
 * read. -E2BIG past max bytes.
 */
int reader_refs(size_t max, struct buf *ret, struct error *err);
