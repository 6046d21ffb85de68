#include "skep/relay.h"

#include "base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CHUNK 16384
#define MAX_BUFFERED 65536
#define HANGUP_REST_MS 50
/* No pipe holds more, so what is taken beyond that after the end was written after it, by
 * something left behind. */
#define MAX_AFTER_END (1u << 20)

static void end_source(struct flow *flow)
{
	if (flow->from >= 0 && flow->filter)
		flow->filter(flow->filter_state, "", 0, &flow->data);
	if (flow->owns_from)
		closep(&flow->from);
	flow->from = -1;
}

static void end_sink(struct flow *flow)
{
	if (flow->owns_to)
		closep(&flow->to);
	flow->to = -1;
}

static size_t waiting(const struct flow *flow)
{
	return flow->data.size - flow->given;
}

static void break_sink(struct flow *flow)
{
	flow->sink_broke = true;
	flow->given = 0;
	buf_truncate(&flow->data, 0);
	end_source(flow);
	buf_truncate(&flow->data, 0);
	end_sink(flow);
}

/* One read. 0: nothing there (or nothing there yet), 1: something was taken or the source
 * ended. */
static int take(struct flow *flow, bool over)
{
	char chunk[CHUNK];
	ssize_t n = read(flow->from, chunk, sizeof(chunk));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && errno == EIO && flow->hangs_up)
		return 0;
	if (n <= 0)
		end_source(flow);
	else if (flow->filter)
		flow->filter(flow->filter_state, chunk, (size_t)n, &flow->data);
	else
		buf_add(&flow->data, chunk, (size_t)n);
	if (n > 0 && over)
		flow->after_end += (size_t)n;
	if (flow->after_end > MAX_AFTER_END)
		end_source(flow);
	return 1;
}

/*
 * One write. Standard output is shared with others, so it is never made non-blocking; poll()
 * promises room for PIPE_BUF bytes of a pipe and no more.
 */
static void give(struct flow *flow)
{
	size_t size = waiting(flow) < PIPE_BUF ? waiting(flow) : PIPE_BUF;
	ssize_t n = write(flow->to, flow->data.data + flow->given, size);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		break_sink(flow);
		return;
	}
	flow->given += (size_t)n;
	if (waiting(flow) > 0 && flow->given < MAX_BUFFERED)
		return;
	memmove(flow->data.data, flow->data.data + flow->given, waiting(flow));
	buf_truncate(&flow->data, waiting(flow));
	flow->given = 0;
}

/* What a finished source leaves behind is given on first. */
static void finish_flow(struct flow *flow)
{
	if (flow->from < 0 && waiting(flow) == 0 && flow->to >= 0)
		end_sink(flow);
}

struct waits {
	struct pollfd fds[2 + 2 * RELAY_MAX_FLOWS];
	nfds_t n;
	int timeout_ms;
};

static nfds_t wait_for(struct waits *waits, int fd, short events)
{
	waits->fds[waits->n] = (struct pollfd){.fd = fd, .events = events};
	return waits->n++;
}

static short fired(const struct waits *waits, nfds_t slot)
{
	return waits->fds[slot].revents;
}

/* Source and sink of flow i have the slots 2 + 2i and 3 + 2i. */
static void prepare(const struct relay *relay, struct waits *waits, int signal_fd, bool over,
		    bool resting)
{
	*waits = (struct waits){.timeout_ms = over ? 0 : -1};
	(void)wait_for(waits, over ? -1 : relay->client->fd, POLLIN);
	(void)wait_for(waits, signal_fd, POLLIN);
	for (size_t i = 0; i < relay->n_flows; i++) {
		const struct flow *flow = &relay->flows[i];
		bool may_read = flow->from >= 0 && waiting(flow) < MAX_BUFFERED &&
				(!over || flow->is_result);
		bool rests = flow->hangs_up && resting && !over;

		if (may_read && rests)
			waits->timeout_ms = HANGUP_REST_MS;
		(void)wait_for(waits, may_read && !rests ? flow->from : -1, POLLIN);
		(void)wait_for(waits, rests ? -1 : flow->to, waiting(flow) ? POLLOUT : 0);
		if (over && flow->is_result && waiting(flow) > 0)
			waits->timeout_ms = -1;
	}
}

