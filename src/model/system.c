#include "model/system.h"

#include "model/oid.h"

#include <stdio.h>

#define HASH_SIZE 32
#define NAME_MAX_SIZE 211
/* Nix's own base 32: no e, o, u, t. */
#define HASH_CHARACTERS "0123456789abcdfghijklmnpqrsvwxyz"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._?="

static bool is_store_name(const char *s)
{
	size_t n;

	if (strspn(s, HASH_CHARACTERS) < HASH_SIZE || s[HASH_SIZE] != '-')
		return false;
	s += HASH_SIZE + 1;
	n = strlen(s);
	return n > 0 && n <= NAME_MAX_SIZE && s[0] != '.' && strspn(s, NAME_CHARACTERS) == n;
}

bool system_is_store(const char *s)
{
	return strncmp(s, SYSTEM_STORE_DIR, strlen(SYSTEM_STORE_DIR)) == 0 &&
	       is_store_name(s + strlen(SYSTEM_STORE_DIR));
}

bool system_is_valid(const char *s)
{
	return oid_is_valid(s) || system_is_store(s);
}

const char *system_name(const char *s)
{
	return system_is_store(s) ? s + strlen(SYSTEM_STORE_DIR) : s;
}

char *system_show(char out[SYSTEM_SIZE], const char *s)
{
	if (oid_is_valid(s))
		snprintf(out, SYSTEM_SIZE, "%.*s", OID_SHORT, s);
	else
		snprintf(out, SYSTEM_SIZE, "%s", *s ? system_name(s) : "none of ours");
	return out;
}

bool system_from_name(const char *name, char ret[SYSTEM_SIZE])
{
	if (!oid_is_valid(name) && !is_store_name(name))
		return false;
	snprintf(ret, SYSTEM_SIZE, "%s%s", oid_is_valid(name) ? "" : SYSTEM_STORE_DIR, name);
	return true;
}
