#include "skep/args.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "model/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 60
#define NUMBER_MAX 999999999999999

/* Ends a usage error: the hint names the page that explains. */
static int point_to_help(const struct args *args, struct error *err)
{
	if (args->command)
		error_hint(err, "skep help %s", args->command->name);
	else
		error_hint(err, "skep help");
	return -EINVAL;
}

static const struct option *find_in(const struct option *list, const char *name, size_t size,
				    char letter)
{
	for (; list && list->name; list++) {
		if (letter ? list->letter == letter
			   : strlen(list->name) == size && memcmp(list->name, name, size) == 0)
			return list;
	}
	return NULL;
}

static const struct option *find_option(const struct args *args, const char *name, size_t size,
					char letter)
{
	const struct option *found =
		find_in(args->command ? args->command->options : NULL, name, size, letter);

	return found ? found : find_in(command_global_options, name, size, letter);
}

static bool is_one_of(const char *words, const char *value)
{
	size_t size = strlen(value);

	for (const char *p = words; *p; p += *p == '|') {
		size_t n = strcspn(p, "|");

		if (n == size && memcmp(p, value, n) == 0)
			return true;
		p += n;
	}
	return false;
}

/* "deployed|K" mixes a word with a value, so only lists without capitals are closed. */
static bool is_closed_list(const char *value)
{
	return strchr(value, '|') && !strpbrk(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static int add_value(struct args *args, const struct option *option, const char *value,
		     struct error *err)
{
	if (!option->repeats && args_has(args, option->name)) {
		error_set(err, EINVAL, "--%s is given twice", option->name);
		return point_to_help(args, err);
	}
	if (option->value && is_closed_list(option->value) &&
	    !is_one_of(option->value, value)) {
		_cleanup_free_ char *clean = text_clean_dup(value, SHOWN_MAX, false);

		error_set(err, EINVAL, "--%s takes %s, not '%s'", option->name, option->value,
			  clean);
		return point_to_help(args, err);
	}
	args->values = mem_grow(args->values, args->n_values + 1, sizeof(*args->values));
	args->values[args->n_values++] = (struct arg_value){.option = option, .value = value};
	return 0;
}

/* --name, --name=value, --name value; *next moves on when the value is a word of its own. */
static int parse_long(struct args *args, const char *text, char *const **next,
		      struct error *err)
{
	size_t size = strcspn(text, "=");
	const char *value = text[size] == '=' ? text + size + 1 : NULL;
	const struct option *option = find_option(args, text, size, 0);

	if (!option) {
		_cleanup_free_ char *clean = text_clean_dup(text, SHOWN_MAX, false);

		error_set(err, EINVAL, "%s%shas no option --%.*s",
			  args->command ? args->command->name : "skep",
			  args->command ? " " : " itself ", (int)strcspn(clean, "="), clean);
		return point_to_help(args, err);
	}
	if (!option->value && value) {
		error_set(err, EINVAL, "--%s takes no value", option->name);
		return point_to_help(args, err);
	}
	if (option->value && !value) {
		value = **next;
		if (!value) {
			error_set(err, EINVAL, "--%s needs a value (%s)", option->name,
				  option->value);
			return point_to_help(args, err);
		}
		(*next)++;
	}
	return add_value(args, option, value, err);
}

/* -q, -qf, -mTEXT, -m TEXT */
static int parse_letters(struct args *args, const char *text, char *const **next,
			 struct error *err)
{
	while (*text) {
		const struct option *option = find_option(args, NULL, 0, *text++);
		const char *value = NULL;
		int r;

		if (!option) {
			char shown[2] = {text[-1], '\0'};
			_cleanup_free_ char *clean = text_clean_dup(shown, SHOWN_MAX, false);

			error_set(err, EINVAL, "%s has no option -%s",
				  args->command ? args->command->name : "skep", clean);
			return point_to_help(args, err);
		}
		if (option->value) {
			value = *text ? text : **next;
			if (!*text && value)
				(*next)++;
			text = "";
			if (!value) {
				error_set(err, EINVAL, "-%c needs a value (%s)", option->letter,
					  option->value);
				return point_to_help(args, err);
			}
		}
		r = add_value(args, option, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int unknown_command(const char *name, struct error *err)
{
	_cleanup_free_ char *clean = text_clean_dup(name, SHOWN_MAX, false);
	const struct command *near = NULL;
	size_t least = 3; /* farther than two letters is no slip */

	for (size_t i = 0; command_at(i); i++) {
		const struct command *command = command_at(i);

		if (command->group && text_distance(name, command->name) < least) {
			least = text_distance(name, command->name);
			near = command;
		}
	}
	error_set(err, EINVAL, "there is no command '%s'", clean);
	if (near)
		error_hint(err, "did you mean 'skep %s'? `skep help` lists all", near->name);
	else
		error_hint(err, "skep help");
	return -EINVAL;
}

static int check_words(const struct args *args, struct error *err)
{
	const struct command *command = args->command;
	const char *usage = command->usage;
	struct usage_word word;
	size_t least, most;

	usage_count(command->usage, &least, &most);
	if (args->n_words > most) {
		_cleanup_free_ char *clean =
			text_clean_dup(args->words[most], SHOWN_MAX, false);

		error_set(err, EINVAL, "%s does not take '%s'", command->name, clean);
		if (command->rest == REST_NONE)
			return point_to_help(args, err);
		error_hint(err, "put '--' before the command: skep %s %s -- COMMAND...",
			   command->name, command->usage);
		return -EINVAL;
	}
	for (size_t i = 0; usage_next(&usage, &word); i++) {
		bool is_literal =
			word.name[0] >= 'a' && word.name[0] <= 'z' && !strchr(word.name, '=');

		if (i >= args->n_words && !word.optional) {
			error_set(err, EINVAL, "%s needs %s", command->name, word.name);
			return point_to_help(args, err);
		}
		if (i < args->n_words && is_literal && strcmp(args->words[i], word.name) != 0) {
			_cleanup_free_ char *clean =
				text_clean_dup(args->words[i], SHOWN_MAX, false);

			error_set(err, EINVAL, "%s takes '%s' here, not '%s'", command->name,
				  word.name, clean);
			return point_to_help(args, err);
		}
	}
	if (command->rest == REST_REQUIRED && args->n_rest == 0) {
		error_set(err, EINVAL, "%s needs '--' and a command after it", command->name);
		return point_to_help(args, err);
	}
	return 0;
}

/* What the shells complete is a command line itself: none of it is for us. */
static void take_all_words(struct args *args, char *const *next)
{
	for (; *next; next++)
		args->words[args->n_words++] = *next;
}

int args_parse(int argc, char *const argv[], struct args *ret, struct error *err)
{
	char *const *next = argv + (argc > 0);
	bool only_words = false;

	*ret = (struct args){.words = mem_new((size_t)argc + 1, sizeof(char *))};
	/* JSON cannot carry it, and a word lost on the way could change what a command does */
	for (int i = 1; i < argc; i++)
		if (!text_is_utf8(argv[i], strlen(argv[i])))
			return error_set(err, EINVAL, "argument %d is not UTF-8", i);
	while (*next) {
		const char *word = *next++;
		int r = 0;

		if (only_words || word[0] != '-' || word[1] == '\0') {
			if (ret->command) {
				ret->words[ret->n_words++] = word;
				continue;
			}
			ret->command = command_find(word);
			if (!ret->command)
				return unknown_command(word, err);
			if (!ret->command->group) {
				take_all_words(ret, next);
				break;
			}
		} else if (strcmp(word, "--") == 0 && ret->command &&
			   ret->command->rest != REST_NONE) {
			ret->rest = (const char *const *)next;
			while (ret->rest[ret->n_rest])
				ret->n_rest++;
			break;
		} else if (strcmp(word, "--") == 0) {
			only_words = true;
		} else if (word[1] == '-') {
			r = parse_long(ret, word + 2, &next, err);
		} else {
			r = parse_letters(ret, word + 1, &next, err);
		}
		if (r < 0)
			return r;
	}
	if (!ret->command || args_has(ret, "help") || args_has(ret, "version"))
		return 0;
	return check_words(ret, err);
}

void args_release(struct args *args)
{
	free(args->values);
	free(args->words);
	*args = (struct args){};
}

bool args_has(const struct args *args, const char *option)
{
	for (size_t i = 0; i < args->n_values; i++)
		if (strcmp(args->values[i].option->name, option) == 0)
			return true;
	return false;
}

const char *args_get(const struct args *args, const char *option)
{
	return args_get_nth(args, option, 0);
}

const char *args_get_nth(const struct args *args, const char *option, size_t index)
{
	for (size_t i = 0; i < args->n_values; i++)
		if (strcmp(args->values[i].option->name, option) == 0 && index-- == 0)
			return args->values[i].value;
	return NULL;
}

int args_parse_number(const char *text, const char *what, int64_t least, int64_t *ret,
		      struct error *err)
{
	if (!text_to_number(text, least, NUMBER_MAX, ret)) {
		_cleanup_free_ char *clean = text_clean_dup(text, SHOWN_MAX, false);

		return error_set(err, EINVAL, "'%s' is not the number of %s", clean, what);
	}
	return 0;
}

int args_agent(const struct args *args, const char **ret, struct error *err)
{
	int r = name_check(args->words[0], err);

	if (r < 0)
		return r;
	*ret = args->words[0];
	return 0;
}
