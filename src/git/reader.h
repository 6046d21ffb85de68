/*
 * The object reader: both ends of the little protocol by which a jailed process hands out
 * objects of a repository it does not trust. Request: 1 byte verb ('O' object by id, 'P' expand
 * a prefix), 20 bytes id (for 'P' the prefix, left aligned, zero padded), 1 byte count of hex
 * digits. Answer: 1 byte status, 1 byte git object type, 8 bytes size (little endian), then
 * size bytes ('P': the 20-byte id). One side asks, answers come in order.
 */
#pragma once

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
 * end of file; loose and pack backends only: no configuration, references, hooks, alternates or
 * gitfiles are read. The process is jailed already.
 */
int reader_serve(int fd, const struct reader_limits *limits, struct error *err);
