/* Messages to and from skep-exec, over a real socket with descriptors: what the table takes has
 * no key that it does not name. */
#include "fuzz.h"

#include "base/json.h"
#include "base/sock.h"
#include "host/message.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

static int fds[2] = {-1, -1};

static size_t count_open(void)
{
	size_t n = 0;

	for (int fd = 3; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void look_at_arguments(const struct verb *verb, json_t *arguments)
{
	const char *key;
	json_t *value;

	must(table_deadline_ms(verb, arguments) >= verb->deadline_ms);
	if (verb->flags & VERB_SPEC)
		return;
	json_object_foreach (arguments, key, value) {
		const struct argument *a = verb->arguments;

		while (a->key && strcmp(a->key, key) != 0)
			a++;
		must(a->key);
		if (a->type == ARG_TEXT && !json_is_null(value))
			must(json_is_string(value) &&
			     json_string_length(value) <= (size_t)a->max &&
			     !strchr(json_string_value(value), '\n'));
		if (a->type == ARG_AGENT && !json_is_null(value))
			must(name_check(json_string_value(value), NULL) == 0);
	}
	for (const struct argument *a = verb->arguments; a->key; a++)
		must(!a->required || json_object_get(arguments, a->key));
}

static void look_at_request(json_t *message, size_t n_fds)
{
	const char *name = json_string_value(json_object_get(message, "verb"));
	const struct verb *verb = name ? table_find(name) : NULL;
	struct error err = {};

	if (!verb)
		return;
	must(strcmp(verb->name, name) == 0);
	json_object_del(message, "verb");
	json_object_del(message, "id");
	if (table_check(verb, message, n_fds, &err) == 0) {
		must(n_fds == verb->n_fds);
		look_at_arguments(verb, message);
	} else {
		must(err.err && fuzz_is_clean(err.text, strlen(err.text), false));
	}
}

static void look_at_answer(const json_t *message)
{
	struct error err = {}, again = {};
	json_auto_t *failure = NULL;
	int r = message_result(message, &err);

	if (r == 0)
		return;
	must(r < 0 && r > -4096 && err.err == r);
	failure = message_failure(1, &err);
	must(failure && message_result(failure, &again) == r);
	must(strcmp(error_code(&err), error_code(&again)) == 0);
	must(strcmp(err.text, again.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int sent[SOCK_MAX_FDS], got[SOCK_MAX_FDS];
	size_t n_sent, n_got = 0, before;
	json_t *message = NULL;
	struct error err = {};
	int r;

	if (size < 2)
		return 0;
	if (fds[0] < 0) {
		must(sock_pair(SOCK_SEQPACKET, fds, &err) == 0);
		message_prepare(fds[0]);
	}
	n_sent = data[0] % 4;
	for (size_t i = 0; i < n_sent; i++)
		sent[i] = STDIN_FILENO;
	before = count_open();
	must(sock_send(fds[0], data + 1, size - 1, sent, n_sent) == (ssize_t)size - 1);
	r = message_receive(fds[1], &message, got, &n_got, &err);
	must(r == 1 || r == -EBADMSG);
	if (r == 1) {
		must(n_got == n_sent && json_is_object(message));
		for (size_t i = 0; i < n_got; i++)
			(void)close(got[i]);
		look_at_answer(message);
		look_at_request(message, n_got);
		json_decref(message);
	}
	must(count_open() == before);
	return 0;
}
