#include "skep/help.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "skep/handlers.h"
#include "skep/table.h"

#include <errno.h>
#include <string.h>

#define WRAP 80

static const char *rest_text(enum command_rest rest)
{
	switch (rest) {
	case REST_NONE:
		return "";
	case REST_OPTIONAL:
		return " [-- COMMAND...]";
	case REST_REQUIRED:
		return " -- COMMAND...";
	}
	return "";
}

/* Words of a paragraph, a line at a time. */
static void print_wrapped(struct out *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t size = strcspn(text, " ");

		if (column > 0 && column + 1 + size > WRAP) {
			out_end(out);
			column = 0;
		}
		out_add(out, STYLE_PLAIN, "%s%.*s", column ? " " : "", (int)size, text);
		column += size + (column > 0);
		text += size + (text[size] == ' ');
	}
	out_end(out);
}

static char *option_text(const struct option *option)
{
	struct buf text = {};

	if (option->letter)
		buf_addf(&text, "-%c, --%s", option->letter, option->name);
	else
		buf_addf(&text, "    --%s", option->name);
	if (option->value)
		buf_addf(&text, " %s", option->value);
	return buf_take(&text);
}

static void print_options(struct out *out, const char *title, const struct option *options)
{
	size_t widest = 0;

	for (const struct option *o = options; o->name; o++) {
		_cleanup_free_ char *text = option_text(o);

		if (strlen(text) > widest)
			widest = strlen(text);
	}
	out_end(out);
	out_line(out, STYLE_BOLD, "%s", title);
	for (const struct option *o = options; o->name; o++) {
		_cleanup_free_ char *text = option_text(o);

		out_line(out, STYLE_PLAIN, "  %-*s  %s%s", (int)widest, text, o->help,
			 o->repeats ? "; may be repeated" : "");
	}
}

static void print_command(struct out *out, const struct command *command)
{
	out_line(out, STYLE_BOLD, "skep %s%s%s%s%s", command->name,
		 command->usage[0] ? " " : "", command->usage,
		 command->options ? " [OPTION]..." : "", rest_text(command->rest));
	out_line(out, STYLE_PLAIN, "  %s", command->summary);
	if (command->details) {
		out_end(out);
		print_wrapped(out, command->details);
	}
	if (command->options)
		print_options(out, "Options", command->options);
	print_options(out, "Options of every command", command_global_options);
}

static void print_overview(struct out *out)
{
	const char *group = "";
	const struct command *command;

	out_line(out, STYLE_BOLD, "skep COMMAND [OPTION]... [ARGUMENT]...");
	out_line(out, STYLE_PLAIN,
		 "  looks after a hive of agents: review what they propose, deploy it, watch "
		 "it");
	for (size_t i = 0; (command = command_at(i)); i++) {
		_cleanup_free_ char *usage = NULL;

		if (!command->group)
			continue;
		if (strcmp(command->group, group) != 0) {
			group = command->group;
			out_end(out);
			out_line(out, STYLE_BOLD, "%s", group);
		}
		usage = str_format("%s%s%s%s", command->name, command->usage[0] ? " " : "",
				   command->usage, rest_text(command->rest));
		out_line(out, STYLE_PLAIN, "  %-27s  %s", usage, command->summary);
	}
	print_options(out, "Options of every command", command_global_options);
	out_end(out);
	out_line(out, STYLE_PLAIN,
		 "`skep help COMMAND` tells more about one. Exit status: 0 done, 1 error, 2 "
		 "usage,");
	out_line(out, STYLE_PLAIN,
		 "3 not found, 4 not permitted, 5 moved: review again, 6 build failed, 7 "
		 "deploy failed");
	out_line(out, STYLE_PLAIN,
		 "and rolled back, 8 held back by a risk flag, 75 try again later.");
}

void help_print(struct out *out, const struct command *command)
{
	if (command)
		print_command(out, command);
	else
		print_overview(out);
}

int cmd_help(struct cli *cli, struct error *err)
{
	const char *name = cli->args.n_words > 0 ? cli->args.words[0] : NULL;
	const struct command *command = name ? command_find(name) : NULL;

	if (name && !command) {
		error_set(err, EINVAL, "there is no command '%s'", name);
		error_hint(err, "skep help");
		return -EINVAL;
	}
	help_print(&cli->out, command);
	return 0;
}
