/* plan and apply: a declared hive comes as a descriptor that holds its document, for it is
 * larger than a line and no path of the client's is ever followed. */
#include "control/dispatch.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/sock.h"
#include "control/desired.h"
#include "control/generation.h"
#include "model/document.h"
#include "wire/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Memory that nobody can change or cut short while it is read: reading it cannot block. */
static int check_sealed(int fd, size_t *ret_size, struct error *err)
{
	int seals = fcntl(fd, F_GET_SEALS), wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;

	if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &st) < 0)
		return error_set(err, EINVAL, "the document must come as sealed memory");
	if (st.st_size > (off_t)DOCUMENT_MAX_BYTES)
		return error_set(err, E2BIG, "the document has more than %u MiB",
				 DOCUMENT_MAX_BYTES >> 20);
	*ret_size = (size_t)st.st_size;
	return 0;
}

static int read_document(int fd, json_t **ret, char digest[DIGEST_SIZE], struct error *err)
{
	_cleanup_free_ char *bytes = NULL;
	json_auto_t *document = NULL;
	size_t size = 0, got = 0;
	int r = check_sealed(fd, &size, err);

	if (r < 0)
		return r;
	bytes = mem_new(size + 1, 1);
	while (got < size) {
		ssize_t n = pread(fd, bytes + got, size - got, (off_t)got);

		if (n <= 0)
			return error_set(err, EIO, "the document cannot be read");
		got += (size_t)n;
	}
	if ((r = json_parse(bytes, size, &document, err)) < 0 ||
	    (r = document_check(document, err)) < 0)
		return r;
	digest_sha256(digest, bytes, size);
	*ret = TAKE_PTR(document);
	return 0;
}

/* The document of a request and what it would change. */
static int take(struct session *s, const json_t *request, struct desired *ret,
		char digest[DIGEST_SIZE], struct error *err)
{
	json_auto_t *document = NULL;
	bool prune = false;
	int fds[SOCK_MAX_FDS], r = 0;
	size_t n = conn_take_fds(s->conn, fds);

	if (n != 1)
		r = error_set(err, EINVAL, "1 descriptor must come with this request, not %zu",
			      n);
	if (r == 0)
		r = json_get_bool(request, "prune", false, &prune, err);
	if (r == 0)
		r = read_document(fds[0], &document, digest, err);
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	return r < 0 ? r : desired_make(s->hive, document, prune, ret, err);
}

int handle_plan(struct session *s, const json_t *request, struct error *err)
{
	_cleanup_(desired_release) struct desired desired = {};
	char digest[DIGEST_SIZE];
	int r = take(s, request, &desired, digest, err);

	if (r == 0)
		session_answer(s, answer_with("plan", desired_row(s->hive, &desired)));
	return r;
}

struct applying {
	void *session;
	json_t *row;
};

static void on_applied(struct hive *hive, const struct error *err, void *data)
{
	struct applying *a = data;
	struct session *s = session_found(a->session);

	(void)hive;
	if (s && err)
		session_fail(s, err);
	else if (s)
		session_answer(s, answer_with("apply", json_incref(a->row)));
	json_decref(a->row);
	free(a);
}

/* Whoever made the plan saw this very record. */
static int check_head(const struct session *s, const json_t *request, struct error *err)
{
	const char *meta = NULL;
	int r = json_get_str(request, "meta", true, &meta, err);

	if (r < 0 || strcmp(meta, s->hive->meta_head) == 0)
		return r;
	error_set_code(err, ESTALE, "stale", "the hive has changed since this was planned");
	error_hint(err, "look at the plan again");
	return -ESTALE;
}

static int apply(struct session *s, struct desired *desired, const char *digest, bool wait,
		 struct error *err)
{
	json_auto_t *row = desired_row(s->hive, desired);
	struct applying *a = NULL;
	int r;

	if (desired_is_true(desired)) {
		desired_release(desired);
		session_answer(s, answer_with("apply", json_incref(row)));
		return 0;
	}
	if (wait) {
		a = mem_new(1, sizeof(*a));
		*a = (struct applying){.session = session_ref(s), .row = json_incref(row)};
	}
	r = generation_begin(s->hive, desired, digest, &s->actor, wait ? on_applied : NULL, a,
			     err);
	if (r < 0 && a) {
		json_decref(a->row);
		free(a->session);
		free(a);
	}
	if (r < 0 || wait)
		return r < 0 ? r : HANDLED_LATER;
	session_answer(s, answer_with("apply", json_incref(row)));
	return 0;
}

int handle_apply(struct session *s, const json_t *request, struct error *err)
{
	struct desired desired = {};
	char digest[DIGEST_SIZE];
	bool wait = false;
	int r;

	if ((r = take(s, request, &desired, digest, err)) < 0)
		return r;
	if ((r = json_get_bool(request, "wait", false, &wait, err)) < 0 ||
	    (r = check_head(s, request, err)) < 0) {
		desired_release(&desired);
		return r;
	}
	return apply(s, &desired, digest, wait, err);
}
