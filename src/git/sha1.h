/* SHA-1 as the checksum at the end of git's files. Objects get their ids from libgit2, whose
 * SHA-1 notices collisions. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA1_BYTES 20

struct sha1 {
	uint32_t state[5];
	uint64_t size;
	unsigned char block[64];
};

void sha1_init(struct sha1 *sha1);
void sha1_add(struct sha1 *sha1, const void *data, size_t size);
void sha1_end(struct sha1 *sha1, unsigned char ret[SHA1_BYTES]);
