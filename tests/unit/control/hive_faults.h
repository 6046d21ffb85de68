/* Steps of a hive's life that are struck by faults: what is asked for, and how git tells that
 * it is there. */
#pragma once

#include "faulty.h"

#include "hive_crash.h"

#define PATIENCE_MS 20000 /* until somebody who does not answer has hung */
#define LASTING_MS 150    /* how long a disk stays full, once somebody noticed */

struct scene {
	struct hive_unit *u;
	struct fault_plan *plan;
	char *request; /* what is asked for */
	char *proof;   /* a script that says "yes" when it is there */
	int64_t id;
	char commit[256];
};

struct step {
	const char *name;
	void (*prepare)(struct scene *s);
	bool deploys;        /* ends in an outcome, whatever it is */
	bool recovers;       /* it is the next start that is struck */
	const char *cleanup; /* a script afterwards */
};

/* ---- asking ---- */

static char *quoted(const char *request)
{
	char *line = str_format("%s\n", request);

	for (char *q = line; *q; q++)
		if (*q == '\'')
			*q = '"';
	return line;
}

/* A lock that could not be removed any more, on a disk that had become read-only, is stale
 * after a minute. */
static void age_locks(struct scene *s)
{
	char out[256];

	if (s->plan->kinds & FAULT_NAME)
		sh(s->u, "find . -name '*.lock' -exec touch -d '2 minutes ago' {} +; echo x",
		   out);
}

/* The answer; NULL: the daemon hung up. A fault that lasts is mended when it was met. */
static json_t *ask(struct scene *s, const char *request)
{
	_cleanup_close_ int fd = sock_connect(s->u->socket_path, SOCK_STREAM, NULL);
	_cleanup_free_ char *line = quoted(request);
	_cleanup_buf_ struct buf text = {};
	int64_t end = clock_boot_ms() + PATIENCE_MS, mend = 0;
	json_t *answer = NULL;
	char c;

	if (fd < 0)
		return NULL;
	(void)send(fd, line, strlen(line), MSG_NOSIGNAL);
	while (clock_boot_ms() < end) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (s->plan->hits > 0 && !mend)
			mend = clock_boot_ms() + LASTING_MS;
		if (mend && clock_boot_ms() > mend && s->plan->armed) {
			(void)fault_disarm(s->plan);
			age_locks(s);
		}
		if (poll(&p, 1, 10) <= 0)
			continue;
		if (read(fd, &c, 1) != 1)
			return NULL;
		if (c != '\n') {
			buf_add_char(&text, c);
			continue;
		}
		assert_int_equal(json_parse(buf_str(&text), text.size, &answer, NULL), 0);
		return answer;
	}
	fail_msg("no answer to %s after %s", request, s->plan->where);
	return NULL;
}

/* ---- steps ---- */

static void change_quick(struct scene *s, const char *agent)
{
	static int n;
	_cleanup_free_ char *script = str_format(
		"cd proposed/%s && sed -i 's/\"grace\": 20/\"grace\": 0/; s/\"soak\": "
		"[0-9]*/\"soak\": 0/' agent.json && mkdir -p rootfs/etc && echo %d > "
		"rootfs/etc/n && git add -A && git commit -qm n%d && git rev-parse HEAD",
		agent, n, n);

	n++;
	sh(s->u, script, s->commit);
}

static void prepare_submit(struct scene *s)
{
	change_quick(s, "alice");
	s->request = str_format("{'cmd':'submit','agent':'alice','commit':'%s'}", s->commit);
	s->proof = str_format("git -C applied/alice/.git for-each-ref "
			      "--format='%%(*objectname)' 'refs/tags/proposal/*' | grep -q %s "
			      "&& echo yes || echo no",
			      s->commit);
}

static void propose(struct scene *s)
{
	change_quick(s, "alice");
	s->id = submit(s->u, "alice", s->commit);
}

static void decide(struct scene *s, const char *verb, const char *tag)
{
	s->request = str_format("{'cmd':'%s','id':%lld,'commit':'%s'%s}", verb,
				(long long)s->id, s->commit,
				strcmp(verb, "approve") == 0
					? ",'wait':true,'flags_ack':['history-rewritten']"
					: "");
	s->proof = str_format("git -C applied/alice/.git rev-parse -q --verify "
			      "refs/tags/%s/%lld > o && echo yes || echo no",
			      tag, (long long)s->id);
}

static void prepare_deny(struct scene *s)
{
	propose(s);
	decide(s, "deny", "denied");
}

static void prepare_approve(struct scene *s)
{
	propose(s);
	decide(s, "approve", "approved");
}

static void prepare_failing(struct scene *s)
{
	prepare_approve(s);
	touch(s->u, "fail-build");
}

