#include "skep/command.h"

#include "base/cleanup.h"
#include "skep/handlers.h"

#include <stdint.h>
#include <string.h>

#define OPTION(n, l, v, h)                                    \
	{                                                     \
		.name = n, .letter = l, .value = v, .help = h \
	}
#define OPTION_REPEATED(n, l, v, h)                                            \
	{                                                                      \
		.name = n, .letter = l, .value = v, .help = h, .repeats = true \
	}
#define NO_WAIT OPTION("no-wait", 0, NULL, "return as soon as the intent is on record")

const struct option command_global_options[] = {
	OPTION("socket", 0, "PATH",
	       "the socket to speak on (else SKEP_SOCKET, else the operator's or the agent's "
	       "own)"),
	OPTION("json", 0, NULL, "print the result as one line of JSON"),
	OPTION("plain", 0, NULL, "print tab-separated columns without header, colour or pager"),
	OPTION("quiet", 'q', NULL, "say nothing but results and errors"),
	OPTION("no-input", 0, NULL, "never ask and never page"),
	OPTION("color", 0, "auto|always|never", "when to use colour"),
	OPTION("help", 'h', NULL, "show how a command is used"),
	OPTION("version", 0, NULL, "show the version"),
	{},
};

#define WANTED_OPTIONS                                                              \
	OPTION("builder", 0, "BUILDER", "how a commit becomes a system"),           \
		OPTION_REPEATED("label", 0, "KEY=VALUE", "a label to group it by"), \
		OPTION("memory-max", 0, "SIZE", "memory limit, such as 2G"),        \
		OPTION("cpu-quota", 0, "PERCENT",                                   \
		       "processor limit in percent of one CPU, such as 50%"),       \
		OPTION("tasks-max", 0, "COUNT", "limit on processes and threads"),  \
		OPTION("network", 0, "host|private", "whose network it sees")

#define SPAWN_OPTIONS OPTION("driver", 0, "DRIVER", "how its container is run"), WANTED_OPTIONS

static const struct option adopt_options[] = {
	WANTED_OPTIONS,
	NO_WAIT,
	{},
};

static const struct option import_options[] = {
	OPTION("dry-run", 0, NULL, "read and check everything, say what would happen, stop"),
	OPTION("start", 0, NULL, "start them, once everything is here"),
	OPTION("no-state", 0, NULL, "leave out what they keep: state and claude"),
	{},
};

static const struct option spawn_options[] = {
	SPAWN_OPTIONS,
	NO_WAIT,
	{},
};

static const struct option request_spawn_options[] = {
	SPAWN_OPTIONS,
	OPTION("message", 'm', "TEXT", "what the agent is for"),
	{},
};

static const struct option fork_options[] = {
	OPTION("no-state", 0, NULL, "begin with an empty state"),
	OPTION("message", 'm', "TEXT", "what the agent is for"),
	{},
};

static const struct option update_options[] = {
	OPTION("message", 'm', "TEXT", "why"),
	{},
};

static const struct option wait_options[] = {NO_WAIT, {}};

#define ALL OPTION("all", 0, NULL, "every agent")
#define LABEL OPTION_REPEATED("label", 0, "KEY[=VALUE]", "every agent with this label")

static const struct option label_options[] = {LABEL, {}};
static const struct option scope_options[] = {ALL, LABEL, {}};
static const struct option scope_wait_options[] = {ALL, LABEL, NO_WAIT, {}};

static const struct option stop_options[] = {
	OPTION("deadline", 0, "SECONDS",
	       "what a container has to halt in before it is killed; as configured without it"),
	ALL,
	LABEL,
	NO_WAIT,
	{},
};

static const struct option top_options[] = {
	OPTION("interval", 0, "SECONDS",
	       "between two looks, 2 without it; where nobody sits, go on instead of ending"),
	OPTION("sort", 0, "cpu|memory|io|tasks|name", "what comes first; cpu without it"),
	LABEL,
	{},
};

