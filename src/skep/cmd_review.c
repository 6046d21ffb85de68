/* diff, approve, deny: a proposal looked at and decided. */

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "model/names.h"
#include "model/oid.h"
#include "skep/diff_text.h"
#include "skep/effect.h"
#include "skep/handlers.h"
#include "skep/rows.h"
#include "skep/wait.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define IDEM_BYTES 16

static int proposal_number(const struct cli *cli, int64_t *ret, struct error *err)
{
	return args_parse_number(cli->args.words[0], "a proposal", 1, ret, err);
}

/* What the submitter says, unless that is the title once more. */
/* Text that somebody wrote: what has lines keeps them. */
static void print_text(struct out *out, const char *label, const char *text)
{
	if (!strchr(text, '\n')) {
		field_print(out, label, STYLE_PLAIN, "%s", text);
		return;
	}
	out_line(out, STYLE_DIM, "%s", label);
	out_lines(out, STYLE_PLAIN, "  ", text);
}

/* The agent a proposal would make, in one line. */
static void print_wanted(struct out *out, const json_t *settings)
{
	const json_t *limits = json_object_get(settings, "limits");
	const char *keys[] = {"driver", "builder", "network", "parent"};
	_cleanup_buf_ struct buf text = {};
	const char *key;
	json_t *value;

	if (!settings)
		return;
	buf_addf(&text, "port %lld", (long long)field_int(settings, "port"));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (field_str(settings, keys[i])[0])
			buf_addf(&text, ", %s %s", keys[i], field_str(settings, keys[i]));
	json_object_foreach ((json_t *)limits, key, value) {
		_cleanup_free_ char *number = json_is_string(value) ? NULL : json_line(value);

		buf_addf(&text, ", %s %s", key, number ? number : json_string_value(value));
	}
	json_object_foreach (json_object_get(settings, "labels"), key, value)
		buf_addf(&text, ", %s=%s", key,
			 json_is_string(value) ? json_string_value(value) : "?");
	field_print(out, "agent", STYLE_BOLD, "%s", buf_str(&text));
}

static void print_proposal(struct out *out, const json_t *row)
{
	const json_t *flags = json_object_get(row, "flags");
	const char *description = field_str(row, "description");

	out_add(out, STYLE_BOLD, "proposal %lld", (long long)field_int(row, "id"));
	out_add(out, STYLE_PLAIN, " of %s is ", proposal_subject(row));
	out_line(out, proposal_style(row), "%s", proposal_state(row));
	field_print(out, "title", STYLE_PLAIN, "%s", proposal_title(row));
	if (strcmp(description, proposal_title(row)) != 0)
		print_text(out, "description", description);
	if (!proposal_is_of_commit(row))
		field_print(out, "kind", STYLE_BOLD, "%s", field_str(row, "kind"));
	print_wanted(out, json_object_get(json_object_get(row, "payload"), "settings"));
	effect_print_inputs(out, json_object_get(json_object_get(row, "payload"), "inputs"));
	field_print(out, "author", STYLE_PLAIN, "%s", field_str(row, "author"));
	field_print(out, "submitted", STYLE_PLAIN, "%s", field_str(row, "requested_at"));
	field_print(out, "commit", STYLE_BOLD, "%s", proposal_commit(row));
	field_print(out, "tree", STYLE_PLAIN, "%s", field_str(row, "tree"));
	field_print(out, "base", STYLE_PLAIN, "%s", field_str(row, "base"));
	print_text(out, "note", field_str(row, "note"));
	if (json_array_size(flags) > 0) {
		out_line(out, STYLE_DIM, "flags");
		flags_print(out, flags, "  ");
	}
}

/* The words of one approve command that names what was looked at and every flag that can be
 * accepted. */
static char *approve_command(const json_t *row)
{
	struct buf text = {};
	json_t *flag;
	size_t i, j;

	buf_addf(&text, "skep approve %lld --commit %.*s", (long long)field_int(row, "id"),
		 OID_SHORT, proposal_commit(row));
	json_array_foreach (json_object_get(row, "flags"), i, flag) {
		const json_t *flags = json_object_get(row, "flags");

		for (j = 0; j < i; j++)
			if (strcmp(flag_title(json_array_get(flags, j)), flag_title(flag)) == 0)
				break;
		if (j == i && !flag_blocks(flag))
			buf_addf(&text, " --ack %s", flag_title(flag));
	}
	return buf_take(&text);
}

