#include "unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"
#include "host/executor.h"
#include "host/message.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

/* A hive of one executor and a peer played by the test; the log says what was called, in order.
 */
struct fixture {
	struct loop *loop;
	struct executor *executor;
	int peer;
	struct buf log;
	int kept_fd;
	int stop_after; /* callbacks until the loop is stopped */
	bool free_in_callback, retry_in_callback;
};

static void note(struct fixture *f, const char *text)
{
	buf_addf(&f->log, "%s;", text);
	if (--f->stop_after <= 0)
		loop_stop(f->loop);
}

static void on_answer(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data);

static void on_event(const json_t *event, void *data)
{
	struct fixture *f = data;

	note(f, json_string_value(json_object_get(event, "agent")));
	if (f->free_in_callback) {
		executor_free(f->executor);
		f->executor = NULL;
	}
}

static void on_gone(void *data)
{
	note(data, "gone");
}

static void on_answer(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct fixture *f = data;
	_cleanup_free_ char *line = NULL;

	if (f->retry_in_callback && err)
		executor_call(f->executor, "again", NULL, NULL, 0, on_answer, f);
	if (n_fds > 0) {
		f->kept_fd = fds[0];
		fds[0] = -1;
	}
	line = answer ? json_line(answer)
		      : str_format("%d %s %s %s", err->err, error_code(err), err->text,
				   err->hint);
	if (f->free_in_callback) {
		executor_free(f->executor);
		f->executor = NULL;
	}
	note(f, line);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	int pair[2];

	assert_int_equal(sock_pair(SOCK_SEQPACKET, pair, NULL), 0);
	f->loop = loop_new();
	f->executor = executor_new(f->loop, pair[0], on_event, on_gone, f);
	f->peer = pair[1];
	f->kept_fd = -1;
	f->stop_after = 1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	executor_free(f->executor);
	loop_free(f->loop);
	closep(&f->peer);
	closep(&f->kept_fd);
	buf_release(&f->log);
	free(f);
	return 0;
}

static void peer_says(struct fixture *f, const char *text, const int *fds, size_t n)
{
	assert_int_equal(sock_send(f->peer, text, strlen(text), fds, n), strlen(text));
}

static json_t *peer_hears(struct fixture *f, int *fds, size_t *n)
{
	struct error err = {};
	json_t *message = NULL;

	assert_int_equal(message_receive(f->peer, &message, fds, n, &err), 1);
	return message;
}

static void test_asks_and_is_answered(void **state)
{
	struct fixture *f = *state;
	int fds[SOCK_MAX_FDS], zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	json_t *request;
	uint64_t number;
	size_t n = 0;
	char byte = 1;

	number = executor_call(f->executor, "export", json_pack("{s:s}", "agent", "alice"),
			       &zero, 1, on_answer, f);
	assert_int_equal(close(zero), 0);
	assert_int_equal(f->log.size, 0);
	request = peer_hears(f, fds, &n);
	assert_string_equal(json_string_value(json_object_get(request, "verb")), "export");
	assert_string_equal(json_string_value(json_object_get(request, "agent")), "alice");
	assert_int_equal(json_integer_value(json_object_get(request, "id")), number);
	assert_int_equal(n, 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 0);
	peer_says(f, "{\"id\":1,\"ok\":true,\"x\":1}", fds, 1);
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(buf_str(&f->log), "{\"id\":1,\"ok\":true,\"x\":1};");
	assert_int_equal(read(f->kept_fd, &byte, 1), 1);
	json_decref(request);
}

