/* The head of a request as plain data, so that what judges it needs no server. */
#pragma once

#include <stddef.h>

struct head_field {
	const char *name, *value;
};

struct head {
	const char *method;
	const char *target; /* as it stood in the request line */
	const struct head_field *fields;
	size_t n_fields;
	size_t body_bytes; /* what came after the head */
};

/* How often a field is there, names compared without regard to case; *ret is the first one's
 * value, else NULL. */
size_t head_count(const struct head *head, const char *name, const char **ret);

/* The value of a field that is there, else NULL. */
const char *head_get(const struct head *head, const char *name);