static void prepare_rolled_back(struct scene *s)
{
	char out[256];
	_cleanup_free_ char *script = NULL;

	prepare_approve(s);
	script = str_format("cd proposed/alice; git rev-parse '%s^{tree}' > ../../bad-system; "
			    "echo x",
			    s->commit);
	sh(s->u, script, out);
}

static void prepare_rollback(struct scene *s)
{
	json_t *answer;

	prepare_approve(s);
	answer = hive_must(ask(s, s->request));
	json_decref(answer);
	free(s->request);
	free(s->proof);
	s->request = str_dup("{'cmd':'rollback','name':'alice','to':0,'wait':true}");
	s->proof = str_format("git -C applied/alice/.git tag -l 'deployed/*' | cut -d/ -f2 | "
			      "sort -n | tail -1 | awk '{print ($1 > %lld ? \"yes\" : "
			      "\"no\")}'",
			      (long long)s->id);
}

static void prepare_set(struct scene *s)
{
	static int n = 1;
	int gib = 1 + n++ % 7;

	s->request =
		str_format("{'cmd':'set','name':'alice','settings':{'memory_max':'%dG'}}", gib);
	s->proof = str_format(
		"git -C meta/.git show main:agents.json | grep '\"alice\": {' | grep -Eq "
		"'\"memory_max\": (\"%dG\"|%lld)' && echo yes || echo no",
		gib, (long long)gib << 30);
}

static void prepare_power(struct scene *s, const char *verb, const char *word)
{
	s->request = str_format("{'cmd':'%s','name':'alice','wait':true}", verb);
	s->proof = str_format(
		"git -C meta/.git show main:agents.json | grep '\"alice\": {' | grep -q "
		"'\"desired\": \"stopped\"' && echo %s",
		word);
}

static void prepare_stop(struct scene *s)
{
	hive_do(hive_ask(s->u, "{'cmd':'start','name':'alice','wait':true}"));
	prepare_power(s, "stop", "yes || echo no");
}

static void prepare_start(struct scene *s)
{
	hive_do(hive_ask(s->u, "{'cmd':'stop','name':'alice','wait':true}"));
	prepare_power(s, "start", "no || echo yes");
}

static void prepare_spawn(struct scene *s)
{
	s->request = str_dup("{'cmd':'spawn','name':'bob','wait':true}");
	s->proof = str_dup(
		"git -C meta/.git show main:agents.json | grep -q '\"bob\": {\"' && git -C "
		"applied/bob/.git rev-parse -q --verify refs/tags/deployed/0 > o && "
		"echo yes || echo no");
}

static void prepare_destroy(struct scene *s)
{
	hive_do(hive_ask(s->u, "{'cmd':'spawn','name':'bob','wait':true}"));
	s->request = str_dup("{'cmd':'destroy','name':'bob','wait':true}");
	s->proof = str_dup(
		"sed -n '/\"agents\"/,/}/p' o > /dev/null; git -C meta/.git show "
		"main:agents.json | sed -n '/\"agents\"/,/^  }/p' | grep -q '\"bob\"' && "
		"echo no || echo yes");
}

static void prepare_purge(struct scene *s)
{
	prepare_destroy(s);
	free(s->request);
	s->request = str_dup("{'cmd':'destroy','name':'bob','purge':true,'confirm':'bob',"
			     "'wait':true}");
}

static void prepare_diff(struct scene *s)
{
	propose(s);
	s->request = str_format("{'cmd':'diff','id':%lld}", (long long)s->id);
	s->proof = str_dup("echo yes");
}

static void prepare_start_up(struct scene *s)
{
	propose(s);
	s->proof = str_dup("echo yes");
}

static const struct step steps[] = {
	{.name = "submit", .prepare = prepare_submit},
	{.name = "deny", .prepare = prepare_deny},
	{.name = "deploy", .prepare = prepare_approve, .deploys = true},
	{.name = "fail",
	 .prepare = prepare_failing,
	 .deploys = true,
	 .cleanup = "rm -f fail-build"},
	{.name = "roll-back",
	 .prepare = prepare_rolled_back,
	 .deploys = true,
	 .cleanup = "rm -f bad-system"},
	{.name = "rollback", .prepare = prepare_rollback},
	{.name = "set", .prepare = prepare_set},
	{.name = "stop", .prepare = prepare_stop},
	{.name = "start", .prepare = prepare_start},
	{.name = "spawn", .prepare = prepare_spawn},
	{.name = "destroy", .prepare = prepare_destroy},
	{.name = "purge", .prepare = prepare_purge},
	{.name = "diff", .prepare = prepare_diff},
	{.name = "recovery", .prepare = prepare_start_up, .recovers = true},
};
