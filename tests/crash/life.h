/* What happens in the life of a hive, in steps: what is done to its files before, and what is
 * asked of it then. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct step {
	const char *name;
	/* a script in the hive's directory, while nobody runs; its first word stands for '@' in
	 * the request */
	const char *before;
	const char *request;  /* single quotes for double ones; NULL: it is only started */
	const char *document; /* goes along, sealed; NULL: none */
	/* asked again, another proposal may be made: then it is what runs that is compared */
	bool loose;
};

extern const struct step life[];
extern const size_t life_steps;
