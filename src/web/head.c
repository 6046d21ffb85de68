#include "web/head.h"

#include <strings.h>

size_t head_count(const struct head *head, const char *name, const char **ret)
{
	size_t n = 0;

	*ret = NULL;
	for (size_t i = 0; i < head->n_fields; i++) {
		if (strcasecmp(head->fields[i].name, name) != 0)
			continue;
		if (n++ == 0)
			*ret = head->fields[i].value;
	}
	return n;
}

const char *head_get(const struct head *head, const char *name)
{
	const char *value;

	(void)head_count(head, name, &value);
	return value;
}
