#include "skep/screen.h"

#include "base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* The other screen and no cursor; back (xterm's control sequences, as every terminal has them).
 */
#define ENTER "\x1b[?1049h\x1b[?25l"
#define LEAVE "\x1b[?25h\x1b[?1049l"
#define HOME "\x1b[H"
#define CLEAR_LINE "\x1b[K"
#define CLEAR_BELOW "\x1b[J"

static void add(struct screen *screen, const char *sequence)
{
	out_raw(screen->out, sequence, strlen(sequence));
}

int screen_open(struct screen *screen, struct out *out, struct error *err)
{
	struct termios modes;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	screen->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signal_fd < 0)
		return error_set_errno(err, errno, "cannot wait for signals");
	screen->out = out;
	if (tcgetattr(STDIN_FILENO, &screen->saved) == 0) {
		modes = screen->saved;
		modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		screen->has_modes = tcsetattr(STDIN_FILENO, TCSADRAIN, &modes) == 0;
	}
	add(screen, ENTER);
	return 0;
}

void screen_close(struct screen *screen)
{
	if (screen->out) {
		/* a frame that was not finished is of no use */
		buf_truncate(&screen->out->pending, 0);
		add(screen, LEAVE);
		(void)out_flush(screen->out);
	}
	if (screen->has_modes)
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen->saved);
	closep(&screen->signal_fd);
	*screen = SCREEN_NONE;
}

void screen_begin(struct screen *screen)
{
	add(screen, HOME);
}

/* Each line ends where the one drawn before it may still go on. */
void screen_end(struct screen *screen)
{
	_cleanup_buf_ struct buf frame = screen->out->pending;

	screen->out->pending = (struct buf){};
	for (size_t i = 0; i < frame.size; i++) {
		if (frame.data[i] == '\n')
			add(screen, CLEAR_LINE);
		out_raw(screen->out, &frame.data[i], 1);
	}
	add(screen, CLEAR_BELOW);
	(void)out_flush(screen->out);
}

static int take_signal(struct screen *screen)
{
	struct signalfd_siginfo info;
	struct winsize size;

	if (read(screen->signal_fd, &info, sizeof(info)) != sizeof(info))
		return -1;
	if (info.ssi_signo != SIGWINCH)
		return SCREEN_QUIT;
	if (ioctl(screen->out->fd, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		screen->out->columns = size.ws_col;
		screen->out->rows = size.ws_row;
	}
	return -1;
}

int screen_key(struct screen *screen, int64_t ms)
{
	struct pollfd fds[] = {{.fd = screen->signal_fd, .events = POLLIN},
			       {.fd = screen->has_modes ? STDIN_FILENO : -1, .events = POLLIN}};
	char c;

	if (poll(fds, ARRAY_SIZE(fds), ms < 0 ? 0 : (int)ms) <= 0)
		return -1;
	if (fds[0].revents)
		return take_signal(screen);
	return read(STDIN_FILENO, &c, 1) == 1 ? (unsigned char)c : SCREEN_QUIT;
}

void screen_pause(int64_t ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}
