/*
 * The controller's hot paths, one after the other, on the record that `fill` made. Under
 * callgrind each is dumped by its name, so that their instructions can be held to a budget;
 * without it, each is only run.
 *
 *   paths STATE
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/ledger.h"
#include "control/meta.h"
#include "control/rows.h"
#include "control/start.h"
#include "git/commit.h"
#include "git/diff.h"
#include "git/import.h"
#include "git/reader.h"
#include "git/risk.h"
#include "wire/verb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#define THEN 1700000000
#define LOCKED 100 /* agents in the lock */
#define LINES 10000
#define ROUNDS 10

static int64_t wall_s(void)
{
	return THEN;
}

static int must(int r, const char *what, const struct error *err)
{
	if (r < 0) {
		fprintf(stderr, "paths: %s: %s\n", what, err ? error_text(err) : strerror(-r));
		exit(1);
	}
	return r;
}

struct bench {
	struct hive *hive;
	struct agent *agent;
	struct repo *repo; /* its applied repository */
	struct error err;
};

static void begin(void)
{
	CALLGRIND_ZERO_STATS;
}

static void end(const char *name)
{
	CALLGRIND_DUMP_STATS_AT(name);
	printf("%s\n", name);
}

/* What every start does before it serves: the first time, and when the book of tags is there.
 */
static void path_load(struct bench *b, const struct config *config)
{
	static const char *const names[] = {"first-load", "load"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		b->hive = hive_new(loop_new(), config, wall_s);
		begin();
		must(start_load(b->hive, &b->err), "load", &b->err);
		end(names[i]);
	}
	b->agent = b->hive->agents[b->hive->n_agents / 2];
	must(hive_open_applied(b->hive, b->agent->settings.name, &b->repo, &b->err), "open",
	     &b->err);
}

/* The answer to an inspect of all containers. */
static void path_inspected(struct bench *b)
{
	json_t *list = json_array(), *answer;

	for (size_t i = 0; i < b->hive->n_agents; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:i,s:[]}", "agent",
						      b->hive->agents[i]->settings.name,
						      "state", "running", "system",
						      b->hive->agents[i]->settings.revision,
						      "leader", 4242, "failed_units"));
	answer = json_pack("{s:o}", "agents", list);
	begin();
	container_seen_all(b->hive, answer);
	end("inspected");
	json_decref(answer);
}

static struct proposal *propose(struct bench *b, int n, const char *commit)
{
	struct proposal *p = proposal_new(0, b->agent->settings.name);
	struct actor actor = {"hm1nd", "manager"};

	memcpy(p->base, b->agent->settings.revision, OID_HEX_SIZE);
	memcpy(p->commit, commit, OID_HEX_SIZE);
	must(repo_commit_tree(b->repo, commit, p->tree, &b->err), "tree", &b->err);
	p->title = str_format("number %d", n);
	must(ledger_propose(b->hive, p, &actor, &b->err), "propose", &b->err);
	return p;
}

/* A proposal's tag, then the tag that denies it. */
static void path_verdict(struct bench *b)
{
	struct actor actor = {"uid 0", "operator"};
	struct verdict verdict = {.actor = &actor,
				  .note = "not today",
				  .build_ms = -1,
				  .downtime_ms = -1};

	begin();
	for (int i = 0; i < ROUNDS; i++) {
		struct proposal *p = propose(b, i, b->agent->settings.revision);

		must(ledger_decide(b->hive, p, PROPOSAL_DENIED, &verdict, &b->err), "deny",
		     &b->err);
	}
	end("verdict");
}

static void path_rows(struct bench *b)
{
	begin();
	for (int i = 0; i < ROUNDS; i++) {
		json_t *rows = rows_agents(b->hive);
		char *text = json_line(rows);

		free(text);
		json_decref(rows);
	}
	end("rows");
}

static void path_pending(struct bench *b)
{
	begin();
	for (size_t i = 0; i < b->hive->n_proposals; i++) {
		json_t *row = row_proposal(b->hive, b->hive->proposals[i]);
		char *text = json_line(row);

		free(text);
		json_decref(row);
	}
	end("proposals");
}

static void path_audit(struct bench *b)
{
	json_t *list = NULL;

	begin();
	must(audit_list(b->hive, 100, 0, &list, &b->err), "audit", &b->err);
	end("audit");
	json_decref(list);
}

