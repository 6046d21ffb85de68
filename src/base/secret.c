#include "base/secret.h"

#include "base/text.h"

#include <sodium.h>

#include <errno.h>
#include <string.h>

int secret_new(char out[SECRET_SIZE], struct error *err)
{
	unsigned char bytes[(SECRET_SIZE - 1) / 2];

	/* from here on randombytes_buf() cannot fail (libsodium's sodium_init(3)) */
	if (sodium_init() < 0)
		return error_set(err, EIO, "the system gives no random bytes");
	randombytes_buf(bytes, sizeof(bytes));
	text_hex(out, bytes, sizeof(bytes));
	sodium_memzero(bytes, sizeof(bytes));
	return 0;
}

void secret_hash(char out[SECRET_SIZE], const char *secret)
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(digest, (const unsigned char *)secret, strlen(secret));
	text_hex(out, digest, sizeof(digest));
}

bool secret_matches(const char *secret, const char hash[SECRET_SIZE])
{
	char own[SECRET_SIZE];

	if (!secret || !text_is_hex(secret, SECRET_SIZE - 1) ||
	    !text_is_hex(hash, SECRET_SIZE - 1))
		return false;
	secret_hash(own, secret);
	return sodium_memcmp(own, hash, SECRET_SIZE - 1) == 0;
}

void secret_forget(void *data, size_t size)
{
	sodium_memzero(data, size);
}
