/* RFC 3174. */
#include "git/sha1.h"

#include <endian.h>
#include <string.h>

#define BLOCK_BYTES 64
#define ROUNDS 80

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void add_block(uint32_t state[5], const unsigned char *block)
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
	uint32_t words[ROUNDS];

	memcpy(words, block, BLOCK_BYTES);
	for (unsigned i = 0; i < 16; i++)
		words[i] = be32toh(words[i]);
	for (unsigned i = 16; i < ROUNDS; i++)
		words[i] =
			rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t f, k, next;

		if (i < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (i < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (i < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		next = rotate(a, 5) + f + e + k + words[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

void sha1_init(struct sha1 *sha1)
{
	*sha1 = (struct sha1){
		.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0},
	};
}

void sha1_add(struct sha1 *sha1, const void *data, size_t size)
{
	const unsigned char *at = data;
	size_t held = sha1->size % BLOCK_BYTES;

	sha1->size += size;
	if (held + size < BLOCK_BYTES) {
		if (size > 0)
			memcpy(sha1->block + held, at, size);
		return;
	}
	if (held > 0) {
		memcpy(sha1->block + held, at, BLOCK_BYTES - held);
		add_block(sha1->state, sha1->block);
		at += BLOCK_BYTES - held;
		size -= BLOCK_BYTES - held;
	}
	for (; size >= BLOCK_BYTES; at += BLOCK_BYTES, size -= BLOCK_BYTES)
		add_block(sha1->state, at);
	memcpy(sha1->block, at, size);
}

void sha1_end(struct sha1 *sha1, unsigned char ret[SHA1_BYTES])
{
	static const unsigned char padding[BLOCK_BYTES] = {0x80};
	uint64_t bits = htobe64(sha1->size * 8);
	size_t held = sha1->size % BLOCK_BYTES;

	sha1_add(sha1, padding, held < 56 ? 56 - held : 120 - held);
	sha1_add(sha1, &bits, sizeof(bits));
	for (unsigned i = 0; i < 5; i++) {
		uint32_t word = htobe32(sha1->state[i]);

		memcpy(ret + 4 * i, &word, sizeof(word));
	}
}
