#include "model/names.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#define SHOWN_MAX 48

/* Words that mean something else where an agent's name is expected. */
static const char *const reserved[] = {"all",  "meta", "operator", "manager",
				       "root", "skep", "host"};

static bool is_well_formed(const char *name, size_t size)
{
	if (size == 0 || size > AGENT_NAME_MAX || name[0] < 'a' || name[0] > 'z' ||
	    name[size - 1] == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

int name_check(const char *name, struct error *err)
{
	size_t size = strnlen(name, 4096);
	_cleanup_free_ char *shown = NULL;

	if (is_well_formed(name, size)) {
		for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
			if (strcmp(name, reserved[i]) == 0)
				return error_set_code(err, EINVAL, "bad_name",
						      "the name '%s' is reserved", name);
		return 0;
	}
	shown = text_clean_dup(name, SHOWN_MAX, false);
	return error_set_code(err, EINVAL, "bad_name",
			      "'%s' is not an agent name: 1 to %d characters a-z, 0-9 and '-', "
			      "first a letter, last not '-'",
			      shown, AGENT_NAME_MAX);
}

bool name_is_manager(const char *name)
{
	return strcmp(name, MANAGER_NAME) == 0;
}

uint32_t name_hash(const char *name)
{
	uint32_t hash = 2166136261u;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return hash;
}

uint16_t name_port(const char *name)
{
	if (name_is_manager(name))
		return MANAGER_PORT;
	return (uint16_t)(PORT_BASE + name_hash(name) % PORT_SPAN);
}

char *name_container(char out[CONTAINER_NAME_SIZE], const char *name)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint32_t hash = name_hash(name);

	if (name_is_manager(name)) {
		strcpy(out, name);
	} else if (strlen(name) + 2 <= CONTAINER_NAME_MAX) {
		out[0] = 'h';
		out[1] = '-';
		strcpy(out + 2, name);
	} else {
		memcpy(out, "h-", 2);
		memcpy(out + 2, name, 4);
		for (int i = 0; i < 5; i++)
			out[6 + i] = digits[hash >> (5 * (4 - i)) & 31];
		out[11] = '\0';
	}
	return out;
}

int name_check_other(const char *what, const char *name, struct error *err)
{
	_cleanup_free_ char *shown = NULL;

	if (is_well_formed(name, strnlen(name, 4096)))
		return 0;
	shown = text_clean_dup(name, SHOWN_MAX, false);
	return error_set_code(err, EINVAL, "bad_name",
			      "'%s' is no name of %s: 1 to %d characters a-z, 0-9 and '-', "
			      "first a letter, last not '-'",
			      shown, what, AGENT_NAME_MAX);
}