/* Whether anything moved. */
static bool move(struct relay *relay, const struct waits *waits, bool over, bool *ret_hung_up)
{
	bool moved = false;

	for (size_t i = 0; i < relay->n_flows; i++) {
		struct flow *flow = &relay->flows[i];
		short source = fired(waits, 2 + 2 * i), sink = fired(waits, 3 + 2 * i);

		if (sink & POLLOUT) {
			give(flow);
			moved = true;
		} else if (sink && flow->to >= 0 && !(flow->hangs_up && !flow->is_result)) {
			break_sink(flow);
			moved = true;
		}
		if (source && flow->from >= 0) {
			bool took = take(flow, over) > 0;

			moved = moved || took;
			*ret_hung_up = *ret_hung_up || (!took && flow->hangs_up);
		}
		finish_flow(flow);
	}
	return moved;
}

static int handle_signals(struct relay *relay, int signal_fd, struct error *err)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return relay->on_signal((int)info.ssi_signo, relay->data, err);
}

static int receive_answer(struct relay *relay, json_t **ret, struct error *err)
{
	int r = client_fill(relay->client, err);

	if (r < 0)
		return r;
	if (r > 0)
		return client_next(relay->client, ret, err);
	return error_set_code(err, ECONNRESET, "unavailable",
			      "the daemon went away in the middle");
}

static bool is_broken(const struct relay *relay)
{
	for (size_t i = 0; i < relay->n_flows; i++)
		if (relay->flows[i].is_result && relay->flows[i].sink_broke &&
		    relay->stops_on_broken_sink)
			return true;
	return false;
}

/* The sources have no more: whether their filters still held something back that must be given
 * on. */
static bool settle(struct relay *relay)
{
	bool left = false;

	for (size_t i = 0; i < relay->n_flows; i++) {
		if (!relay->flows[i].is_result)
			continue;
		end_source(&relay->flows[i]);
		left = left || waiting(&relay->flows[i]) > 0;
	}
	return left;
}

/* What came before the answer, or before the daemon went away, is given on in either case. */
static int carry(struct relay *relay, int signal_fd, json_t **ret, struct error *err)
{
	json_auto_t *answer = NULL;
	bool resting = false;
	int r = client_next(relay->client, &answer, err);

	for (;;) {
		struct waits waits;
		bool over = r != 0, hung_up = false, moved;

		prepare(relay, &waits, signal_fd, over, resting);
		if (poll(waits.fds, waits.n, waits.timeout_ms) < 0 && errno != EINTR)
			return error_set_errno(err, errno, "cannot wait");
		moved = move(relay, &waits, over, &hung_up);
		resting = hung_up;
		if (is_broken(relay))
			return error_set(err, EPIPE, "the reader of the output went away");
		/* the sources were looked at after the end had come, and they had nothing more
		 */
		if (over && !moved && waits.timeout_ms == 0 && !settle(relay))
			break;
		if (fired(&waits, 1)) {
			int signal_r = handle_signals(relay, signal_fd, err);

			if (signal_r < 0)
				return signal_r;
		}
		if (fired(&waits, 0))
			r = receive_answer(relay, &answer, err);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(answer);
	return 0;
}

int relay_run(struct relay *relay, json_t **ret, struct error *err)
{
	_cleanup_close_ int signal_fd = -1;
	sigset_t old;
	int r;

	(void)sigprocmask(SIG_BLOCK, &relay->signals, &old);
	signal_fd = signalfd(-1, &relay->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		r = error_set_errno(err, errno, "cannot watch for signals");
	else
		r = carry(relay, signal_fd, ret, err);
	for (size_t i = 0; i < relay->n_flows; i++) {
		end_source(&relay->flows[i]);
		end_sink(&relay->flows[i]);
		buf_release(&relay->flows[i].data);
	}
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
