/* The whole terminal for something that is drawn anew, and single keys from whoever watches. */
#pragma once

#include "base/error.h"
#include "skep/out.h"

#include <stdint.h>
#include <termios.h>

#define SCREEN_QUIT (-2) /* a signal that ends programs */

struct screen {
	struct out *out; /* NULL: not open */
	int signal_fd;
	bool has_modes;
	struct termios saved;
};

#define SCREEN_NONE ((struct screen){.signal_fd = -1})

/* Takes the terminal of out over; every way out must pass screen_close(). */
int screen_open(struct screen *screen, struct out *out, struct error *err);
void screen_close(struct screen *screen);

/* What is added to out between these two replaces what was there. */
void screen_begin(struct screen *screen);
void screen_end(struct screen *screen);

/* Waits for a key, at most ms: the key; -1 when it is time to draw again; SCREEN_QUIT. */
int screen_key(struct screen *screen, int64_t ms);

/* Does nothing for a while. */
void screen_pause(int64_t ms);

#define _cleanup_screen_ __attribute__((cleanup(screen_close)))
