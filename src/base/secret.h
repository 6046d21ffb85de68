/* Secrets that are handed out: 256 random bits as text, of which only the hash is kept. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* 64 lower-case hexadecimal digits and a NUL: a secret, and its hash as well. */
#define SECRET_SIZE 65

/* Makes a new secret. -EIO when the kernel gives no random bytes. */
int secret_new(char out[SECRET_SIZE], struct error *err);

/* The SHA-256 of the secret's digits. */
void secret_hash(char out[SECRET_SIZE], const char *secret);

/*
 * Whether secret, which may be any foreign text or NULL, is the one that hash was made of.
 * Takes the same time wherever the two differ.
 */
bool secret_matches(const char *secret, const char hash[SECRET_SIZE]);

/* Overwrites what is not needed any more. */
void secret_forget(void *data, size_t size);
