/* What happens to bytes between a container and the operator's terminal. */
#pragma once

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Takes the next bytes of a stream (size 0: its end) and adds to out what may go on. */
typedef void (*filter_fn)(void *state, const char *data, size_t size, struct buf *out);

/* Text: as text_clean(), with characters that are cut by a chunk's end put together again.
 * Zeroed to begin with. */
struct filter_text {
	char cut[4];
	size_t n_cut;
};
void filter_text(void *state, const char *data, size_t size, struct buf *out);

/*
 * An interactive terminal: what moves the cursor and colours passes; strings that reach past
 * the screen are dropped (OSC: clipboard, title, links; DCS, APC, PM, SOS), as are C1 controls,
 * printing (CSI i) and window operations (CSI t). ECMA-48 5.6; xterm's ctlseqs. Zeroed to begin
 * with.
 */
struct filter_terminal {
	enum {
		TERMINAL_GROUND,
		TERMINAL_ESCAPE,
		TERMINAL_CSI,
		TERMINAL_STRING,
		TERMINAL_STRING_ESCAPE,
	} state;
	char held[64]; /* of the sequence being read; one that is longer is dropped */
	size_t n_held;
	int continuation; /* bytes of a UTF-8 character still to come */
	char lead;        /* its first byte, when that was C2: a C1 control may follow */
};
void filter_terminal(void *state, const char *data, size_t size, struct buf *out);

/* Puts a terminal's modes back to what a shell expects, whatever was switched on inside. */
extern const char filter_terminal_reset[];
