/* What can come next on a command line: made from the table of commands, names and numbers
 * asked of the daemon. */

#include "base/cleanup.h"
#include "base/json.h"
#include "model/flags.h"
#include "model/names.h"
#include "skep/handlers.h"
#include "skep/rows.h"

#include <string.h>

#define ASK_MS 1000 /* somebody waits with a finger on Tab */

static const char *const setting_keys[] = {
	"memory_max=", "cpu_quota=",   "tasks_max=",  "network=",   "parent=",
	"probe=",      "probe.grace=", "probe.soak=", "reconcile=", "label."};

/* What is known of the line: the command, the option that waits for its value, the words
 * before. */
struct position {
	const struct command *command;
	const struct option *option;
	size_t n_words;
	const char *prefix;
};

static void offer(struct cli *cli, const char *prefix, const char *word, const char *about)
{
	if (strncmp(word, prefix, strlen(prefix)) != 0)
		return;
	out_add(&cli->out, STYLE_PLAIN, "%s", word);
	if (about && about[0]) {
		out_raw(&cli->out, "\t", 1);
		out_add(&cli->out, STYLE_PLAIN, "%s", about);
	}
	out_end(&cli->out);
}

static const struct option *find_option(const struct option *list, const char *word)
{
	for (; list && list->name; list++) {
		if (word[1] == '-' ? strcmp(list->name, word + 2) == 0
				   : list->letter && list->letter == word[1] && word[2] == '\0')
			return list;
	}
	return NULL;
}

static struct position find_position(const struct args *args)
{
	struct position at = {.prefix =
				      args->n_words > 0 ? args->words[args->n_words - 1] : ""};

	for (size_t i = 0; i + 1 < args->n_words; i++) {
		const char *word = args->words[i];

		if (strcmp(word, "=") == 0) /* bash cuts --color=always into three */
			continue;
		if (at.option) {
			at.option = NULL;
		} else if (word[0] == '-' && word[1]) {
			at.option = at.command ? find_option(at.command->options, word) : NULL;
			if (!at.option)
				at.option = find_option(command_global_options, word);
			if (at.option && !at.option->value)
				at.option = NULL;
		} else if (!at.command) {
			at.command = command_find(word);
		} else {
			at.n_words++;
		}
	}
	if (strcmp(at.prefix, "=") == 0)
		at.prefix = "";
	return at;
}

/* Asks for no longer than a person would wait; without an answer nothing is offered. */
static json_t *ask(struct cli *cli, const char *cmd)
{
	_cleanup_client_ struct client client = CLIENT_NONE;
	json_auto_t *request = cli_request(cmd);
	json_t *answer = NULL;

	if (client_open(cli->socket, &client, NULL) < 0 ||
	    client_send(&client, request, NULL, 0, NULL) < 0 ||
	    client_receive(&client, ASK_MS, &answer, NULL) < 0)
		return NULL;
	return answer;
}

static void offer_agents(struct cli *cli, const char *prefix)
{
	json_auto_t *answer = ask(cli, "list");
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(answer, "agents"), i, name)
		if (json_is_string(name) && name_check(json_string_value(name), NULL) == 0)
			offer(cli, prefix, json_string_value(name), NULL);
}

static void offer_proposals(struct cli *cli, const char *prefix)
{
	json_auto_t *answer =
		ask(cli, client_is_agent_socket(cli->socket) ? "proposals" : "pending");
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(answer, "approvals"), i, row) {
		_cleanup_free_ char *number =
			str_format("%lld", (long long)field_int(row, "id"));
		_cleanup_free_ char *about =
			str_format("%s: %s", proposal_subject(row), proposal_title(row));

		offer(cli, prefix, number, about);
	}
}

/* The labels agents have, each once. */
static void offer_labels(struct cli *cli, const char *prefix)
{
	json_auto_t *answer = ask(cli, "agent_status"), *offered = json_object();
	json_t *row, *value;
	const char *key;
	size_t i;

	json_array_foreach (json_object_get(answer, "agent_statuses"), i, row)
		json_object_foreach (json_object_get(row, "labels"), key, value) {
			_cleanup_free_ char *word =
				str_format("%s=%s", key,
					   json_is_string(value) ? json_string_value(value)
								 : "");

			if (json_object_get(offered, word))
				continue;
			json_object_set_new(offered, word, json_true());
			offer(cli, prefix, word, NULL);
		}
}

static void offer_commands(struct cli *cli, const char *prefix)
{
	const struct command *command;

	for (size_t i = 0; (command = command_at(i)); i++)
		if (command->group)
			offer(cli, prefix, command->name, command->summary);
}

static void offer_options(struct cli *cli, const char *prefix, const struct option *list)
{
	for (; list && list->name; list++) {
		_cleanup_free_ char *word = str_format("--%s", list->name);

		offer(cli, prefix, word, list->help);
	}
}

/* One kind of value, by its name in the table; small letters are the value itself. */
static void offer_kind(struct cli *cli, const char *prefix, const char *kind)
{
	if (strcmp(kind, "AGENT") == 0) {
		offer_agents(cli, prefix);
	} else if (strcmp(kind, "N") == 0) {
		offer_proposals(cli, prefix);
	} else if (strcmp(kind, "KEY[=VALUE]") == 0) {
		offer_labels(cli, prefix);
	} else if (strcmp(kind, "COMMAND") == 0) {
		offer_commands(cli, prefix);
	} else if (strcmp(kind, "STATE") == 0) {
		for (size_t i = 0; proposal_word_at(i); i++)
			offer(cli, prefix, proposal_word_at(i), NULL);
	} else if (strcmp(kind, "FLAG") == 0) {
		for (int i = 0; i < FLAG_KIND_COUNT; i++)
			offer(cli, prefix, flag_name((enum flag_kind)i),
			      flag_sentence((enum flag_kind)i));
	} else if (strcmp(kind, "key=value") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(setting_keys); i++)
			offer(cli, prefix, setting_keys[i], NULL);
	} else if (kind[0] >= 'a' && kind[0] <= 'z') {
		offer(cli, prefix, kind, NULL);
	}
}

static void offer_value(struct cli *cli, const char *prefix, const char *kinds)
{
	while (*kinds) {
		size_t size = strcspn(kinds, "|");
		_cleanup_free_ char *kind = str_format("%.*s", (int)size, kinds);

		offer_kind(cli, prefix, kind);
		kinds += size + (kinds[size] == '|');
	}
}

int cmd_complete(struct cli *cli, struct error *err)
{
	struct position at = find_position(&cli->args);
	struct usage_word word = {};
	const char *usage;

	(void)err;
	if (at.option) {
		offer_value(cli, at.prefix, at.option->value);
	} else if (at.prefix[0] == '-') {
		offer_options(cli, at.prefix, at.command ? at.command->options : NULL);
		offer_options(cli, at.prefix, command_global_options);
	} else if (!at.command) {
		offer_commands(cli, at.prefix);
	} else {
		usage = at.command->usage;
		for (size_t i = 0; usage_next(&usage, &word) && i < at.n_words && !word.repeats;
		     i++)
			word = (struct usage_word){};
		offer_value(cli, at.prefix, word.name);
	}
	return 0;
}
