/* Object ids as text: what git prints, and what every interface of ours carries. */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <string.h>

#define OID_HEX_SIZE 41 /* 40 digits of SHA-1 and a NUL */
#define OID_SHORTEST 7  /* an abbreviation shorter than this is refused */
#define OID_SHORT 12    /* how many digits people are shown */

/* A full object id: 40 lower-case hexadecimal digits. */
static inline bool oid_is_valid(const char *s)
{
	return text_is_hex(s, OID_HEX_SIZE - 1);
}

/* A full id or an abbreviation of at least OID_SHORTEST digits. */
static inline bool oid_is_valid_or_short(const char *s)
{
	size_t n = strlen(s);

	return n >= OID_SHORTEST && n < OID_HEX_SIZE && text_is_hex(s, n);
}