static const struct option destroy_options[] = {
	OPTION("purge", 0, NULL,
	       "delete its state and repositories as well; this cannot be undone"),
	OPTION("confirm", 0, "AGENT",
	       "the agent's name again, needed with --purge where nobody can be asked"),
	ALL,
	LABEL,
	NO_WAIT,
	{},
};

static const struct option submit_options[] = {
	OPTION("message", 'm', "TEXT", "what the change is for"),
	{},
};

static const struct option proposals_options[] = {
	OPTION_REPEATED(
		"state", 0, "STATE",
		"only those in this state, or 'all'; without it those that wait for a verdict"),
	OPTION("agent", 0, "AGENT", "only those of one agent"),
	OPTION("limit", 0, "COUNT", "at most this many, newest kept"),
	{},
};

static const struct option diff_options[] = {
	OPTION("against", 0, "deployed|seen|K",
	       "what to compare a proposal with: what runs now, what you looked at last in a "
	       "browser, or the number K"),
	OPTION("from", 0, "deployed|K", "an agent's deploy K instead of what runs now"),
	OPTION("to", 0, "deployed|K", "the same for the other end of the comparison"),
	OPTION("stat", 0, NULL, "only the files and how much changed in each"),
	OPTION("effect", 0, NULL,
	       "what a proposal really changes: closure, units, ports, limits, probe"),
	{},
};

static const struct option approve_options[] = {
	OPTION("commit", 0, "OID",
	       "the commit that was reviewed; needed where nobody can be asked"),
	OPTION_REPEATED("ack", 0, "FLAG", "a risk flag that was seen and is accepted"),
	OPTION("message", 'm', "NOTE", "a note for the record"),
	NO_WAIT,
	{},
};

static const struct option deny_options[] = {
	OPTION("message", 'm', "NOTE", "the reason, always needed; the submitter reads it"),
	{},
};

static const struct option log_options[] = {
	OPTION("follow", 'f', NULL, "go on as new lines come"),
	OPTION("lines", 'n', "COUNT", "only the last lines"),
	OPTION("since", 0, "WHEN",
	       "only lines from then on, as in '10 min ago' or '2026-01-31 12:00'; this and "
	       "what follows for agents only"),
	OPTION("until", 0, "WHEN", "only lines up to then"),
	OPTION("priority", 'p', "LEVEL",
	       "only what is at least so urgent: emerg alert crit err warning notice info "
	       "debug"),
	OPTION("system", 0, NULL, "what the container's own system says when all is well, too"),
	OPTION("after-cursor", 0, "CURSOR", "only what came after that line"),
	OPTION("show-cursor", 0, NULL, "print the cursor of the last line at the end"),
	{},
};

static const struct option events_options[] = {
	OPTION("follow", 'f', NULL, "go on as events come"),
	OPTION("since", 0, "SEQ",
	       "what came after the event of this number, instead of the state as it is"),
	OPTION_REPEATED("kind", 0, "agent|approval|drift", "only events of this kind"),
	{},
};

static const struct option exec_options[] = {
	OPTION("user", 0, "USER", "the user to run as inside; root without it"),
	OPTION("cwd", 0, "DIR", "the directory to run in inside; / without it"),
	OPTION_REPEATED("env", 0, "KEY=VALUE", "a variable for its environment"),
	{},
};

static const struct option record_options[] = {
	OPTION("lines", 'n', "COUNT", "at most this many, newest first"),
	{},
};

static const struct option dashboard_options[] = {
	OPTION("confirm", 0, NULL,
	       "confirm for a browser that is logged in, instead of a login"),
	{},
};

#define DECLARE_OPTIONS                                                                 \
	OPTION("host", 0, "HOST", "as on this machine, instead of the one it runs on"), \
		OPTION("rev", 0, "REVISION",                                            \
		       "DIR is a git repository: read it at this commit"),              \
		OPTION("from", 0, "chimera",                                            \
		       "DIR is the configs/ of Chimera Spawn instead of skep's own files")

static const struct option validate_options[] = {DECLARE_OPTIONS, {}};

#define PRUNE OPTION("prune", 0, NULL, "destroy its agents that it does not declare any more")

