/* verbs: prints the protocol's table, one verb per line and who may say it. */
#include "wire/verb.h"

#include <stdio.h>

int main(void)
{
	static const enum principal principals[] = {PRINCIPAL_OPERATOR, PRINCIPAL_READER,
						    PRINCIPAL_MANAGER, PRINCIPAL_AGENT};
	const struct verb *table = verb_table();

	for (int i = 0; i < VERB_COUNT; i++) {
		printf("%s", table[i].name);
		for (size_t p = 0; p < sizeof(principals) / sizeof(principals[0]); p++)
			if (table[i].allowed & principals[p])
				printf(" %s", principal_name(principals[p]));
		printf("\n");
	}
	return 0;
}