static bool is_blocked(const json_t *row)
{
	json_t *flag;
	size_t i;

	json_array_foreach (json_object_get(row, "flags"), i, flag)
		if (flag_blocks(flag))
			return true;
	return false;
}

static void hint_verdict(struct cli *cli, const json_t *row)
{
	_cleanup_free_ char *command = approve_command(row);

	if (!proposal_is_open(row) || client_is_agent_socket(cli->socket))
		return;
	if (!is_blocked(row))
		cli_hint(cli, "approve with: %s", command);
	cli_hint(cli, "deny with: skep deny %lld -m NOTE", (long long)field_int(row, "id"));
}

/* One end of a comparison: a number, or one of the words that option takes. */
static int put_end(json_t *request, const struct args *args, const char *option, bool seen,
		   struct error *err)
{
	const char *text = args_get(args, option);
	_cleanup_free_ char *what = str_format("a deploy; --%s takes that or 'deployed'%s",
					       option, seen ? " or 'seen'" : "");
	int64_t number;
	int r;

	if (!text)
		return 0;
	if (strcmp(text, "deployed") == 0 || (seen && strcmp(text, "seen") == 0)) {
		json_put_str(request, option, text);
		return 0;
	}
	r = args_parse_number(text, what, 0, &number, err);
	if (r == 0)
		json_object_set_new(request, option, json_integer(number));
	return r;
}

/* A proposal by its number, or two states of an agent. */
static int put_what(struct cli *cli, json_t *request, struct error *err)
{
	const struct args *args = &cli->args;
	const char *word = args->words[0];
	int64_t id;
	int r;

	if (word[0] >= 'a' && word[0] <= 'z') {
		if (args_get(args, "against") ||
		    (!args_get(args, "from") && !args_get(args, "to")))
			return error_set(err, EINVAL,
					 "an agent is compared with --from or --to, a proposal "
					 "with --against");
		if ((r = name_check(word, err)) < 0)
			return r;
		json_put_str(request, "name", word);
		r = put_end(request, args, "from", false, err);
		return r < 0 ? r : put_end(request, args, "to", false, err);
	}
	if (args_get(args, "from") || args_get(args, "to"))
		return error_set(err, EINVAL, "--from and --to are for an agent's deploys");
	if ((r = proposal_number(cli, &id, err)) < 0 ||
	    (r = put_end(request, args, "against", true, err)) < 0)
		return r;
	json_object_set_new(request, "id", json_integer(id));
	return 0;
}

static void print_end(struct out *out, const char *label, const json_t *end)
{
	field_print(out, label, STYLE_PLAIN, "%s%s%s", field_str(end, "label"),
		    field_str(end, "commit")[0] ? ", commit " : "", field_str(end, "commit"));
}

int cmd_diff(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("diff"), *answer = NULL;
	const json_t *diff, *row;
	struct out *out = &cli->out;
	bool states;
	int r = put_what(cli, request, err);

	if (r < 0)
		return r;
	if (args_has(&cli->args, "effect") && !json_object_get(request, "id"))
		return error_set(err, EINVAL, "--effect is for a proposal");
	if (args_has(&cli->args, "effect"))
		return effect_show(cli, field_int(request, "id"), err);
	states = json_object_get(request, "name") != NULL;
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "diff"))
		return r;
	diff = json_object_get(answer, "diff");
	row = json_object_get(diff, "proposal");
	row = row ? row : diff;
	if (states)
		print_end(out, "to", json_object_get(diff, "to"));
	else
		print_proposal(out, row);
	print_end(out, states ? "from" : "against", json_object_get(diff, "against"));
	if (field_bool(diff, "base_moved"))
		out_line(out, STYLE_BAD,
			 proposal_is_of_commit(row)
				 ? "another commit was deployed since this was submitted"
				 : "this cannot be carried out any more as it was asked for");
	out_end(out);
	if (json_array_size(json_object_get(diff, "files")) == 0 &&
	    !field_bool(diff, "truncated"))
		out_line(out, STYLE_PLAIN, "no file differs");
	else if (args_has(&cli->args, "stat"))
		diff_print_stat(out, diff);
	else
		diff_print(out, diff);
	r = cli_finish_page(cli, err);
	if (r == 0 && !states)
		hint_verdict(cli, row);
	return r;
}

