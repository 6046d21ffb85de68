#include "skep/terminal.h"

#include "base/file.h"
#include "skep/filter.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int terminal_raw(int fd, struct terminal *ret, struct error *err)
{
	struct termios raw;

	if (tcgetattr(fd, &ret->saved) < 0)
		return error_set_errno(err, errno, "cannot read the terminal's modes");
	raw = ret->saved;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return error_set_errno(err, errno, "cannot set the terminal's modes");
	ret->fd = fd;
	return 0;
}

void terminal_restore(struct terminal *terminal)
{
	if (terminal->fd < 0)
		return;
	(void)file_write_all(STDOUT_FILENO, filter_terminal_reset,
			     strlen(filter_terminal_reset));
	(void)tcsetattr(terminal->fd, TCSAFLUSH, &terminal->saved);
	terminal->fd = -1;
}

struct winsize terminal_size(int fd)
{
	struct winsize size = {};

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	return size;
}
