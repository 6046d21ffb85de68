/* spawn, request-spawn, start, stop, restart, rebuild, destroy, pause, resume, set: agents
 * brought into a state. */

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "model/names.h"
#include "skep/handlers.h"
#include "skep/rows.h"
#include "skep/wait.h"

#include <errno.h>
#include <string.h>

static bool waits(const struct cli *cli)
{
	return !args_has(&cli->args, "no-wait");
}

/* "alice, bob" */
static char *names_text(const struct args *args)
{
	struct buf text = {};

	for (size_t i = 0; i < args->n_words; i++)
		buf_addf(&text, "%s%s", i ? ", " : "", args->words[i]);
	return buf_take(&text);
}

static int check_names(const struct args *args, struct error *err)
{
	for (size_t i = 0; i < args->n_words; i++) {
		int r = name_check(args->words[i], err);

		if (r < 0)
			return r;
	}
	return 0;
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

int cmd_request_spawn(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("request_spawn"), *answer = NULL;
	const char *name;
	int r = put_wanted(cli, request, &name, err);

	if (r < 0)
		return r;
	json_put_str(request, "description", args_get(&cli->args, "message"));
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "proposal"))
		return r;
	proposal_announce(cli, json_object_get(answer, "proposal"));
	return 0;
}

/* start and stop take all names in one request: one unknown name, and none is touched. */
static int change_power(struct cli *cli, const char *cmd, const char *done, const char *doing,
			struct error *err)
{
	json_auto_t *request = cli_request(cmd), *answer = NULL, *names = json_array();
	struct progress progress = {.agents = cli->args.words,
				    .n_agents = cli->args.n_words,
				    .hint = "skep list"};
	_cleanup_free_ char *text = names_text(&cli->args);
	int r = check_names(&cli->args, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < cli->args.n_words; i++)
		json_array_append_new(names, json_string(cli->args.words[i]));
	json_object_set_new(request, "scope", json_pack("{sO}", "agent_names", names));
	r = wait_call(cli, TAKE_PTR(request), &progress, &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	cli_say(cli, "%s %s", waits(cli) ? done : doing, text);
	return 0;
}

int cmd_start(struct cli *cli, struct error *err)
{
	return change_power(cli, "start", "started", "starting", err);
}

int cmd_stop(struct cli *cli, struct error *err)
{
	return change_power(cli, "stop", "stopped", "stopping", err);
}

static int change_one(struct cli *cli, const char *cmd, const char *name, const char *done,
		      const char *doing, struct error *err)
{
	json_auto_t *request = cli_request(cmd), *answer = NULL;
	struct progress progress = {.agents = &name, .n_agents = 1, .hint = "skep list"};
	int r;

	json_put_str(request, "name", name);
	r = wait_call(cli, TAKE_PTR(request), &progress, &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	cli_say(cli, "%s %s", waits(cli) ? done : doing, name);
	return 0;
}

int cmd_restart(struct cli *cli, struct error *err)
{
	int r = check_names(&cli->args, err);

	for (size_t i = 0; r == 0 && i < cli->args.n_words; i++)
		r = change_one(cli, "restart", cli->args.words[i], "restarted", "restarting",
			       err);
	return r;
}

int cmd_rebuild(struct cli *cli, struct error *err)
{
	int r = check_names(&cli->args, err);

	return r < 0 ? r
		     : change_one(cli, "rebuild", cli->args.words[0], "rebuilt", "rebuilding",
				  err);
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

int cmd_destroy(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("destroy"), *answer = NULL;
	struct progress progress = {.agents = cli->args.words,
				    .n_agents = 1,
				    .hint = "skep list"};
	bool purge = args_has(&cli->args, "purge");
	const char *name;
	int r = args_agent(&cli->args, &name, err);

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

static int set_paused(struct cli *cli, bool paused, struct error *err)
{
	json_auto_t *request = cli_request("set_paused"), *answer = NULL;
	const char *name;
	int r = args_agent(&cli->args, &name, err);

	if (r < 0)
		return r;
	json_put_str(request, "name", name);
	json_object_set_new(request, "paused", json_boolean(paused));
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	cli_say(cli, paused ? "paused %s" : "resumed %s", name);
	return 0;
}

int cmd_pause(struct cli *cli, struct error *err)
{
	return set_paused(cli, true, err);
}

int cmd_resume(struct cli *cli, struct error *err)
{
	return set_paused(cli, false, err);
}

int cmd_set(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("set"), *answer = NULL, *settings = json_object();
	const char *name;
	int r = args_agent(&cli->args, &name, err);

	for (size_t i = 1; r == 0 && i < cli->args.n_words; i++) {
		_cleanup_free_ char *key = NULL;
		const char *value = NULL;

		r = split(cli->args.words[i], "a setting like memory_max=2G", &key, &value,
			  err);
		if (r == 0 && json_object_get(settings, key))
			r = error_set(err, EINVAL, "'%s' is set twice", key);
		if (r == 0)
			json_put_str(settings, key, value);
	}
	if (r < 0)
		return r;
	json_put_str(request, "name", name);
	json_object_set(request, "settings", settings);
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "agent"))
		return r;
	cli_say(cli, "changed the settings of %s", name);
	return 0;
}
