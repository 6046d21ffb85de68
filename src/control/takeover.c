#include "control/takeover.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/lifecycle.h"
#include "control/inputs.h"
#include "control/template.h"
#include "control/worker.h"
#include "nix/lock.h"
#include "wire/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_S 110      /* of one repository; the reader ends itself a little later */
#define REFUSALS_MAX 32 /* commits of one agent that are left out */

static void stage_next(struct takeover *t);
static void read_next(struct takeover *t);

/* ---- the end ---- */

static void progress(struct takeover *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void progress(struct takeover *t, const char *format, ...)
{
	struct session *s = session_peek(t->session);
	char text[400];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (s)
		session_send(s, answer_with("log", json_string(text)));
}

static void free_item(struct takeover_item *item)
{
	json_decref(item->found);
	json_decref(item->warnings);
	json_decref(item->refusals);
	buf_release(&item->skip);
}

static void end(struct takeover *t)
{
	struct session *s = session_found(t->session);

	if (s && t->err.err)
		session_fail(s, &t->err);
	else if (s)
		session_answer(s, answer_with("import", json_incref(t->report)));
	t->hive->takeover = NULL;
	for (size_t i = 0; i < t->n_items; i++)
		free_item(&t->items[i]);
	free(t->items);
	closep(&t->dir_fd);
	json_decref(t->report);
	json_decref(t->names);
	json_decref(t->look);
	json_decref(t->locked);
	json_decref(t->inputs);
	json_decref(t->ignored);
	json_decref(t->warnings);
	free(t);
}

static void on_dropped(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		       void *data)
{
	struct takeover *t = data;

	(void)fds;
	(void)n_fds;
	if (!answer)
		log_line(LOG_WARNING, "what was copied cannot be removed: %s", error_text(err));
	end(t);
}

/* Nothing of it was recorded: nothing of it stays. Names, ports and ids are free again. */
static void drop(struct takeover *t)
{
	takeover_clear(t);
	for (size_t i = 0; i < t->n_items; i++)
		hive_remove(t->hive, t->items[i].agent);
	(void)executor_call(t->hive->executor, "import-drop", json_object(), NULL, 0,
			    on_dropped, t);
}

static void on_looked_at_all(const json_t *answer, int *fds, size_t n_fds,
			     const struct error *err, void *data)
{
	struct takeover *t = data;

	(void)fds;
	(void)n_fds;
	(void)err;
	if (answer)
		container_seen_all(t->hive, answer);
	for (size_t i = 0; i < t->n_items; i++) {
		struct agent *agent = hive_find(t->hive, t->items[i].name);
		struct error why = {};
		struct op *op;

		if (t->start && agent &&
		    lifecycle_start(t->hive, agent, &t->actor, &op, &why) < 0)
			takeover_warn(t->warnings, "'%s' is not started: %s", t->items[i].name,
				      error_text(&why));
	}
	end(t);
}

/* It is all here: what runs is looked at, as after every start. */
static void on_settled(void *data)
{
	struct takeover *t = data;

	(void)executor_call(t->hive->executor, "inspect", json_object(), NULL, 0,
			    on_looked_at_all, t);
}

static void fail(struct takeover *t, const struct error *err)
{
	t->err = *err;
	drop(t);
}

/* ---- reading ---- */

static void finish_reading(struct takeover *t)
{
	struct error err = {};
	int r = takeover_check_numbers(t, &err);

	if (r == 0 && !t->dry_run)
		r = takeover_record(t, &err);
	if (r < 0) {
		fail(t, &err);
		return;
	}
	t->report = takeover_report(t);
	if (t->dry_run) {
		drop(t);
		return;
	}
	takeover_clear(t);
	for (size_t i = 0; i < t->n_items; i++)
		audit_add(t->hive->audit, &t->actor, "import_hyperhive", t->items[i].name, "ok",
			  NULL);
	progress(t, "recorded; putting the copies in their places");
	takeover_resume(t->hive, on_settled, t);
}

static void tell_work(struct takeover_item *item, const json_t *seen)
{
	const char *head = json_string_value(json_object_get(seen, "head"));
	const char *branch = json_string_value(json_object_get(seen, "branch"));
	const json_t *clean = json_object_get(seen, "clean"), *number;
	const json_t *deployed = json_object_get(item->found, "deployed");
	bool is_known =
		head &&
		strcmp(head, json_string_value(json_object_get(deployed, "commit"))) == 0;
	size_t i;

	json_array_foreach (json_object_get(item->found, "numbers"), i, number) {
		const char *commit = json_string_value(json_object_get(number, "commit"));

		is_known |= head && commit && strcmp(head, commit) == 0;
	}
	if (!head)
		takeover_warn(item->warnings, "agents/%s/config has no commit at its head",
			      item->name);
	else if (!is_known)
		takeover_warn(item->warnings,
			      "agents/%s/config is at %.*s, which was never proposed",
			      item->name, OID_SHORT, head);
	if (head && !branch)
		takeover_warn(item->warnings, "agents/%s/config is on no branch", item->name);
	if (clean && json_is_false(clean))
		takeover_warn(item->warnings,
			      "agents/%s/config has changes that are not committed: they come "
			      "along as they are",
			      item->name);
}

static void on_seen(const json_t *result, const struct error *err, void *data)
{
	struct takeover *t = data;
	struct takeover_item *item = &t->items[t->i++];

	if (result)
		tell_work(item, result);
	else
		takeover_warn(item->warnings, "agents/%s/config cannot be looked at: %s",
			      item->name, error_text(err));
	stage_next(t);
}

static json_t *export_of(const char *agent, const char *from)
{
	return json_pack("{s:s,s:s,s:I,s:i}", "agent", agent, "from", from, "owner",
			 (json_int_t)hive_manager_uid(), "timeout_s", READ_S);
}

static void look_at_work(struct takeover *t)
{
	struct takeover_item *item = &t->items[t->i];
	_cleanup_free_ char *deadline = str_format("%d", READ_S * 1000);
	const char *argv[] = {"skepd", "look-worker", deadline, NULL};

	worker_read(t->hive, "look", export_of(item->name, "config"), argv, READ_S * 1000,
		    on_seen, t);
}

/* One commit that breaks a rule is left out, and all of it is read again. */
static int leave_out(struct takeover_item *item, const json_t *refused, struct error *err)
{
	int64_t id = json_integer_value(json_object_get(refused, "id"));
	_cleanup_free_ char *key = str_format("%" PRId64, id);
	const char *why = json_string_value(json_object_get(refused, "error"));

	if (json_object_size(item->refusals) >= REFUSALS_MAX)
		return error_set(err, EINVAL,
				 "more than %d of its commits break a rule; the last: %s",
				 REFUSALS_MAX, why);
	if (json_object_get(item->refusals, key))
		return error_set(err, EIO, "the worker makes no sense");
	json_put_str(item->refusals, key, why);
	buf_addf(&item->skip, "%s ", key);
	takeover_warn(item->warnings, "the commit of number %s is left out: %s", key, why);
	return 0;
}

static void on_read(const json_t *result, const struct error *err, void *data)
{
	struct takeover *t = data;
	struct takeover_item *item = &t->items[t->i];
	json_t *refused = json_object_get(result, "refused"), *warning;
	struct error why = {};
	size_t i;

	if (!result) {
		why = *err;
	} else if (refused) {
		if (leave_out(item, refused, &why) == 0) {
			read_next(t);
			return;
		}
	} else if (!json_object_get(result, "deployed")) {
		(void)error_set(&why, EIO, "the worker makes no sense");
	}
	if (why.err) {
		error_prefix(&why, "'%s'", item->name);
		fail(t, &why);
		return;
	}
	item->found = json_deep_copy(result);
	json_array_foreach (json_object_get(item->found, "warnings"), i, warning)
		json_array_append(item->warnings, warning);
	if (item->has_config) {
		look_at_work(t);
		return;
	}
	t->i++;
	stage_next(t);
}

/* flake.nix as this agent's own would be. */
static int read_flake(struct takeover *t, const struct settings *s, char **ret,
		      struct error *err)
{
	json_t *files = NULL, *file;
	size_t i;
	int r = template_read(t->hive, s, NULL, &files, err);

	json_array_foreach (files, i, file)
		if (strcmp(json_string_value(json_object_get(file, "path")), "flake.nix") == 0)
			*ret = str_dup(json_string_value(json_object_get(file, "data")));
	json_decref(files);
	return r == 0 && !*ret ? error_set(err, ENOENT, "the template has no flake.nix") : r;
}

static void read_next(struct takeover *t)
{
	struct takeover_item *item = &t->items[t->i];
	const struct limits *limits = &t->hive->config->limits;
	_cleanup_free_ char *flake = NULL, *dir = takeover_dir(t->hive, item->name),
			    *deadline = str_format("%d", READ_S * 1000),
			    *wall = str_format("%lld", (long long)t->hive->wall_s()),
			    *memory = str_format("%lld", (long long)limits->memory_max_bytes),
			    *cpu = str_format("%lld", (long long)limits->cpu_quota_percent),
			    *tasks = str_format("%lld", (long long)limits->tasks_max);
	struct error err = {};

	if (read_flake(t, &item->agent->settings, &flake, &err) < 0) {
		fail(t, &err);
		return;
	}
	const char *argv[] = {"skepd",
			      "takeover-worker",
			      dir,
			      deadline,
			      buf_str(&item->skip),
			      flake,
			      wall,
			      memory,
			      cpu,
			      tasks,
			      NULL};

	worker_read(t->hive, "takeover", export_of(item->name, "applied"), argv,
		    READ_S * 1000 + 5000, on_read, t);
}

/* ---- copying ---- */

static void on_staged(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct takeover *t = data;
	struct takeover_item *item = &t->items[t->i];
	struct error why = {};

	(void)fds;
	(void)n_fds;
	if (!answer) {
		why = *err;
		error_prefix(&why, "'%s'", item->name);
		fail(t, &why);
		return;
	}
	item->files = json_integer_value(json_object_get(answer, "files"));
	item->bytes = json_integer_value(json_object_get(answer, "bytes"));
	if (json_integer_value(json_object_get(answer, "left_out")) > 0)
		takeover_warn(item->warnings,
			      "%lld entries that are neither files, directories nor links are "
			      "left out",
			      (long long)json_integer_value(
				      json_object_get(answer, "left_out")));
	read_next(t);
}

static void stage_next(struct takeover *t)
{
	struct takeover_item *item = &t->items[t->i];
	struct error err = {};

	if (t->hive->stopping) {
		(void)error_set(&err, EAGAIN, "the hive is going down");
		fail(t, &err);
		return;
	}
	if (t->i == t->n_items) {
		finish_reading(t);
		return;
	}
	progress(t, "%s (%zu of %zu)", item->name, t->i + 1, t->n_items);
	if (takeover_make_repository(t->hive, item->name, &err) < 0) {
		fail(t, &err);
		return;
	}
	(void)executor_call(t->hive->executor, "import-stage",
			    json_pack("{s:s,s:I,s:I,s:b}", "agent", item->name, "owner",
				      (json_int_t)hive_manager_uid(), "uid_base",
				      (json_int_t)item->agent->settings.uid_base, "state",
				      t->with_state && !t->dry_run),
			    &t->dir_fd, 1, on_staged, t);
}

static void plan(struct takeover *t)
{
	struct error err = {};

	if (takeover_plan(t, &err) < 0)
		fail(t, &err);
	else
		stage_next(t);
}

/* ---- their meta ---- */

static void on_lock(const json_t *result, const struct error *err, void *data)
{
	struct takeover *t = data;
	const char *text = json_string_value(json_object_get(result, "text"));

	if (text)
		takeover_take_lock(t, text);
	else
		takeover_warn(t->warnings, "their meta cannot be read: %s", error_text(err));
	plan(t);
}

static void on_meta_staged(const json_t *answer, int *fds, size_t n_fds,
			   const struct error *err, void *data)
{
	struct takeover *t = data;
	_cleanup_free_ char *dir = takeover_dir(t->hive, ".meta"),
			    *deadline = str_format("%d", READ_S * 1000),
			    *max = str_format("%d", LOCK_MAX_BYTES);
	const char *argv[] = {"skepd", "file-worker", dir, "flake.lock", max, deadline, NULL};
	struct error why = {};

	(void)fds;
	(void)n_fds;
	if (!answer || takeover_make_repository(t->hive, ".meta", &why) < 0) {
		fail(t, answer ? &why : err);
		return;
	}
	worker_read(t->hive, "meta", export_of(MANAGER_NAME, "meta"), argv,
		    READ_S * 1000 + 5000, on_lock, t);
}

static void on_looked(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct takeover *t = data;
	const char *meta = json_string_value(json_object_get(answer, "meta"));

	(void)fds;
	(void)n_fds;
	if (!answer) {
		fail(t, err);
		return;
	}
	t->look = json_deep_copy(answer);
	if (meta && (strcmp(meta, "repository") == 0 || strcmp(meta, "bare") == 0)) {
		(void)executor_call(t->hive->executor, "import-stage",
				    json_pack("{s:I}", "owner", (json_int_t)hive_manager_uid()),
				    &t->dir_fd, 1, on_meta_staged, t);
		return;
	}
	takeover_warn(t->warnings,
		      "there is no meta repository: it is of the time before that, "
		      "and every agent with a repository is taken for one that lives");
	plan(t);
}

/* ---- the beginning ---- */

static void on_cleared(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		       void *data)
{
	struct takeover *t = data;

	(void)fds;
	(void)n_fds;
	if (!answer) {
		fail(t, err);
		return;
	}
	(void)executor_call(t->hive->executor, "import-look", json_object(), &t->dir_fd, 1,
			    on_looked, t);
}

int takeover_begin(struct session *s, int dir_fd, const json_t *names, bool dry_run, bool start,
		   bool with_state, struct error *err)
{
	_cleanup_close_ int fd = dir_fd;
	struct takeover *t;
	int r = inputs_check(s->hive, err);

	if (r < 0)
		return r;
	if (s->hive->takeover)
		return error_set(err, EBUSY, "another import is going on");
	t = mem_new(1, sizeof(*t));
	*t = (struct takeover){
		.hive = s->hive,
		.actor = s->actor,
		.dir_fd = -1,
		.dry_run = dry_run,
		.start = start,
		.with_state = with_state,
		.ignored = json_array(),
		.inputs = json_object(),
		.warnings = json_array(),
	};
	t->names = names ? json_deep_copy(names) : NULL;
	t->dir_fd = TAKE_FD(fd);
	t->session = session_ref(s);
	t->hive->takeover = t;
	(void)executor_call(t->hive->executor, "import-drop", json_object(), NULL, 0,
			    on_cleared, t);
	return 0;
}
