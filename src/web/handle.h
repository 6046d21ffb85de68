/* What each kind of route does with a request that passed the check. */
#pragma once

#include "web/exchange.h"

/* Answers, now or later. */
void handle(struct exchange *x);
