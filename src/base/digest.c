#include "base/digest.h"

#include "base/text.h"

#include <sodium.h>

char *digest_sha256(char out[DIGEST_SIZE], const void *data, size_t size)
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(digest, data, size);
	text_hex(out, digest, sizeof(digest));
	return out;
}