static int fetch_proposal(struct cli *cli, int64_t id, json_t **ret, struct error *err)
{
	json_auto_t *request = cli_request("proposal"), *answer = NULL;
	int r;

	json_object_set_new(request, "id", json_integer(id));
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0)
		return r;
	*ret = json_incref(json_object_get(answer, "proposal"));
	if (!json_is_object(*ret))
		return error_set_code(err, EBADMSG, "internal",
				      "the daemon did not show the proposal");
	return 0;
}

static int check_commit_text(const char *reviewed, struct error *err)
{
	if (oid_is_valid_or_short(reviewed))
		return 0;
	return error_set(err, EINVAL, "'%s' is not a commit id of %d to %d hexadecimal digits",
			 reviewed, OID_SHORTEST, OID_HEX_SIZE - 1);
}

/* The commit somebody reviewed against the one that is there. */
static int compare_commit(const json_t *row, const char *reviewed, struct error *err)
{
	const char *commit = proposal_commit(row);

	if (strncmp(commit, reviewed, strlen(reviewed)) == 0)
		return 0;
	error_set_code(err, ESTALE, "stale",
		       "proposal %lld is commit %.*s, not %s: nothing is approved",
		       (long long)field_int(row, "id"), OID_SHORT, commit, reviewed);
	error_hint(err, "review it again with: skep diff %lld",
		   (long long)field_int(row, "id"));
	return -ESTALE;
}

static bool has_ack(const json_t *acks, const char *name)
{
	json_t *ack;
	size_t i;

	json_array_foreach (acks, i, ack)
		if (strcmp(json_string_value(ack), name) == 0)
			return true;
	return false;
}

/* Shows the proposal and asks flag by flag, then for the whole. */
static int ask_approval(struct cli *cli, const json_t *row, json_t *acks, struct error *err)
{
	json_t *flag;
	size_t i;

	print_proposal(&cli->talk, row);
	out_line(&cli->talk, STYLE_DIM, "`skep diff %lld` shows what it changes",
		 (long long)field_int(row, "id"));
	(void)out_flush(&cli->talk);
	json_array_foreach (json_object_get(row, "flags"), i, flag) {
		const char *name = flag_title(flag);

		if (flag_blocks(flag))
			return error_set_code(err, EPERM, "blocked",
					      "proposal %lld cannot be approved: %s",
					      (long long)field_int(row, "id"), name);
		if (has_ack(acks, name))
			continue;
		if (!cli_ask_yes(cli, "accept the risk '%s'? [y/N]", name))
			return error_set_code(err, EPERM, "needs_ack",
					      "'%s' is not accepted: nothing is approved",
					      name);
		json_array_append_new(acks, json_string(name));
	}
	if (!cli_ask_yes(cli, "approve commit %.*s for %s? [y/N]", OID_SHORT,
			 proposal_commit(row),
			 proposal_is_of_commit(row) ? field_str(row, "agent") : "the hive"))
		return error_set(err, ECANCELED, "nothing is approved");
	return 0;
}

/* A fresh name for this verdict, so that sending it twice cannot count twice. */
static int put_idem_key(json_t *request, struct error *err)
{
	unsigned char bytes[IDEM_BYTES];
	char text[2 * IDEM_BYTES + 1];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return error_set_errno(err, errno, "cannot get random bytes");
	text_hex(text, bytes, sizeof(bytes));
	json_put_str(request, "idem_key", text);
	return 0;
}

/* What the row that was looked at says, and nothing that was not looked at. */
static int make_approval(struct cli *cli, const json_t *row, json_t *acks, json_t **ret,
			 struct error *err)
{
	json_auto_t *request = cli_request("approve");
	int r;

	json_object_set_new(request, "id", json_integer(field_int(row, "id")));
	json_put_str(request, "commit", proposal_commit(row));
	json_put_str(request, "tree", field_str(row, "tree"));
	json_put_str(request, "base",
		     field_str(row, "base")[0] ? field_str(row, "base") : NULL);
	json_object_set(request, "flags_ack", acks);
	r = put_idem_key(request, err);
	if (r < 0)
		return r;
	json_put_str(request, "note", args_get(&cli->args, "message"));
	*ret = TAKE_PTR(request);
	return 0;
}

/* What is not any more as it was looked at. */
static void show_moved(struct cli *cli, const json_t *looked_at)
{
	const json_t *now = json_object_get(cli->refusal, "now");
	const char *const keys[] = {"state", "base", "tree"};

	for (size_t i = 0; now && i < ARRAY_SIZE(keys); i++) {
		const char *before = field_str(looked_at, keys[i]),
			   *after = field_str(now, keys[i]);

		if (strcmp(before, after) != 0)
			out_line(&cli->talk, STYLE_WARN, "  %s was %s, is %s", keys[i],
				 before[0] ? before : "none", after[0] ? after : "none");
	}
}

