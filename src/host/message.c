#include "host/message.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The protocol's stable codes: an error keeps a borrowed one, so what arrives is looked up
 * here. */
static const char *const codes[] = {
	"bad_request", "unknown_cmd", "too_large", "bad_name",      "empty_scope",
	"unsupported", "not_found",   "forbidden", "exists",        "wrong_state",
	"stale",       "superseded",  "expired",   "idem_mismatch", "build_failed",
	"needs_ack",   "blocked",     "busy",      "deploy_failed", "rate_limited",
	"unavailable", "storage",     "internal",
};

static const char *find_code(const char *code)
{
	for (size_t i = 0; code && i < ARRAY_SIZE(codes); i++)
		if (strcmp(codes[i], code) == 0)
			return codes[i];
	return NULL;
}

json_t *message_failure(uint64_t id, const struct error *err)
{
	json_t *answer = json_pack("{s:I, s:b, s:i, s:s, s:s}", "id", (json_int_t)id, "ok", 0,
				   "errno", err->err ? -err->err : EIO, "code", error_code(err),
				   "error", error_text(err));

	/* A text cut in the middle of a character is not UTF-8 and jansson refuses it. */
	if (!answer)
		answer = json_pack("{s:I, s:b, s:i, s:s, s:s}", "id", (json_int_t)id, "ok", 0,
				   "errno", err->err ? -err->err : EIO, "code", error_code(err),
				   "error", "failed");
	if (err->hint[0])
		json_put_str(answer, "hint", err->hint);
	return answer;
}

int message_result(const json_t *answer, struct error *err)
{
	const char *text = "failed", *code = NULL, *hint = NULL;
	int64_t number = EIO;

	if (json_is_true(json_object_get(answer, "ok")))
		return 0;
	(void)json_get_int(answer, "errno", false, 1, 4095, &number, NULL);
	(void)json_get_str(answer, "error", false, &text, NULL);
	(void)json_get_str(answer, "code", false, &code, NULL);
	(void)json_get_str(answer, "hint", false, &hint, NULL);
	(void)error_set_code(err, (int)number, find_code(code), "%s",
			     text[0] ? text : "failed");
	if (hint)
		error_hint(err, "%s", hint);
	return -(int)number;
}

void message_prepare(int fd)
{
	int size = 2 * MESSAGE_MAX_BYTES;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int message_send(int fd, const json_t *object, const int *fds, size_t n_fds)
{
	_cleanup_free_ char *line = json_line(object);
	size_t size = line ? strlen(line) : 0;
	ssize_t n;

	if (!line)
		return -EINVAL;
	if (size > MESSAGE_MAX_BYTES)
		return -E2BIG;
	n = sock_send(fd, line, size, fds, n_fds);
	return n < 0 ? (int)n : 0;
}

int message_receive(int fd, json_t **ret, int *ret_fds, size_t *ret_n, struct error *err)
{
	_cleanup_free_ char *data = mem_new(MESSAGE_MAX_BYTES + 1, 1);
	int fds[SOCK_MAX_FDS];
	json_t *object = NULL;
	size_t n_fds = 0;
	ssize_t n = sock_recv(fd, data, MESSAGE_MAX_BYTES, fds, &n_fds);
	int r;

	if (n == -EMSGSIZE)
		return error_set(err, EBADMSG, "a message is larger than %u bytes",
				 MESSAGE_MAX_BYTES);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return 0;
	r = json_parse(data, (size_t)n, &object, err);
	if (r == 0 && !json_is_object(object)) {
		json_decref(object);
		r = error_set(err, EBADMSG, "a message is not an object");
	}
	if (r < 0) {
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		return -EBADMSG;
	}
	*ret = object;
	memcpy(ret_fds, fds, n_fds * sizeof(int));
	*ret_n = n_fds;
	return 1;
}
