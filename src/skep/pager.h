/* Long output on a terminal, one screen at a time. */
#pragma once

#include "skep/out.h"

/*
 * When the terminal is too small for what is pending, gives it to less and waits for the reader
 * to leave: true, and nothing is pending any more. False when it fits, when it is no terminal,
 * or when there is no less.
 */
bool pager_show(struct out *out);
