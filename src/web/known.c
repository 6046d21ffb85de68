#include "web/known.h"

#include <string.h>

static int find(const struct known *known, const char *session)
{
	for (int i = 0; session[0] && i < KNOWN_MAX; i++)
		if (strcmp(known->sessions[i], session) == 0)
			return i;
	return -1;
}

/* Takes entry at out; the ones before it move down. */
static void move_down(struct known *known, int at)
{
	memmove(known->sessions[1], known->sessions[0], (size_t)at * TOKEN_SIZE);
}

bool known_has(const struct known *known, const char *session)
{
	return find(known, session) >= 0;
}

void known_add(struct known *known, const char *session)
{
	char copy[TOKEN_SIZE];
	int at = find(known, session);

	if (at == 0 || !session[0])
		return;
	memcpy(copy, session, TOKEN_SIZE);
	move_down(known, at > 0 ? at : KNOWN_MAX - 1);
	memcpy(known->sessions[0], copy, TOKEN_SIZE);
}

void known_drop(struct known *known, const char *session)
{
	int at = find(known, session);

	if (at < 0)
		return;
	memmove(known->sessions[at], known->sessions[at + 1],
		(size_t)(KNOWN_MAX - 1 - at) * TOKEN_SIZE);
	known->sessions[KNOWN_MAX - 1][0] = '\0';
}
