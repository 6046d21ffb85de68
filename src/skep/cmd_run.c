/* spawn, request-spawn, fork, start, stop, restart, rebuild, destroy, pause, resume, freeze,
 * thaw, set: agents brought into a state. */

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "model/names.h"
#include "skep/handlers.h"
#include "skep/rows.h"
#include "skep/scope.h"
#include "skep/wait.h"

#include <errno.h>
#include <string.h>

static bool waits(const struct cli *cli)
{
	return !args_has(&cli->args, "no-wait");
}

/* Splits "key=value"; the caller frees *ret_key, *ret_value is borrowed. */
static int split(const char *text, const char *what, char **ret_key, const char **ret_value,
		 struct error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return error_set(err, EINVAL, "'%s' is not %s", text, what);
	*ret_key = str_format("%.*s", (int)(equals - text), text);
	*ret_value = equals + 1;
	return 0;
}

static int put_labels(json_t *request, const struct args *args, struct error *err)
{
	json_t *labels = json_object();
	const char *label;
	int r = 0;

	for (size_t i = 0; r == 0 && (label = args_get_nth(args, "label", i)); i++) {
		_cleanup_free_ char *key = NULL;
		const char *value = NULL;

		r = split(label, "a label like team=red", &key, &value, err);
		if (r == 0)
			json_put_str(labels, key, value);
	}
	if (r == 0 && json_object_size(labels) > 0)
		json_object_set(request, "labels", labels);
	json_decref(labels);
	return r;
}

/* What spawn and request-spawn say of the agent that is to be. */
static int put_wanted(struct cli *cli, json_t *request, const char **ret_name,
		      struct error *err)
{
	static const struct {
		const char *option, *key;
	} keys[] = {
		{"driver", "driver"},         {"builder", "builder"},
		{"memory-max", "memory_max"}, {"cpu-quota", "cpu_quota"},
		{"tasks-max", "tasks_max"},   {"network", "network"},
	};
	int r = args_agent(&cli->args, ret_name, err);

	if (r < 0)
		return r;
	json_put_str(request, "name", *ret_name);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_put_str(request, keys[i].key, args_get(&cli->args, keys[i].option));
	return put_labels(request, &cli->args, err);
}

