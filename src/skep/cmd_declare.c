/* validate, plan, apply: a hive as files say it is to be. */

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "skep/declared.h"
#include "skep/handlers.h"
#include "skep/plan_text.h"
#include "skep/wait.h"
#include "skep/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define EXIT_WOULD_CHANGE 10
#define RETRY_MS 5000

static json_t *names_of(const json_t *object)
{
	json_t *names = json_array(), *value;
	const char *name;

	json_object_foreach ((json_t *)object, name, value)
		json_array_append_new(names, json_string(name));
	return names;
}

int cmd_validate(struct cli *cli, struct error *err)
{
	json_auto_t *document = NULL, *notes = NULL, *answer = NULL;
	const json_t *agents, *images;
	int r = declared_read(cli, &document, &notes, err);

	if (r < 0)
		return r;
	agents = json_object_get(document, "agents");
	images = json_object_get(document, "images");
	answer = json_pack("{s:O,s:o,s:o,s:O}", "hive", json_object_get(document, "hive"),
			   "agents", names_of(agents), "images", names_of(images), "notes",
			   notes);
	if (cli_print_json(cli, answer, NULL))
		return 0;
	declared_tell(cli, notes);
	cli_say(cli, "%s is valid: agents %zu, images %zu here", field_str(document, "hive"),
		json_object_size(agents), json_object_size(images));
	return 0;
}