static void show_flags(struct cli *cli, const json_t *looked_at, struct error *err)
{
	json_t *flags = json_object_get(cli->refusal, "flags");
	json_auto_t *row = json_copy((json_t *)looked_at);
	_cleanup_free_ char *command = NULL;

	flags_print(&cli->talk, flags, "  ");
	if (strcmp(error_code(err), "needs_ack") != 0)
		return;
	if (flags)
		json_object_set(row, "flags", flags);
	command = approve_command(row);
	error_hint(err, "approve with: %s", command);
}

/* A verdict that was refused shows what is there now, so that the next step can be seen. */
static void show_refusal(struct cli *cli, const json_t *looked_at, struct error *err)
{
	if (cli->json)
		return;
	switch (answer_exit_status(err)) {
	case EXIT_MOVED:
		show_moved(cli, looked_at);
		break;
	case EXIT_HELD_BACK:
		show_flags(cli, looked_at, err);
		break;
	}
	(void)out_flush(&cli->talk);
}

static void say_approved(struct cli *cli, const json_t *answer, const json_t *looked_at)
{
	const json_t *row = json_object_get(answer, "proposal");
	long long id = field_int(looked_at, "id");

	if (args_has(&cli->args, "no-wait")) {
		cli_say(cli, "approved proposal %lld", id);
		cli_hint(cli, "follow it with: skep log %lld -f", id);
		return;
	}
	if (!proposal_is_of_commit(looked_at)) {
		cli_say(cli, "proposal %lld is %s: %s", id,
			row ? proposal_state(row) : "approved", proposal_title(looked_at));
		return;
	}
	cli_say(cli, "proposal %lld is %s: %s has commit %.*s", id,
		row ? proposal_state(row) : "approved", proposal_subject(looked_at), OID_SHORT,
		proposal_commit(looked_at));
}

static json_t *collect_acks(const struct args *args)
{
	json_t *acks = json_array();
	const char *name;

	for (size_t i = 0; (name = args_get_nth(args, "ack", i)); i++)
		if (!has_ack(acks, name))
			json_array_append_new(acks, json_string(name));
	return acks;
}

int cmd_approve(struct cli *cli, struct error *err)
{
	json_auto_t *acks = collect_acks(&cli->args), *row = NULL, *request = NULL,
		    *answer = NULL;
	const char *reviewed = args_get(&cli->args, "commit");
	_cleanup_free_ char *hint = NULL;
	struct progress progress = {};
	int r = proposal_number(cli, &progress.proposal, err);

	if (r < 0)
		return r;
	if (!reviewed && !cli_can_ask(cli)) {
		error_set(err, EINVAL, "approve needs --commit, the commit that was reviewed");
		error_hint(err, "skep diff %lld shows it", (long long)progress.proposal);
		return -EINVAL;
	}
	if (reviewed)
		r = check_commit_text(reviewed, err);
	if (r == 0)
		r = fetch_proposal(cli, progress.proposal, &row, err);
	if (r == 0)
		r = reviewed ? compare_commit(row, reviewed, err)
			     : ask_approval(cli, row, acks, err);
	if (r == 0)
		r = make_approval(cli, row, acks, &request, err);
	if (r < 0)
		return r;
	hint = str_format("skep log %lld -f", (long long)progress.proposal);
	progress.hint = hint;
	r = wait_call(cli, TAKE_PTR(request), &progress, &answer, err);
	if (r < 0)
		show_refusal(cli, row, err);
	if (r < 0 || cli_print_json(cli, answer, "proposal"))
		return r;
	say_approved(cli, answer, row);
	return 0;
}

int cmd_deny(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("deny"), *answer = NULL;
	const char *note = args_get(&cli->args, "message");
	int64_t id;
	int r = proposal_number(cli, &id, err);

	if (r < 0)
		return r;
	if (!note || !note[0]) {
		error_set(err, EINVAL, "deny needs a reason");
		error_hint(err, "skep deny %lld -m 'why'", (long long)id);
		return -EINVAL;
	}
	json_object_set_new(request, "id", json_integer(id));
	json_put_str(request, "note", note);
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "proposal"))
		return r;
	cli_say(cli, "denied proposal %lld", (long long)id);
	return 0;
}