int cmd_spawn(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("spawn"), *answer = NULL;
	struct progress progress = {.agents = cli->args.words, .n_agents = 1};
	const char *name;
	int r = put_wanted(cli, request, &name, err);

	if (r < 0)
		return r;
	r = wait_call(cli, TAKE_PTR(request), &progress, &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	cli_say(cli, waits(cli) ? "spawned %s" : "spawning %s", name);
	cli_hint(cli, "skep show %s", name);
	return 0;
}

int cmd_adopt(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("adopt"), *answer = NULL;
	struct progress progress = {.agents = cli->args.words, .n_agents = 1};
	const char *name;
	int r = put_wanted(cli, request, &name, err);

	if (r < 0)
		return r;
	r = wait_call(cli, TAKE_PTR(request), &progress, &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	cli_say(cli, waits(cli) ? "adopted %s" : "adopting %s", name);
	cli_hint(cli, "skep show %s", name);
	return 0;
}

int cmd_request_spawn(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("request_spawn");
	const char *name;
	int r = put_wanted(cli, request, &name, err);

	if (r < 0)
		return r;
	json_put_str(request, "description", args_get(&cli->args, "message"));
	return proposal_ask(cli, TAKE_PTR(request), err);
}

int cmd_fork(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("fork");
	const char *name;
	int64_t deployed;
	int r = args_agent(&cli->args, &name, err);

	if (r == 0)
		r = name_check(cli->args.words[1], err);
	if (r < 0)
		return r;
	json_put_str(request, "name", name);
	json_put_str(request, "to", cli->args.words[1]);
	if (cli->args.n_words > 2) {
		r = args_parse_number(cli->args.words[2], "a deploy", 0, &deployed, err);
		if (r < 0)
			return r;
		json_object_set_new(request, "deployed", json_integer(deployed));
	}
	if (args_has(&cli->args, "no-state"))
		json_object_set_new(request, "state", json_false());
	json_put_str(request, "description", args_get(&cli->args, "message"));
	return proposal_ask(cli, TAKE_PTR(request), err);
}

int cmd_rename(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("rename"), *answer = NULL;
	const char *name, *to = cli->args.words[1];
	struct progress progress = {.agents = cli->args.words, .n_agents = 2};
	int r = args_agent(&cli->args, &name, err);

	if (r == 0)
		r = name_check(to, err);
	if (r < 0)
		return r;
	json_put_str(request, "name", name);
	json_put_str(request, "to", to);
	r = wait_call(cli, TAKE_PTR(request), &progress, &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "proposal"))
		return r;
	cli_say(cli, waits(cli) ? "%s is called %s now" : "calling %s %s", name, to);
	cli_hint(cli, "skep show %s", to);
	return 0;
}

static int put_deadline(json_t *request, const struct args *args, struct error *err)
{
	const char *text = args_get(args, "deadline");
	int64_t seconds;
	int r;

	if (!text)
		return 0;
	r = args_parse_number(text, "seconds", 1, &seconds, err);
	if (r == 0)
		json_object_set_new(request, "deadline_s", json_integer(seconds));
	return r;
}

/* All agents go in one request: one unknown name, and none is touched. */
static int change_power(struct cli *cli, bool takes_name, const char *done, const char *doing,
			struct error *err)
{
	const struct args *args = &cli->args;
	json_auto_t *request = cli_request(args->command->name), *answer = NULL;
	struct progress progress = {.agents = args->words,
				    .n_agents = args->n_words,
				    .hint = "skep list"};
	_cleanup_free_ char *text = NULL;
	int r = scope_put(args, args->n_words, takes_name, request, err);

	if (r == 0)
		r = put_deadline(request, args, err);
	if (r < 0)
		return r;
	r = wait_call(cli, TAKE_PTR(request), &progress, &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	text = scope_text(args, args->n_words, answer);
	cli_say(cli, "%s %s", waits(cli) ? done : doing, text);
	return 0;
}

int cmd_start(struct cli *cli, struct error *err)
{
	return change_power(cli, false, "started", "starting", err);
}

int cmd_stop(struct cli *cli, struct error *err)
{
	return change_power(cli, false, "stopped", "stopping", err);
}

int cmd_restart(struct cli *cli, struct error *err)
{
	return change_power(cli, true, "restarted", "restarting", err);
}

int cmd_rebuild(struct cli *cli, struct error *err)
{
	return change_power(cli, true, "rebuilt", "rebuilding", err);
}

/* The name a second time, from the option or from the person. */
static int confirm_purge(struct cli *cli, const char *name, struct error *err)
{
	const char *given = args_get(&cli->args, "confirm");
	_cleanup_free_ char *answer = NULL;

	if (!given && cli_can_ask(cli)) {
		answer = cli_ask(
			cli,
			"delete %s with its state and repositories for good? type its name:",
			name);
		given = answer ? answer : "";
		if (strcmp(given, name) != 0)
			return error_set(err, EINVAL, "that was not '%s': nothing is deleted",
					 name);
	}
	if (!given) {
		error_set(err, EINVAL, "--purge cannot be undone and needs --confirm");
		error_hint(err, "skep destroy %s --purge --confirm %s", name, name);
		return -EINVAL;
	}
	if (strcmp(given, name) != 0)
		return error_set(err, EINVAL,
				 "--confirm says '%s', not '%s': nothing is deleted", given,
				 name);
	return 0;
}

static void say_destroyed(struct cli *cli, const char *name, bool purge)
{
	if (!waits(cli)) {
		cli_say(cli, "destroying %s", name);
	} else if (purge) {
		cli_say(cli, "destroyed %s and deleted what it had", name);
	} else {
		cli_say(cli, "destroyed %s; its state and repositories are kept", name);
		cli_hint(cli, "skep spawn %s brings it back", name);
	}
}

/* With its state kept, for more than one. */
static int destroy_several(struct cli *cli, struct error *err)
{
	if (args_has(&cli->args, "purge"))
		return error_set(err, EINVAL, "--purge takes one agent, by its name");
	return change_power(cli, true, "destroyed", "destroying", err);
}

int cmd_destroy(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("destroy"), *answer = NULL;
	struct progress progress = {.agents = cli->args.words,
				    .n_agents = 1,
				    .hint = "skep list"};
	bool purge = args_has(&cli->args, "purge");
	const char *name;
	int r;

	if (scope_is_given(&cli->args) || cli->args.n_words != 1)
		return destroy_several(cli, err);
	r = args_agent(&cli->args, &name, err);
	if (r == 0 && purge)
		r = confirm_purge(cli, name, err);
	if (r < 0)
		return r;
	json_put_str(request, "name", name);
	json_object_set_new(request, "purge", json_boolean(purge));
	json_put_str(request, "confirm", purge ? name : NULL);
	r = wait_call(cli, TAKE_PTR(request), &progress, &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	say_destroyed(cli, name, purge);
	return 0;
}

/* What is done at once: nothing to wait for, nothing to watch. */
static int change_at_once(struct cli *cli, json_t *request, const char *done, struct error *err)
{
	json_auto_t *owned = request, *answer = NULL;
	_cleanup_free_ char *text = NULL;
	int r = scope_put(&cli->args, cli->args.n_words, true, owned, err);

	if (r < 0)
		return r;
	r = cli_call(cli, TAKE_PTR(owned), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	text = scope_text(&cli->args, cli->args.n_words, answer);
	cli_say(cli, "%s %s", done, text);
	return 0;
}

static json_t *pausing(bool paused)
{
	json_t *request = cli_request("set_paused");

	json_object_set_new(request, "paused", json_boolean(paused));
	return request;
}

int cmd_pause(struct cli *cli, struct error *err)
{
	return change_at_once(cli, pausing(true), "paused", err);
}

int cmd_resume(struct cli *cli, struct error *err)
{
	return change_at_once(cli, pausing(false), "resumed", err);
}

int cmd_freeze(struct cli *cli, struct error *err)
{
	return change_at_once(cli, cli_request("freeze"), "froze", err);
}

int cmd_thaw(struct cli *cli, struct error *err)
{
	return change_at_once(cli, cli_request("thaw"), "thawed", err);
}

int cmd_set(struct cli *cli, struct error *err)
{
	const struct args *args = &cli->args;
	json_auto_t *request = cli_request("set"), *answer = NULL, *settings = json_object();
	/* where a label says which agents, the first word is a setting already */
	bool only_settings =
		scope_is_given(args) && args->n_words > 0 && strchr(args->words[0], '=');
	size_t n_names = only_settings || args->n_words == 0 ? 0 : 1;
	_cleanup_free_ char *text = NULL;
	int r = scope_put(args, n_names, true, request, err);

	if (r == 0 && args->n_words == n_names)
		r = error_set(err, EINVAL, "'set' needs a setting like memory_max=2G");
	for (size_t i = n_names; r == 0 && i < args->n_words; i++) {
		_cleanup_free_ char *key = NULL;
		const char *value = NULL;

		r = split(args->words[i], "a setting like memory_max=2G", &key, &value, err);
		if (r == 0 && json_object_get(settings, key))
			r = error_set(err, EINVAL, "'%s' is set twice", key);
		if (r == 0)
			json_put_str(settings, key, value);
	}
	if (r < 0)
		return r;
	json_object_set(request, "settings", settings);
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "agent"))
		return r;
	text = scope_text(args, n_names, answer);
	cli_say(cli, "changed %s", text);
	return 0;
}
