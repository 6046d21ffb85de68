#include "skep/out.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_TEXT (16u << 20)

static const char *const codes[] = {
	[STYLE_BOLD] = "\x1b[1m",  [STYLE_DIM] = "\x1b[2m",  [STYLE_GOOD] = "\x1b[32m",
	[STYLE_WARN] = "\x1b[33m", [STYLE_BAD] = "\x1b[31m", [STYLE_NOTE] = "\x1b[36m",
};

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && value[0];
}

static bool wants_color(bool tty)
{
	const char *term = getenv("TERM");

	return tty && !is_set("NO_COLOR") && !is_set("SKEP_NO_COLOR") && term && term[0] &&
	       strcmp(term, "dumb") != 0;
}

void out_init(struct out *out, int fd, enum color_choice color)
{
	struct winsize size = {};

	*out = (struct out){.fd = fd, .tty = isatty(fd) == 1};
	switch (color) {
	case COLOR_AUTO:
		out->color = wants_color(out->tty);
		break;
	case COLOR_ALWAYS:
		out->color = true;
		break;
	case COLOR_NEVER:
		break;
	}
	if (!out->tty)
		return;
	(void)ioctl(fd, TIOCGWINSZ, &size);
	out->columns = size.ws_col ? size.ws_col : 80;
	out->rows = size.ws_row ? size.ws_row : 24;
}

void out_release(struct out *out)
{
	buf_release(&out->pending);
}

static void add_styled(struct out *out, enum style style, const char *text, size_t size)
{
	bool colored = out->color && style != STYLE_PLAIN && size > 0;

	if (colored)
		buf_add_str(&out->pending, codes[style]);
	text_clean(&out->pending, text, size, MAX_TEXT, false);
	if (colored)
		buf_add_str(&out->pending, "\x1b[0m");
}

__attribute__((format(printf, 3, 0))) static void
add_formatted(struct out *out, enum style style, const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;

	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		return;
	}
	add_styled(out, style, text, strlen(text));
}

void out_add(struct out *out, enum style style, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_formatted(out, style, format, args);
	va_end(args);
}

void out_end(struct out *out)
{
	buf_add_char(&out->pending, '\n');
}

void out_line(struct out *out, enum style style, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_formatted(out, style, format, args);
	va_end(args);
	out_end(out);
}

void out_lines(struct out *out, enum style style, const char *indent, const char *text)
{
	while (*text) {
		size_t size = strcspn(text, "\n");

		buf_add_str(&out->pending, indent);
		add_styled(out, style, text, size);
		out_end(out);
		text += size + (text[size] == '\n');
	}
}

void out_raw(struct out *out, const void *data, size_t size)
{
	buf_add(&out->pending, data, size);
}

void out_pad(struct out *out, size_t count)
{
	while (count-- > 0)
		buf_add_char(&out->pending, ' ');
}

_Noreturn void out_broken_pipe(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)raise(SIGPIPE);
	_exit(128 + SIGPIPE);
}

int out_flush(struct out *out)
{
	int r = file_write_all(out->fd, out->pending.data, out->pending.size);

	buf_truncate(&out->pending, 0);
	if (r == -EPIPE)
		out_broken_pipe();
	return r;
}