static const struct option plan_options[] = {
	DECLARE_OPTIONS,
	PRUNE,
	OPTION("exit-code", 0, NULL, "exit with 10 when something would change"),
	{},
};

static const struct option apply_options[] = {
	DECLARE_OPTIONS,
	PRUNE,
	OPTION("yes", 'y', NULL, "do not ask"),
	OPTION("watch", 0, NULL, "go on: apply whenever the files change, without asking"),
	NO_WAIT,
	{},
};

static const struct option sessions_options[] = {
	OPTION("all", 0, NULL, "with revoke: every session"),
	{},
};

#define LOOK "Look"
#define REVIEW "Review"
#define RUN "Run"
#define DECLARE "Declare"
#define RECORD "Record"
#define OTHER "Other"

static const struct command commands[] = {
	{"status", LOOK, "", REST_NONE, NULL, cmd_status, "show how the hive is doing", NULL},
	{"list", LOOK, "", REST_NONE, label_options, cmd_list, "list the agents", NULL},
	{"show", LOOK, "AGENT", REST_NONE, NULL, cmd_show,
	 "show one agent and its latest proposals", NULL},
	{"top", LOOK, "[AGENT...]", REST_NONE, top_options, cmd_top,
	 "show what agents use, again and again",
	 "Of each agent that runs: processors, memory, tasks, disks, and how much of the last "
	 "ten seconds some of it waited for each. What this machine does not count is '-'. "
	 "Into "
	 "a pipe, or with --json, it prints once and ends."},
	{"log", LOOK, "AGENT|N", REST_NONE, log_options, cmd_log,
	 "show an agent's journal, or the build log of a proposal",
	 "With -f it goes on: an agent's journal until interrupted, a build log until the "
	 "outcome is known. Of an agent that is stopped, what it left is shown. With --json "
	 "each "
	 "line of a journal is an object with its cursor."},
	{"drift", LOOK, "[AGENT...]", REST_NONE, NULL, cmd_drift,
	 "show what is not as it should be",
	 "Each line is a difference between the record and what runs, and since when it is "
	 "known. What is done about it is the setting reconcile: 'apply' puts it right, "
	 "'report' only tells. The exit status is 1 when anything differs, or when that is "
	 "not known."},
	{"events", LOOK, "", REST_NONE, events_options, cmd_events,
	 "show the state of everything, then each change",
	 "Without -f it ends after the state as it is now. Each line of --json has its number, "
	 "seq; what is no longer remembered is answered with the state."},

	{"dashboard", LOOK, "[N]", REST_NONE, dashboard_options, cmd_dashboard,
	 "make a link that logs a browser in",
	 "The link is good once, for a minute; on a desktop it is opened. With N it leads to "
	 "that "
	 "proposal. With --confirm it tells a browser that is logged in already that it is "
	 "still "
	 "you: for proposal N, or without N for everything, for 15 minutes."},
	{"sessions", LOOK, "[revoke] [ID]", REST_NONE, sessions_options, cmd_sessions,
	 "list who is logged in with a browser; 'revoke' logs out", NULL},

	{"proposals", REVIEW, "", REST_NONE, proposals_options, cmd_proposals, "list proposals",
	 "States: submitted needs-review approved building deploying deployed failed denied "
	 "stale superseded cancelled; "
	 "also pending (waiting for a verdict) and all."},
	{"diff", REVIEW, "N|AGENT", REST_NONE, diff_options, cmd_diff,
	 "show what a proposal changes",
	 "With an agent, --from and --to compare two of its deploys: `skep diff alice --to 3` "
	 "shows what going back to deployed/3 would change."},
	{"approve", REVIEW, "N", REST_NONE, approve_options, cmd_approve,
	 "approve a proposal and deploy it",
	 "The approval names the commit, tree, base and flags that were looked at; when "
	 "anything has moved since, "
	 "nothing happens and the exit status is 5. On a terminal, without --commit, it shows "
	 "the proposal and asks."},
	{"deny", REVIEW, "N", REST_NONE, deny_options, cmd_deny,
	 "turn a proposal down, with a reason", NULL},
	{"submit", REVIEW, "AGENT COMMIT", REST_NONE, submit_options, cmd_submit,
	 "propose a commit of an agent's repository",
	 "COMMIT is an id of 7 to 40 hexadecimal digits; branch names are refused, for they "
	 "can move."},
	{"request-spawn", REVIEW, "AGENT", REST_NONE, request_spawn_options, cmd_request_spawn,
	 "propose a new agent",
	 "A proposal like any other: an operator looks at it with diff and approves or denies "
	 "it. The port it is shown with is kept for it. A second request for the same name "
	 "replaces the first."},
	{"fork", REVIEW, "AGENT NAME [K]", REST_NONE, fork_options, cmd_fork,
	 "propose an agent made from another",
	 "It begins with what AGENT has deployed, or had under number K, with its settings and "
	 "a copy of what it keeps, but a port and ids of its own. An operator decides."},
	{"update-inputs", REVIEW, "[NAME...]", REST_NONE, update_options, cmd_update_inputs,
	 "propose newer inputs for all that Nix builds",
	 "NAME is nixpkgs or base; without it both. Approved, all agents are built first, then "
	 "switched to in waves, the manager first. When one fails, all go back to what they "
	 "ran."},
	{"cancel", REVIEW, "N", REST_NONE, NULL, cmd_cancel, "withdraw a proposal", NULL},
	{"rollback", REVIEW, "AGENT [K]", REST_NONE, wait_options, cmd_rollback,
	 "go back to what was deployed before, or to deployed K", NULL},

	{"spawn", RUN, "AGENT", REST_NONE, spawn_options, cmd_spawn,
	 "make a new agent and start it",
	 "An agent that was destroyed but not purged comes back with its state and "
	 "repositories."},
	{"adopt", RUN, "AGENT", REST_NONE, adopt_options, cmd_adopt,
	 "make an agent of a container that nixos-container made by hand",
	 "Its name must be the agent's (h-AGENT). Its conf file, profile and restarts are "
	 "skep's from then on, its root stays. Until then skep leaves it alone, and spawn is "
	 "refused."},
	{"import-hyperhive", RUN, "DIR [NAME...]", REST_NONE, import_options,
	 cmd_import_hyperhive, "take over the agents of a hyperhive host",
	 "DIR is its state directory (/var/lib/hyperhive), which is only read. All of it "
	 "comes, "
	 "or with names those agents: repositories, numbers, verdicts, ports, what they keep. "
	 "All or nothing. They come stopped. For root alone."},
	{"start", RUN, "[AGENT...]", REST_NONE, scope_wait_options, cmd_start, "start agents",
	 NULL},
	{"stop", RUN, "[AGENT...]", REST_NONE, stop_options, cmd_stop, "stop agents", NULL},
	{"restart", RUN, "[AGENT...]", REST_NONE, stop_options, cmd_restart,
	 "stop agents and start them again", NULL},
	{"rebuild", RUN, "[AGENT...]", REST_NONE, scope_wait_options, cmd_rebuild,
	 "build and deploy again what is deployed", NULL},
	{"pause", RUN, "[AGENT...]", REST_NONE, scope_options, cmd_pause,
	 "let agents take no new work; their containers run on", NULL},
	{"resume", RUN, "[AGENT...]", REST_NONE, scope_options, cmd_resume, "end a pause",
	 NULL},
	{"freeze", RUN, "[AGENT...]", REST_NONE, scope_options, cmd_freeze,
	 "hold agents still, with everything that runs in their containers",
	 "Nothing inside gets a processor until it is thawed; memory stays taken. A stop or a "
	 "restart ends it as well."},
	{"thaw", RUN, "[AGENT...]", REST_NONE, scope_options, cmd_thaw,
	 "let frozen agents go on", NULL},
	{"set", RUN, "[AGENT] [key=value...]", REST_NONE, scope_options, cmd_set,
	 "change an agent's settings",
	 "Keys: memory_max (2G), cpu_quota (50%), tasks_max (4096), network (host or private), "
	 "probe (none, default, tcp:PORT or command:WORDS), probe.grace and probe.soak "
	 "(seconds), "
	 "parent, reconcile (report or apply), label.KEY; an "
	 "empty value removes the setting. Limits change while the agent runs; another network "
	 "restarts it."},
	{"exec", RUN, "AGENT", REST_REQUIRED, exec_options, cmd_exec,
	 "run a command inside an agent's container",
	 "Input, output and exit status are the command's own; a command ended by a signal "
	 "exits with 128 plus its "
	 "number. SIGINT, SIGTERM and SIGHUP are passed on. Output is kept byte for byte "
	 "unless it goes to a terminal."},
	{"shell", RUN, "AGENT", REST_OPTIONAL, NULL, cmd_shell,
	 "open a terminal inside an agent's container", NULL},
	{"rename", RUN, "AGENT NAME", REST_NONE, wait_options, cmd_rename,
	 "give an agent another name",
	 "Repositories, state, port and settings stay; a running container is started again "
	 "under the new name. What Nix builds is built under it before anything is touched. "
	 "What goes wrong on the way is taken back."},
	{"destroy", RUN, "[AGENT...]", REST_NONE, destroy_options, cmd_destroy,
	 "remove agents' containers; their state and repositories stay", NULL},

	{"validate", DECLARE, "DIR", REST_NONE, validate_options, cmd_validate,
	 "check the files that declare a hive",
	 "Reads hive.json and what belongs to it, skep-hive(5), and asks no daemon. An error "
	 "names the file and the key."},
	{"plan", DECLARE, "DIR", REST_NONE, plan_options, cmd_plan,
	 "show what the files would change", NULL},
	{"apply", DECLARE, "DIR", REST_NONE, apply_options, cmd_apply,
	 "make the hive what the files say",
	 "New agents are made and must come up, then settings change, then all of it is "
	 "recorded "
	 "as one generation. When any of it fails, everything is put back as it was. An agent "
	 "belongs to the declared hive by its label 'owner'; only with --prune are those "
	 "destroyed that are not declared any more, and their state is kept."},

	{"history", RECORD, "[AGENT]", REST_NONE, record_options, cmd_history,
	 "list deploys and changes of settings", NULL},
	{"audit", RECORD, "[verify]", REST_NONE, record_options, cmd_audit,
	 "show who did what; 'verify' checks that the record is whole", NULL},
	{"doctor", RECORD, "", REST_NONE, NULL, cmd_doctor,
	 "check this machine and say what to fix", "The exit status is 1 when a check fails."},

	{"whoami", OTHER, "", REST_NONE, NULL, cmd_whoami, "show as whom the socket knows you",
	 NULL},
	{"help", OTHER, "[COMMAND]", REST_NONE, NULL, cmd_help,
	 "show this, or how a command is used", NULL},
	{"__complete", NULL, "[WORD...]", REST_NONE, NULL, cmd_complete,
	 "list what can come next, for the shells", NULL},
};

const struct command *command_at(size_t index)
{
	return index < ARRAY_SIZE(commands) ? &commands[index] : NULL;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

bool usage_next(const char **usage, struct usage_word *ret)
{
	const char *p = *usage + strspn(*usage, " ");
	size_t size = strcspn(p, " ");

	if (size == 0)
		return false;
	*usage = p + size;
	*ret = (struct usage_word){};
	if (*p == '[') {
		ret->optional = true;
		p++;
		size -= 2;
	}
	if (size > 3 && memcmp(p + size - 3, "...", 3) == 0) {
		ret->repeats = true;
		size -= 3;
	}
	if (size >= sizeof(ret->name))
		size = sizeof(ret->name) - 1;
	memcpy(ret->name, p, size);
	return true;
}

void usage_count(const char *usage, size_t *ret_least, size_t *ret_most)
{
	struct usage_word word;

	*ret_least = 0;
	*ret_most = 0;
	while (usage_next(&usage, &word)) {
		if (!word.optional)
			(*ret_least)++;
		if (word.repeats || *ret_most == SIZE_MAX)
			*ret_most = SIZE_MAX;
		else
			(*ret_most)++;
	}
}
