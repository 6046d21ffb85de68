#include "control/worker.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RESULT_MAX (64 << 20)
#define REPACK_TIMEOUT_MS 600000
#define DIFF_TIMEOUT_MS 30000
#define READER_FD 3

struct worker {
	struct hive *hive;
	worker_fn fn;
	void *data;
	const char *what;
	struct error export_error;
	uint64_t export_call;
	bool export_failed, export_ended, child_ended;
	struct timer *failed_start; /* tells of a child that did not start; NULL: none */
	json_t *result;
	struct error err;
};

static void finish(struct worker *w)
{
	if (!w->child_ended || !w->export_ended)
		return;
	/* a reader that could not even start is the better explanation of a missing object */
	if (!w->result && w->export_failed)
		w->err = w->export_error;
	w->fn(w->result, w->result ? NULL : &w->err, w->data);
	json_decref(w->result);
	timer_cancel(w->failed_start);
	free(w);
}

/* Turns {"ok":false,"errno":…,"code":…,"error":…} back into the error it was. */
static void read_failure(const json_t *answer, struct error *err)
{
	const char *text = NULL;
	int64_t errnum = EIO;

	(void)json_get_str(answer, "error", false, &text, NULL);
	(void)json_get_int(answer, "errno", false, 1, 4095, &errnum, NULL);
	error_set(err, (int)errnum, "%s", text ? text : "the worker failed without a word");
}

static void on_child(const struct child_exit *exit, const struct buf *output, void *data)
{
	struct worker *w = data;
	json_t *answer = NULL;
	bool ok = false;
	char how[64];

	w->child_ended = true;
	if (!w->export_ended)
		executor_cancel(w->hive->executor,
				w->export_call); /* it may hang where we do not */
	if (exit->timed_out) {
		error_set(&w->err, ETIMEDOUT, "the %s took too long and was ended", w->what);
	} else if (json_parse(buf_str(output), output->size, &answer, &w->err) < 0) {
		error_set_code(&w->err, EIO, "internal", "the %s worker %s", w->what,
			       child_exit_text(how, exit));
	} else {
		(void)json_get_bool(answer, "ok", false, &ok, NULL);
		if (ok)
			w->result = json_incref(answer);
		else
			read_failure(answer, &w->err);
	}
	json_decref(answer);
	finish(w);
}

static void on_failed_start(void *data)
{
	struct worker *w = data;

	w->failed_start = NULL;
	finish(w);
}

static void start_child(struct worker *w, const char *const *argv, const struct child_fd *fds,
			size_t n_fds, int64_t deadline_ms)
{
	struct child_spec spec = {.argv = argv,
				  .fds = fds,
				  .n_fds = n_fds,
				  .zygote = w->hive->workers};

	if (child_start(w->hive->loop, &spec, deadline_ms, RESULT_MAX, on_child, w, NULL,
			&w->err) < 0) {
		w->child_ended = true;
		w->failed_start = loop_timer(w->hive->loop, 0, on_failed_start, w);
	}
}

static void on_exported(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
			void *data)
{
	struct worker *w = data;

	(void)fds;
	(void)n_fds;
	w->export_ended = true;
	/* one that was ended because the worker had ended tells nothing */
	if (!answer && err->err != -ECANCELED) {
		w->export_failed = true;
		w->export_error = *err;
	}
	finish(w);
}

static struct worker *worker_new(struct hive *hive, const char *what, worker_fn fn, void *data)
{
	struct worker *w = mem_new(1, sizeof(*w));

	w->hive = hive;
	w->what = what;
	w->fn = fn;
	w->data = data;
	return w;
}

void worker_import(struct hive *hive, struct agent *agent, const char *wanted, const char *base,
		   const struct limits *limits, worker_fn fn, void *data)
{
	_cleanup_free_ char *dir = hive_applied_dir(hive, agent->settings.name);
	_cleanup_free_ char *memory = str_format("%lld", (long long)limits->memory_max_bytes);
	_cleanup_free_ char *cpu = str_format("%lld", (long long)limits->cpu_quota_percent);
	_cleanup_free_ char *tasks = str_format("%lld", (long long)limits->tasks_max);
	_cleanup_free_ char *deadline =
		str_format("%lld", (long long)hive->config->import_timeout_ms);
	const char *argv[] = {"skepd", "import-worker", dir,      wanted, base, memory,
			      cpu,     tasks,           deadline, NULL};

	worker_read(hive, "import",
		    json_pack("{s:s,s:I}", "agent", agent->settings.name, "owner",
			      (json_int_t)hive_manager_uid()),
		    argv, hive->config->import_timeout_ms + 5000, fn, data);
}

void worker_read(struct hive *hive, const char *what, json_t *from, const char *const *argv,
		 int64_t deadline_ms, worker_fn fn, void *data)
{
	struct worker *w = worker_new(hive, what, fn, data);
	int ends[2];

	if (sock_pair(SOCK_STREAM, ends, &w->err) < 0) {
		json_decref(from);
		w->child_ended = w->export_ended = true;
		w->failed_start = loop_timer(hive->loop, 0, on_failed_start, w);
		return;
	}
	w->export_call =
		executor_call(hive->executor, "export", from, &ends[0], 1, on_exported, w);
	start_child(w, argv, &(struct child_fd){.fd = ends[1], .target = READER_FD}, 1,
		    deadline_ms);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

void worker_diff(struct hive *hive, bool keep, const char *dir, const char *old,
		 const char *new, worker_fn fn, void *data)
{
	struct worker *w = worker_new(hive, "diff", fn, data);
	const char *argv[] = {"skepd", "diff-worker",           dir, old,
			      new,     keep ? "keep" : "clean", NULL};

	w->export_ended = true;
	start_child(w, argv, NULL, 0, DIFF_TIMEOUT_MS);
}

void worker_repack(struct hive *hive, const char *dir, worker_fn fn, void *data)
{
	struct worker *w = worker_new(hive, "repack", fn, data);
	const char *argv[] = {"skepd", "repack-worker", dir, NULL};

	w->export_ended = true;
	start_child(w, argv, NULL, 0, REPACK_TIMEOUT_MS);
}
