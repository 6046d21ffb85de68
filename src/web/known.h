/*
 * Sessions that skepd said yes to a little while ago. Who shows one gets the larger share of
 * what can be asked at once; whoever makes sessions up waits behind others who do. It lets
 * nobody in: skepd is asked every time.
 */
#pragma once

#include "web/guard.h"

#include <stdbool.h>

#define KNOWN_MAX 64

struct known {
	char sessions[KNOWN_MAX][TOKEN_SIZE]; /* newest first */
};

bool known_has(const struct known *known, const char *session);
void known_add(struct known *known, const char *session);
void known_drop(struct known *known, const char *session);
