#include "skep/cli.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "skep/pager.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static enum color_choice color_choice(const struct args *args)
{
	const char *color = args_get(args, "color");

	if (color && strcmp(color, "always") == 0)
		return COLOR_ALWAYS;
	if ((color && strcmp(color, "never") == 0) || args_has(args, "plain"))
		return COLOR_NEVER;
	return COLOR_AUTO;
}

void cli_init(struct cli *cli, struct args *args)
{
	*cli = (struct cli){.args = *args};
	*args = (struct args){};
	cli->json = args_has(&cli->args, "json");
	cli->plain = args_has(&cli->args, "plain");
	cli->quiet = args_has(&cli->args, "quiet");
	cli->no_input = args_has(&cli->args, "no-input");
	cli->socket = client_socket(args_get(&cli->args, "socket"));
	out_init(&cli->out, STDOUT_FILENO, cli->json ? COLOR_NEVER : color_choice(&cli->args));
	out_init(&cli->talk, STDERR_FILENO, color_choice(&cli->args));
}

void cli_release(struct cli *cli)
{
	args_release(&cli->args);
	out_release(&cli->out);
	out_release(&cli->talk);
	json_decref(cli->refusal);
	*cli = (struct cli){};
}

json_t *cli_request(const char *cmd)
{
	json_t *request = json_object();

	json_put_str(request, "cmd", cmd);
	return request;
}

/* Interactive people are told and go on; a script must not act on an answer it may misread. */
static int check_version(struct cli *cli, const json_t *answer, struct error *err)
{
	if (!answer_is_newer(answer))
		return 0;
	if (!cli->talk.tty)
		return error_set_code(err, EPROTO, "unsupported",
				      "the daemon speaks a newer protocol than this skep");
	cli_say(cli, "the daemon speaks a newer protocol than this skep: what follows may be "
		     "incomplete");
	return 0;
}

int cli_check(struct cli *cli, const json_t *answer, struct error *err)
{
	int r = check_version(cli, answer, err);

	if (r < 0)
		return r;
	r = answer_check(answer, err);
	if (r == -EREMOTEIO) {
		json_decref(cli->refusal);
		cli->refusal = json_incref((json_t *)answer);
	}
	return r;
}

int cli_call(struct cli *cli, json_t *request, json_t **ret, struct error *err)
{
	json_auto_t *owned = request, *answer = NULL;
	_cleanup_client_ struct client client = CLIENT_NONE;
	int r = client_open(cli->socket, &client, err);

	if (r < 0)
		return r;
	r = client_send(&client, owned, NULL, 0, err);
	if (r < 0)
		return r;
	r = client_receive(&client, CLI_TIMEOUT_MS, &answer, err);
	if (r < 0)
		return r;
	r = cli_check(cli, answer, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(answer);
	return 0;
}

bool cli_print_json(struct cli *cli, const json_t *answer, const char *key)
{
	json_auto_t *result = NULL;

	if (!cli->json)
		return false;
	result = answer_result(answer, key);
	answer_print(&cli->out.pending, result);
	return true;
}

__attribute__((format(printf, 4, 0))) static void
say(struct cli *cli, enum style style, const char *prefix, const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;

	if (cli->quiet)
		return;
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		return;
	}
	out_line(&cli->talk, style, "%s%s", prefix, text);
	(void)out_flush(&cli->talk);
}

void cli_say(struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(cli, STYLE_PLAIN, "", format, args);
	va_end(args);
}

void cli_hint(struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(cli, STYLE_DIM, "hint: ", format, args);
	va_end(args);
}

bool cli_can_ask(const struct cli *cli)
{
	return !cli->no_input && isatty(STDIN_FILENO) == 1 && cli->talk.tty;
}

bool cli_shows_progress(const struct cli *cli)
{
	return cli->talk.tty && !cli->quiet;
}

static char *read_line(void)
{
	_cleanup_buf_ struct buf line = {};
	char c;

	while (line.size < LINE_MAX_BYTES) {
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		if (c == '\n')
			return buf_take(&line);
		buf_add_char(&line, c);
	}
	return NULL;
}

__attribute__((format(printf, 2, 0))) static char *ask(struct cli *cli, const char *format,
						       va_list args)
{
	_cleanup_free_ char *text = NULL;

	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		return NULL;
	}
	out_add(&cli->talk, STYLE_BOLD, "%s", text);
	out_pad(&cli->talk, 1);
	(void)out_flush(&cli->talk);
	return read_line();
}

char *cli_ask(struct cli *cli, const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	line = ask(cli, format, args);
	va_end(args);
	return line;
}

bool cli_ask_yes(struct cli *cli, const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list args;

	va_start(args, format);
	line = ask(cli, format, args);
	va_end(args);
	return line && (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0);
}

void cli_print_error(struct cli *cli, const struct error *err)
{
	json_auto_t *object = NULL;

	if (cli->json) {
		object = cli->refusal ? answer_result(cli->refusal, NULL) : json_object();
		json_put_str(object, "error", error_text(err));
		json_put_str(object, "code", error_code(err));
		json_put_str(object, "hint", err->hint[0] ? err->hint : NULL);
		answer_print(&cli->talk.pending, object);
		(void)out_flush(&cli->talk);
		return;
	}
	out_add(&cli->talk, STYLE_BAD, "skep:");
	out_line(&cli->talk, STYLE_PLAIN, " %s", error_text(err));
	if (err->hint[0])
		out_line(&cli->talk, STYLE_DIM, "hint: %s", err->hint);
	(void)out_flush(&cli->talk);
}

int cli_finish_page(struct cli *cli, struct error *err)
{
	int r;

	if (!cli->no_input && !cli->plain && !cli->json && pager_show(&cli->out))
		return 0;
	r = out_flush(&cli->out);
	return r < 0 ? error_set_errno(err, r, "cannot write to standard output") : 0;
}