static void test_failure_keeps_code_and_hint(void **state)
{
	struct fixture *f = *state;

	executor_call(f->executor, "start", NULL, NULL, 0, on_answer, f);
	peer_says(
		f,
		"{\"id\":1,\"ok\":false,\"errno\":2,\"code\":\"wrong_state\",\"error\":\"no\","
		"\"hint\":\"do\"}",
		NULL, 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(buf_str(&f->log), "-2 wrong_state no do;");
}

static void test_partial_then_end_and_strangers(void **state)
{
	struct fixture *f = *state;

	f->stop_after = 3;
	executor_call(f->executor, "shell", NULL, NULL, 0, on_answer, f);
	peer_says(f, "{\"id\":77,\"ok\":true}", NULL, 0);
	peer_says(f, "{\"ok\":true}", NULL, 0);
	peer_says(f, "{\"id\":1,\"ok\":true,\"partial\":true}", NULL, 0);
	peer_says(f, "{\"event\":\"container\",\"agent\":\"bob\"}", NULL, 0);
	peer_says(f, "{\"id\":1,\"ok\":true}", NULL, 0);
	peer_says(f, "{\"id\":1,\"ok\":true}", NULL, 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(
		buf_str(&f->log),
		"{\"id\":1,\"ok\":true,\"partial\":true};bob;{\"id\":1,\"ok\":true};");
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	int fds[SOCK_MAX_FDS];
	size_t n = 0;
	json_t *request;

	executor_call(f->executor, "build", NULL, NULL, 0, on_answer, f);
	executor_cancel(f->executor, 1);
	executor_cancel(f->executor, 99); /* nothing of ours: not sent */
	json_decref(peer_hears(f, fds, &n));
	request = peer_hears(f, fds, &n);
	assert_string_equal(json_string_value(json_object_get(request, "verb")), "cancel");
	assert_int_equal(json_integer_value(json_object_get(request, "target")), 1);
	json_decref(request);
	assert_int_equal(recv(f->peer, &n, sizeof(n), MSG_DONTWAIT), -1);
}

static void test_gone_fails_all_then_tells(void **state)
{
	struct fixture *f = *state;

	f->stop_after = 3;
	executor_call(f->executor, "a", NULL, NULL, 0, on_answer, f);
	executor_call(f->executor, "b", NULL, NULL, 0, on_answer, f);
	closep(&f->peer);
	f->peer = -1;
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(buf_str(&f->log), "-32 unavailable skep-exec is not there ;"
					      "-32 unavailable skep-exec is not there ;gone;");
	f->stop_after = 1;
	buf_truncate(&f->log, 0);
	executor_call(f->executor, "c", NULL, NULL, 0, on_answer, f);
	assert_int_equal(f->log.size, 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(buf_str(&f->log), "-32 unavailable skep-exec is not there ;");
}

/* A caller that asks again at once gets its turns, and the loop too. */
static void test_retry_in_callback(void **state)
{
	struct fixture *f = *state;

	f->retry_in_callback = true;
	f->stop_after = 5;
	executor_call(f->executor, "a", NULL, NULL, 0, on_answer, f);
	closep(&f->peer);
	f->peer = -1;
	assert_int_equal(loop_run(f->loop), 0);
	assert_non_null(strstr(buf_str(&f->log), "gone"));
}

static void test_garbage_is_gone(void **state)
{
	struct fixture *f = *state;

	peer_says(f, "{]", NULL, 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(buf_str(&f->log), "gone;");
}

static void test_free_in_callback(void **state)
{
	struct fixture *f = *state;

	f->free_in_callback = true;
	executor_call(f->executor, "a", NULL, NULL, 0, on_answer, f);
	executor_call(f->executor, "b", NULL, NULL, 0, on_answer, f);
	closep(&f->peer);
	f->peer = -1;
	assert_int_equal(loop_run(f->loop), 0);
	assert_null(f->executor);
}

static void test_free_in_event(void **state)
{
	struct fixture *f = *state;

	f->free_in_callback = true;
	peer_says(f, "{\"event\":\"container\",\"agent\":\"bob\"}", NULL, 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_null(f->executor);
}

static void test_too_large_is_told_later(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *text = mem_new(MESSAGE_MAX_BYTES + 1, 1);

	memset(text, 'x', MESSAGE_MAX_BYTES);
	executor_call(f->executor, "seed", json_pack("{s:s}", "data", text), NULL, 0, on_answer,
		      f);
	assert_int_equal(f->log.size, 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_ptr_equal(strstr(buf_str(&f->log), "-7 too_large"), buf_str(&f->log));
}

static void test_largest(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *text = mem_new(MESSAGE_MAX_BYTES + 1, 1);
	int fds[SOCK_MAX_FDS];
	size_t n = 0;
	json_t *request;

	memset(text, 'x', MESSAGE_MAX_BYTES - 64);
	executor_call(f->executor, "seed", json_pack("{s:s}", "data", text), NULL, 0, on_answer,
		      f);
	request = peer_hears(f, fds, &n);
	assert_string_equal(json_string_value(json_object_get(request, "data")), text);
	json_decref(request);
}

/* More than the socket holds is queued and arrives in order. */
static void test_queue_when_full(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *text = mem_new(100001, 1);
	int fds[SOCK_MAX_FDS];
	size_t n = 0;

	memset(text, 'x', 100000);
	for (int i = 0; i < 30; i++)
		executor_call(f->executor, "seed", json_pack("{s:s}", "data", text), NULL, 0,
			      on_answer, f);
	f->stop_after = 30;
	for (int i = 1; i <= 30; i++) {
		json_t *request = peer_hears(f, fds, &n);

		assert_int_equal(json_integer_value(json_object_get(request, "id")), i);
		json_decref(request);
		if (i < 30) {
			f->stop_after = 1;
			peer_says(f, "{\"event\":\"container\",\"agent\":\"turn\"}", NULL, 0);
			assert_int_equal(loop_run(f->loop), 0);
		}
	}
}

/* The peer refuses too much at once; what waits keeps its order, commands go past it. */
static void test_few_are_open(void **state)
{
	struct fixture *f = *state;
	int fds[SOCK_MAX_FDS];
	json_t *request;
	size_t n = 0;

	for (int i = 0; i < EXECUTOR_OPEN_MAX + 3; i++)
		executor_call(f->executor, "inspect", NULL, NULL, 0, on_answer, f);
	executor_call(f->executor, "exec", NULL, NULL, 0, on_answer, f);
	for (int i = 1; i <= EXECUTOR_OPEN_MAX; i++) {
		request = peer_hears(f, fds, &n);
		assert_int_equal(json_integer_value(json_object_get(request, "id")), i);
		json_decref(request);
	}
	request = peer_hears(f, fds, &n);
	assert_string_equal(json_string_value(json_object_get(request, "verb")), "exec");
	json_decref(request);
	assert_int_equal(recv(f->peer, &n, sizeof(n), MSG_DONTWAIT), -1);

	/* one that waits can be taken back: it is never sent */
	executor_cancel(f->executor, EXECUTOR_OPEN_MAX + 1);
	assert_int_equal(loop_run(f->loop), 0);
	assert_non_null(strstr(buf_str(&f->log), "-125 "));
	peer_says(f, "{\"id\":7,\"ok\":true}", NULL, 0);
	f->stop_after = 1;
	assert_int_equal(loop_run(f->loop), 0);
	request = peer_hears(f, fds, &n);
	assert_int_equal(json_integer_value(json_object_get(request, "id")),
			 EXECUTOR_OPEN_MAX + 2);
	json_decref(request);
	assert_int_equal(recv(f->peer, &n, sizeof(n), MSG_DONTWAIT), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_asks_and_is_answered),
		TEST(test_failure_keeps_code_and_hint),
		TEST(test_partial_then_end_and_strangers),
		TEST(test_cancel),
		TEST(test_gone_fails_all_then_tells),
		TEST(test_retry_in_callback),
		TEST(test_garbage_is_gone),
		TEST(test_free_in_callback),
		TEST(test_free_in_event),
		TEST(test_too_large_is_told_later),
		TEST(test_few_are_open),
		TEST(test_largest),
		TEST(test_queue_when_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
