/* The operator's own terminal while a shell in a container uses it. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/ioctl.h>
#include <termios.h>

struct terminal {
	int fd; /* -1: not in raw mode */
	struct termios saved;
};

#define TERMINAL_NONE ((struct terminal){.fd = -1})

/* Puts fd into raw mode; every way out must pass terminal_restore(). */
int terminal_raw(int fd, struct terminal *ret, struct error *err);

/* Puts the modes back and drops what a program inside left to be read: an answer typed into our
 * shell by nobody. */
void terminal_restore(struct terminal *terminal);

/* Rows and columns, 24 by 80 when it will not say. */
struct winsize terminal_size(int fd);

#define _cleanup_terminal_ __attribute__((cleanup(terminal_restore)))