/* The document in memory that the daemon can trust to stay as it is. */
static int seal(const json_t *document, int *ret, struct error *err)
{
	_cleanup_close_ int fd = memfd_create("skep-document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	_cleanup_free_ char *text = json_line(document);

	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return error_set_errno(err, errno, "cannot hand over the document");
	*ret = TAKE_FD(fd);
	return 0;
}

static json_t *request_of(const struct cli *cli, const char *cmd)
{
	json_t *request = cli_request(cmd);

	if (args_has(&cli->args, "prune"))
		json_object_set_new(request, "prune", json_true());
	return request;
}

/* *ret is the plan, *ret_fd the document it is of; both are the caller's. */
static int ask_plan(struct cli *cli, const json_t *document, json_t **ret, int *ret_fd,
		    struct error *err)
{
	_cleanup_client_ struct client client = CLIENT_NONE;
	json_auto_t *request = request_of(cli, "plan"), *answer = NULL;
	_cleanup_close_ int fd = -1;
	int r = seal(document, &fd, err);

	if (r < 0 || (r = client_open(cli->socket, &client, err)) < 0 ||
	    (r = client_send(&client, request, &fd, 1, err)) < 0 ||
	    (r = client_receive(&client, CLI_TIMEOUT_MS, &answer, err)) < 0 ||
	    (r = cli_check(cli, answer, err)) < 0)
		return r;
	*ret = json_incref(json_object_get(answer, "plan"));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int cmd_plan(struct cli *cli, struct error *err)
{
	json_auto_t *document = NULL, *notes = NULL, *plan = NULL;
	_cleanup_free_ char *summary = NULL;
	_cleanup_close_ int fd = -1;
	int r = declared_read(cli, &document, &notes, err);

	if (r == 0)
		r = ask_plan(cli, document, &plan, &fd, err);
	if (r < 0)
		return r;
	if (args_has(&cli->args, "exit-code") && plan_changes(plan) > 0)
		cli->exit_status = EXIT_WOULD_CHANGE;
	json_object_set(plan, "notes", notes);
	if (cli_print_json(cli, plan, NULL))
		return 0;
	declared_tell(cli, notes);
	plan_print(&cli->out, plan, cli->plain);
	summary = plan_summary(plan);
	cli_say(cli, "generation %lld of %s: %s", (long long)field_int(plan, "generation"),
		field_str(plan, "hive"), summary);
	return 0;
}

/* The names of those that change, borrowed from the plan, for their progress to be shown. */
static size_t changing(const json_t *plan, const char **names)
{
	json_t *change;
	size_t i, n = 0;

	json_array_foreach (json_object_get(plan, "changes"), i, change)
		if (strcmp(field_str(change, "action"), "none") != 0)
			names[n++] = field_str(change, "agent");
	return n;
}

static int confirm(struct cli *cli, const json_t *plan, struct error *err)
{
	_cleanup_free_ char *summary = plan_summary(plan);

	plan_print(&cli->talk, plan, false);
	(void)out_flush(&cli->talk);
	if (cli_ask_yes(cli, "%s: apply generation %lld of %s? [y/N]", summary,
			(long long)field_int(plan, "generation"), field_str(plan, "hive")))
		return 0;
	return error_set(err, ECANCELED, "nothing was changed");
}

/* One request with the document of a plan, and the head that plan was held against. */
static int carry_out(struct cli *cli, const json_t *plan, int fd, json_t **ret,
		     struct error *err)
{
	json_auto_t *request = request_of(cli, "apply");
	_cleanup_free_ const char **names =
		mem_new(json_array_size(json_object_get(plan, "changes")) + 1, sizeof(*names));
	struct progress progress = {
		.agents = names,
		.n_agents = changing(plan, names),
		.fds = &fd,
		.n_fds = 1,
		.hint = "skep list",
	};

	json_object_set(request, "meta", json_object_get(plan, "meta"));
	return wait_call(cli, TAKE_PTR(request), &progress, ret, err);
}

static int apply_once(struct cli *cli, bool asks, struct error *err)
{
	json_auto_t *document = NULL, *notes = NULL, *plan = NULL, *answer = NULL;
	_cleanup_free_ char *summary = NULL;
	_cleanup_close_ int fd = -1;
	int r = declared_read(cli, &document, &notes, err);

	if (r == 0)
		r = ask_plan(cli, document, &plan, &fd, err);
	if (r < 0)
		return r;
	if (!cli->json)
		declared_tell(cli, notes);
	if (plan_changes(plan) > 0) {
		if (asks)
			r = confirm(cli, plan, err);
		if (r == 0)
			r = carry_out(cli, plan, fd, &answer, err);
		if (r < 0)
			return r;
	}
	json_object_set_new(plan, "applied", json_boolean(answer != NULL));
	json_object_set(plan, "notes", notes);
	if (cli_print_json(cli, plan, NULL))
		return 0;
	summary = plan_summary(plan);
	if (answer)
		cli_say(cli, "%s generation %lld of %s: %s",
			args_has(&cli->args, "no-wait") ? "applying" : "applied",
			(long long)field_int(plan, "generation"), field_str(plan, "hive"),
			summary);
	else
		cli_say(cli, "%s is as declared", field_str(plan, "hive"));
	return 0;
}

/* What may go another way a little later, with the same files. */
static bool is_passing(const struct error *err)
{
	return answer_exit_status(err) == 75 || strcmp(error_code(err), "stale") == 0 ||
	       strcmp(error_code(err), "wrong_state") == 0;
}

/* Each change is one attempt; what cannot be applied is told, and what was there stays. */
static int apply_always(struct cli *cli, struct error *err)
{
	for (bool first = true;; first = false) {
		struct error failure = {};
		_cleanup_close_ int fd = watch_open(cli->args.words[0], &failure);
		int r = fd;

		if (fd < 0 && first) {
			*err = failure;
			return fd;
		}
		if (fd >= 0)
			r = apply_once(cli, false, &failure);
		(void)out_flush(&cli->out);
		if (r < 0 && failure.err == -EINTR) {
			*err = failure;
			return r;
		}
		if (r < 0) {
			cli_print_error(cli, &failure);
			json_decref(cli->refusal);
			cli->refusal = NULL;
		}
		/* without a directory there is only time to wait for */
		r = watch_wait(fd, r < 0 && (fd < 0 || is_passing(&failure)) ? RETRY_MS : -1,
			       err);
		if (r < 0)
			return r;
	}
}

int cmd_apply(struct cli *cli, struct error *err)
{
	if (args_has(&cli->args, "watch") && args_get(&cli->args, "rev"))
		return error_set(err, EINVAL, "a commit does not change: --watch or --rev");
	if (args_has(&cli->args, "watch"))
		return apply_always(cli, err);
	return apply_once(cli, !args_has(&cli->args, "yes") && cli_can_ask(cli), err);
}
