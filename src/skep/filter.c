#include "skep/filter.h"

#include "base/text.h"

#include <string.h>

#define ESC 0x1b
#define BEL 0x07
#define CAN 0x18
#define SUB 0x1a

/* How many bytes at the end are the start of a character whose rest is still to come. */
static size_t cut_at_end(const char *data, size_t size)
{
	for (size_t back = 1; back <= 3 && back <= size; back++) {
		unsigned char c = (unsigned char)data[size - back];
		size_t needs = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

		if ((c & 0xc0) == 0x80)
			continue;
		return needs > back ? back : 0;
	}
	return 0;
}

void filter_text(void *state, const char *data, size_t size, struct buf *out)
{
	struct filter_text *f = state;
	_cleanup_buf_ struct buf joined = {};
	size_t cut;

	buf_add(&joined, f->cut, f->n_cut);
	buf_add(&joined, data, size);
	if (joined.size == 0)
		return;
	cut = size > 0 ? cut_at_end(joined.data, joined.size) : 0;
	memcpy(f->cut, joined.data + joined.size - cut, cut);
	f->n_cut = cut;
	text_clean(out, joined.data, joined.size - cut, SIZE_MAX / 2, true);
}

const char filter_terminal_reset[] =
	"\x1b[0m\x1b[?25h\x1b[?47l\x1b[?1l\x1b>\x1b[?7h"
	"\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l"
	"\x1b[?1015l\x1b[?2004l\x1b[4l\x1b(B\x0f";

static void hold(struct filter_terminal *f, char c)
{
	if (f->n_held < sizeof(f->held))
		f->held[f->n_held] = c;
	f->n_held++;
}

/* The sequence is over: it goes on whole, or not at all. */
static void end_sequence(struct filter_terminal *f, struct buf *out, bool passes)
{
	if (passes && f->n_held <= sizeof(f->held))
		buf_add(out, f->held, f->n_held);
	f->n_held = 0;
	f->state = TERMINAL_GROUND;
}

static void start_escape(struct filter_terminal *f)
{
	f->n_held = 0;
	f->continuation = 0;
	f->lead = 0;
	hold(f, ESC);
	f->state = TERMINAL_ESCAPE;
}

static void in_ground(struct filter_terminal *f, char c, struct buf *out)
{
	unsigned char u = (unsigned char)c;

	if (u == ESC) {
		start_escape(f);
		return;
	}
	if (f->continuation > 0 && (u & 0xc0) == 0x80) {
		f->continuation--;
		if (f->lead && u < 0xa0) { /* U+0080 to U+009F */
			f->lead = 0;
			return;
		}
		if (f->lead)
			buf_add_char(out, f->lead);
		f->lead = 0;
		buf_add_char(out, c);
		return;
	}
	f->continuation = u >= 0xf0 ? 3 : u >= 0xe0 ? 2 : u >= 0xc0 ? 1 : 0;
	f->lead = u == 0xc2 ? c : 0;
	if (f->lead ||
	    (u & 0xc0) == 0x80) /* a lone continuation byte is C1 to an 8-bit terminal */
		return;
	buf_add_char(out, c);
}

static void in_escape(struct filter_terminal *f, char c, struct buf *out)
{
	unsigned char u = (unsigned char)c;

	if (f->n_held == 1 && u == '[') {
		hold(f, c);
		f->state = TERMINAL_CSI;
	} else if (f->n_held == 1 && strchr("]PX^_", c) && c) {
		f->n_held = 0;
		f->state = TERMINAL_STRING;
	} else if (u >= 0x20 && u <= 0x2f) {
		hold(f, c);
	} else if (u >= 0x30 && u <= 0x7e) {
		hold(f, c);
		/* ESC @ to ESC _ is how C1 is written in 7 bits; IND, NEL, HTS, RI and the like
		 * move the cursor */
		end_sequence(f, out,
			     f->n_held > 2 || u < 0x40 || u > 0x5f || strchr("DEHM", c));
	} else if (u == ESC) {
		start_escape(f);
	} else {
		end_sequence(f, out, false);
	}
}

static void in_csi(struct filter_terminal *f, char c, struct buf *out)
{
	unsigned char u = (unsigned char)c;

	if (u == ESC) {
		start_escape(f);
	} else if (u >= 0x20 && u <= 0x3f) {
		hold(f, c);
	} else if (u >= 0x40 && u <= 0x7e) {
		hold(f, c);
		end_sequence(f, out, u != 'i' && u != 't');
	} else {
		end_sequence(f, out, false);
	}
}

static void in_string(struct filter_terminal *f, char c)
{
	if (f->state == TERMINAL_STRING_ESCAPE && c != ESC) {
		/* ESC \ ends it; so does any other escape sequence, which is lost with it */
		f->state = TERMINAL_GROUND;
		return;
	}
	if (c == ESC)
		f->state = TERMINAL_STRING_ESCAPE;
	else if (c == BEL || c == CAN || c == SUB)
		f->state = TERMINAL_GROUND;
}

void filter_terminal(void *state, const char *data, size_t size, struct buf *out)
{
	struct filter_terminal *f = state;

	for (size_t i = 0; i < size; i++) {
		switch (f->state) {
		case TERMINAL_GROUND:
			in_ground(f, data[i], out);
			break;
		case TERMINAL_ESCAPE:
			in_escape(f, data[i], out);
			break;
		case TERMINAL_CSI:
			in_csi(f, data[i], out);
			break;
		case TERMINAL_STRING:
		case TERMINAL_STRING_ESCAPE:
			in_string(f, data[i]);
			break;
		}
	}
}