/* One agent of many moves to another commit; then meta's commit. */
static void path_lock(struct bench *b)
{
	struct lock *lock = lock_new();
	char *text;

	for (int i = 0; i < LOCKED; i++) {
		_cleanup_free_ char *name = str_format("a%d", i);

		must(lock_put_agent(lock, "/var/lib/skep/applied", name,
				    b->agent->settings.revision, THEN, &b->err),
		     "lock", &b->err);
	}
	text = lock_write(lock);
	begin();
	must(lock_put_agent(lock, "/var/lib/skep/applied", "a50",
			    "0123456789012345678901234567890123456789", THEN, &b->err),
	     "bump", &b->err);
	free(text);
	text = lock_write(lock);
	end("bump");
	free(text);
	lock_free(lock);
}

static void path_meta(struct bench *b)
{
	begin();
	for (int i = 0; i < ROUNDS; i++) {
		b->agent->settings.paused = !b->agent->settings.paused;
		must(meta_commit(b->hive, "one setting", &b->err), "meta", &b->err);
	}
	end("setting");
}

static void make_lines(struct buf *ret, int seed)
{
	for (int i = 0; i < LINES; i++)
		buf_addf(ret, "line %d %s\n", i, i % 7 == seed % 7 ? "moves" : "stays");
}

/* A file of 10,000 lines, every seventh changed, twice: scanned for risks and compared. */
static void path_review(struct bench *b)
{
	char old[OID_HEX_SIZE], new[OID_HEX_SIZE];
	struct limits limits = {1LL << 31, 50, 4096};
	struct flags flags = {};
	json_t *diff = NULL;

	for (int i = 0; i < 2; i++) {
		_cleanup_buf_ struct buf text = {};
		struct commit_file file = {.path = "rootfs/srv/lines"};

		make_lines(&text, i);
		file.data = buf_str(&text);
		file.size = text.size;
		must(commit_files(b->repo, i ? old : b->agent->settings.revision, &file, 1,
				  "lines\n", THEN, i ? new : old, &b->err),
		     "commit", &b->err);
	}
	begin();
	must(risk_scan(b->repo, old, new, &limits, &flags, &b->err), "scan", &b->err);
	end("risk");
	begin();
	must(diff_compare(b->repo, old, new, &diff_limits_default, &diff, &b->err), "diff",
	     &b->err);
	end("diff");
	json_decref(diff);
	flags_release(&flags);
}

/* A reader of another agent's repository, so that the commit is new here; half of it runs
 * there. */
static void path_import(struct bench *b)
{
	const struct agent *other = b->hive->agents[0];
	_cleanup_free_ char *dir = hive_applied_dir(b->hive, other->settings.name);
	const struct reader_limits limits = {.max_object_bytes = IMPORT_MAX_BLOB_BYTES};
	struct import_result result;
	int ends[2];
	pid_t pid;

	must(sock_pair(SOCK_STREAM, ends, &b->err), "pair", &b->err);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		CALLGRIND_TOGGLE_COLLECT;
		_exit(chdir(dir) < 0 || reader_serve(ends[1], &limits, NULL) < 0);
	}
	(void)close(ends[1]);
	begin();
	must(import_commit(b->repo, ends[0], other->settings.revision, &import_limits_default,
			   &result, &b->err),
	     "import", &b->err);
	end("import");
	(void)close(ends[0]);
	(void)waitpid(pid, NULL, 0);
}

/* Lines as clients send them, read and looked up. */
static void path_request(void)
{
	static const char line[] =
		"{\"cmd\":\"approve\",\"id\":12,\"commit\":"
		"\"0123456789012345678901234567890123456789\","
		"\"flags_ack\":[\"mode-changed\",\"binary\"],\"note\":\"looks good\"}";

	begin();
	for (int i = 0; i < ROUNDS * ROUNDS; i++) {
		const struct verb *verb = NULL;
		json_t *request = NULL;

		must(verb_parse_request(line, sizeof(line) - 1, PRINCIPAL_OPERATOR, &request,
					&verb, NULL),
		     "parse", NULL);
		json_decref(request);
	}
	end("request");
}

int main(int argc, char **argv)
{
	struct bench b = {};
	struct config config;

	if (argc != 2) {
		fprintf(stderr, "usage: paths STATE\n");
		return 2;
	}
	/* not by the clock: the same tables every time */
	json_object_seed(1);
	(void)signal(SIGPIPE, SIG_IGN);
	config_init(&config);
	free(config.state_dir);
	config.state_dir = str_dup(argv[1]);
	begin();
	must(git_setup(true, &b.err), "git", &b.err);
	end("setup");
	path_load(&b, &config);
	path_inspected(&b);
	path_rows(&b);
	path_pending(&b);
	path_audit(&b);
	path_verdict(&b);
	path_lock(&b);
	path_meta(&b);
	path_review(&b);
	path_import(&b);
	path_request();
	return 0;
}
