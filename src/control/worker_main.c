/* The inside of a worker process: repository work, its result as one JSON object on standard
 * output. */
#include "control/worker.h"

#include "base/calls.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/isolate.h"
#include "base/json.h"
#include "git/diff.h"
#include "git/import.h"
#include "git/repack.h"
#include "git/risk.h"
#include "git/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define READER_FD 3
#define MEMORY_MAX (2ULL << 30)

static int64_t number(const char *text)
{
	return strtoll(text, NULL, 10);
}

/* DIR WANTED BASE MEMORY CPU TASKS DEADLINE-MS */
static int run_import(char **argv, json_t *result, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct limits current = {number(argv[3]), number(argv[4]), number(argv[5])};
	struct import_limits limits = import_limits_default;
	_cleanup_free_ char *title = NULL, *author = NULL;
	struct import_result imported;
	struct flags flags = {};
	int r = repo_open(argv[0], &repo, err);

	if (r < 0)
		return r;
	git_trust_objects();
	limits.deadline_ms = number(argv[6]);
	if ((r = import_commit(repo, READER_FD, argv[1], &limits, &imported, err)) < 0 ||
	    (r = risk_scan(repo, argv[2][0] ? argv[2] : NULL, imported.commit, &current, &flags,
			   err)) < 0 ||
	    (r = repo_commit_summary(repo, imported.commit, &title, &author, err)) < 0) {
		flags_release(&flags);
		return r;
	}
	json_object_set_new(result, "commit", json_string(imported.commit));
	json_object_set_new(result, "tree", json_string(imported.tree));
	json_object_set_new(result, "title", json_string(title));
	json_object_set_new(result, "author", json_string(author));
	json_object_set_new(result, "flags", flags_to_json(&flags));
	json_object_set_new(result, "new_objects",
			    json_integer((json_int_t)imported.new_objects));
	json_object_set_new(result, "new_bytes", json_integer((json_int_t)imported.new_bytes));
	flags_release(&flags);
	return 0;
}

/* DIR OLD NEW keep|clean */
static int run_diff(char **argv, json_t *result, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct diff_limits limits = diff_limits_default;
	json_t *diff = NULL;
	int r = repo_open(argv[0], &repo, err);

	limits.keep = strcmp(argv[3], "keep") == 0;

	if (r == 0)
		r = diff_compare(repo, argv[1][0] ? argv[1] : NULL, argv[2], &limits, &diff,
				 err);
	if (r < 0)
		return r;
	json_object_update(result, diff);
	json_decref(diff);
	return 0;
}

/* DIR */
static int run_repack(char **argv, json_t *result, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int r = repo_open(argv[0], &repo, err);

	(void)result;
	return r < 0 ? r : repack_all(repo, err);
}

/* DIR DEADLINE-MS SKIP FLAKE WALL-S MEMORY CPU TASKS */
static int run_takeover(char **argv, json_t *result, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct import_limits limits = import_limits_default;
	struct limits current = {number(argv[5]), number(argv[6]), number(argv[7])};
	const struct takeover_order order = {
		.limits = &limits,
		.current = &current,
		.skip = argv[2],
		.flake = argv[3],
		.wall_s = number(argv[4]),
	};
	int r = repo_open(argv[0], &repo, err);

	limits.deadline_ms = number(argv[1]);
	return r < 0 ? r : takeover_read(repo, READER_FD, &order, result, err);
}

/* DEADLINE-MS */
static int run_look(char **argv, json_t *result, struct error *err)
{
	return takeover_look(READER_FD, number(argv[0]), result, err);
}

/* DIR PATH MAX DEADLINE-MS */
static int run_file(char **argv, json_t *result, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_buf_ struct buf text = {};
	struct import_limits limits = import_limits_default;
	int r = repo_open(argv[0], &repo, err);

	limits.deadline_ms = number(argv[3]);
	if (r == 0)
		r = takeover_file(repo, READER_FD, argv[1], (size_t)number(argv[2]), &limits,
				  &text, err);
	if (r == 0)
		json_put_str(result, "text", buf_str(&text));
	return r;
}

static const struct {
	const char *name;
	int n_args;
	bool writes;
	int (*run)(char **argv, json_t *result, struct error *err);
} workers[] = {
	{"import-worker", 7, true, run_import}, {"diff-worker", 4, false, run_diff},
	{"repack-worker", 1, true, run_repack}, {"takeover-worker", 8, true, run_takeover},
	{"look-worker", 1, false, run_look},    {"file-worker", 4, true, run_file},
};

bool worker_is_one(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		if (strcmp(workers[i].name, word) == 0)
			return true;
	return false;
}

/* Hostile input is parsed here: no core to look into, no more memory than a job needs. What it
 * may call is limited once libgit2 is set up. */
static void confine(void)
{
	struct rlimit memory = {ISOLATE_MEMORY(MEMORY_MAX), ISOLATE_MEMORY(MEMORY_MAX)},
		      core = {0, 0};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &core);
	(void)setrlimit(RLIMIT_AS, &memory);
}

static int run(int argc, char **argv, json_t *result, struct error *err)
{
	confine();
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
		int r;

		if (strcmp(workers[i].name, argv[1]) != 0 || argc != workers[i].n_args + 2)
			continue;
		r = git_setup(workers[i].writes, err);
		if (r == 0)
			r = calls_limit(err);
		return r < 0 ? r : workers[i].run(argv + 2, result, err);
	}
	return error_set(err, EINVAL, "wrong arguments for a worker");
}

void worker_prepare(void)
{
	(void)git_setup(true, NULL);
}

int worker_main(int argc, char **argv)
{
	json_t *result = json_pack("{s:b}", "ok", 1);
	_cleanup_free_ char *line = NULL;
	struct error err = {};
	int r = run(argc, argv, result, &err);

	if (r < 0) {
		json_object_clear(result);
		json_object_set_new(result, "ok", json_false());
		json_object_set_new(result, "errno", json_integer(-r));
		json_object_set_new(result, "error", json_string_nocheck(error_text(&err)));
	}
	line = json_line(result);
	json_decref(result);
	if (!line || file_write_all(STDOUT_FILENO, line, strlen(line)) < 0)
		return 1;
	return 0;
}
