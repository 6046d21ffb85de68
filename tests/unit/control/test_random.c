/*
 * Random operations on a whole hive against a small model of it: after each, what the hive says
 * of agents and proposals is what the model says. Some operations meet a failing build, switch
 * or probe, and some the daemon's death at a named point: then it is as if the operation had
 * never been asked for, or had been done, or (a rollback) had been proposed. At the end of each
 * hive a script reads its record with git alone (tests/crash/oracle).
 *
 * SKEP_OPERATIONS: how many; SKEP_SEED: the first hive's seed.
 */
#include "hive_crash.h"

#define AGENTS 3
#define OF_ONE_HIVE 150
#define PROPOSALS (OF_ONE_HIVE + 1)

struct model_agent {
	bool there, ever, running, paused, large;
	int deployed; /* highest deployed/N; what was deployed before is in `was` */
	bool was[PROPOSALS];
};

struct model_proposal {
	int agent;
	const char *state;
	char commit[41]; /* "": a rollback's, which the hive makes */
	int back_to;
};

struct model {
	struct model_agent agents[AGENTS];
	struct model_proposal proposals[PROPOSALS];
	int last; /* highest number */
};

static const char *const names[AGENTS] = {"alice", "bob", "carol"};

/* Where a daemon can die over a request. */
static const char *const no_points[] = {NULL};
static const char *const submit_points[] = {"imported", "proposed", NULL};
static const char *const deny_points[] = {"denied", NULL};
static const char *const good_points[] = {"approved", "building", "built",      "switched",
					  "probed",   "deployed", "main-moved", NULL};
static const char *const bad_points[] = {"approved",     "building", "failing",
					 "rolling-back", "switched", NULL};

/* ---- chance ---- */

static uint64_t chance;

static unsigned draw(unsigned below)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (unsigned)(chance >> 11) % below;
}

/* ---- the model ---- */

static bool is_open(const struct model_proposal *p)
{
	return strcmp(p->state, "needs-review") == 0;
}

static void close_open(struct model *m, int agent, const char *state)
{
	for (int id = 1; id <= m->last; id++)
		if (m->proposals[id].agent == agent && is_open(&m->proposals[id]))
			m->proposals[id].state = state;
}

static int add_proposal(struct model *m, int agent, const char *commit)
{
	close_open(m, agent, "superseded");
	m->last++;
	m->proposals[m->last] =
		(struct model_proposal){.agent = agent, .state = "needs-review", .back_to = -1};
	snprintf(m->proposals[m->last].commit, 41, "%s", commit);
	return m->last;
}

static void deploy(struct model *m, int id, bool good)
{
	struct model_proposal *p = &m->proposals[id];
	struct model_agent *a = &m->agents[p->agent];

	p->state = good ? "deployed" : "failed";
	if (!good)
		return;
	a->deployed = id;
	a->was[id] = true;
	close_open(m, p->agent, "stale");
}

static char *show_model(const struct model *m)
{
	struct buf out = {};

	for (int i = 0; i < AGENTS; i++)
		if (m->agents[i].there)
			buf_addf(&out, "%s %s%s deployed %d memory %d\n", names[i],
				 m->agents[i].running ? "running" : "stopped",
				 m->agents[i].paused ? " paused" : "", m->agents[i].deployed,
				 m->agents[i].large ? 2 : 1);
	for (int id = 1; id <= m->last; id++)
		buf_addf(&out, "%d %s %s %.10s\n", id, names[m->proposals[id].agent],
			 m->proposals[id].state,
			 m->proposals[id].commit[0] ? m->proposals[id].commit : "-");
	buf_add_str(&out, "");
	return buf_take(&out);
}

/* ---- the hive ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void show_agent(struct hive_unit *u, const char *name, struct buf *out)
{
	json_t *answer = hive_ask(u, "{'cmd':'agent','name':'%s'}", name);
	const json_t *a = json_object_get(answer, "agent");

	if (a)
		buf_addf(out, "%s %s%s deployed %lld memory %lld\n", name, text_of(a, "state"),
			 json_is_true(json_object_get(a, "paused")) ? " paused" : "",
			 (long long)number_of(a, "deployed"),
			 atoll(text_of(json_object_get(a, "limits"), "memory_max")));
	json_decref(answer);
}

/* What it says; *ret_busy when something is still going on. */
static char *show_hive(struct hive_unit *u, bool *ret_busy)
{
	struct buf out = {};
	json_t *answer, *row;
	size_t i;

	for (i = 0; i < AGENTS; i++)
		show_agent(u, names[i], &out);
	answer = hive_must(hive_ask(u, "{'cmd':'pending','status':'all','limit':1000}"));
	*ret_busy = false;
	json_array_foreach (json_object_get(answer, "approvals"), i, row) {
		int64_t id = number_of(row, "id");
		const char *state = text_of(row, "state");
		const char *title = text_of(row, "title");
		bool back = strstr(title, "roll back ") == title;

		*ret_busy |= strcmp(state, "approved") == 0 || strcmp(state, "building") == 0 ||
			     strcmp(state, "deploying") == 0;
		buf_addf(&out, "%lld %s %s %.10s\n", (long long)id, text_of(row, "agent"),
			 state, back ? "-" : text_of(row, "commit"));
	}
	json_decref(answer);
	buf_add_str(&out, "");
	return buf_take(&out);
}

/* Waits for the hive to say what one of the models says, and takes that one. */
static void compare(struct hive_unit *u, struct model *m, const struct model *others, size_t n,
		    const char *what)
{
	_cleanup_free_ char *mine = show_model(m), *theirs = NULL;
	bool busy;

	for (int tries = 0; tries < 5000; tries++) {
		free(theirs);
		theirs = show_hive(u, &busy);
		if (!busy && strcmp(mine, theirs) == 0)
			return;
		for (size_t i = 0; i < n && !busy; i++) {
			_cleanup_free_ char *other = show_model(&others[i]);

			if (strcmp(other, theirs) == 0) {
				*m = others[i];
				return;
			}
		}
		usleep(1000);
	}
	fprintf(stderr, "%s:\nthe model:\n%s\nthe hive:\n%s\n", what, mine, theirs);
	fail_msg("%s", what);
}

/* ---- operations ---- */

struct attempt {
	struct model then;   /* as it is when it is done */
	struct model middle; /* as it may be when it was cut short */
	/* a deploy that is begun again and fails, or does not: what fails a switch does so once
	 */
	struct model failed, good;
	char *request;
	const char *refused; /* the code; NULL: it is done */
	const char *fault;   /* a file that makes it fail, to be removed afterwards */
	bool deploys;
	const char *const *points;
	char what[120];
};

static void put(const struct hive_unit *u, const char *name, const char *text)
{
	_cleanup_free_ char *path = str_format("%s/%s", u->dir, name);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
}

/* What may go wrong with a deploy of a commit; whether something does. */
static bool plan_fault(struct hive_unit *u, struct attempt *a, const char *commit, bool running)
{
	char tree[256];
	_cleanup_free_ char *script = NULL;

	switch (draw(8)) {
	case 0:
		a->fault = "fail-build";
		put(u, a->fault, "it does not compile");
		return true;
	case 1:
		a->fault = "fail-switch";
		put(u, a->fault, "");
		return true;
	case 2:
		if (!commit[0] || !running)
			return false;
		a->fault = "bad-system";
		script = str_format("git -C proposed/*/ rev-parse -q --verify %s^{tree}",
				    commit);
		free(TAKE_PTR(script));
		script = str_format("for r in proposed/*/; do git -C $r rev-parse -q --verify "
				    "'%s^{tree}' && break; done 2>&1",
				    commit);
		sh(u, script, tree);
		put(u, a->fault, tree);
		return true;
	default:
		return false;
	}
}

/* Git writes the commit out of a stream: one process for what takes add and commit five. */
static void plan_submit(struct hive_unit *u, const struct model *m, int agent,
			struct attempt *a)
{
	char commit[256];
	unsigned n = draw(1u << 30);
	_cleanup_free_ char *script = str_format(
		"cd proposed/%s && { echo 'commit refs/heads/main\nmark :1\n"
		"committer m <m@x> 1700000000 +0000\ndata <<.\nn%u\n.\n"
		"from refs/heads/main^0\nM 100644 inline agent.json\ndata <<.' && "
		"sed 's/\"grace\": 20/\"grace\": 0/; "
		"s/\"soak\": [0-9]*/\"soak\": 0/' agent.json && "
		"echo '.\nM 100644 inline rootfs/etc/n\ndata <<.\n%u\n.\nget-mark :1'; } | "
		"git fast-import --quiet",
		names[agent], draw(1000), n);

	if (!m->agents[agent].there) {
		a->request = str_format("{'cmd':'submit','agent':'%s','commit':'%040d'}",
					names[agent], 1);
		a->refused = "not_found";
		return;
	}
	sh(u, script, commit);
	a->request =
		str_format("{'cmd':'submit','agent':'%s','commit':'%s'}", names[agent], commit);
	(void)add_proposal(&a->then, agent, commit);
	a->points = submit_points;
}

/* Why a verdict on it is refused; NULL: it is not. */
static const char *refusal(const struct model *m, int id, bool approve)
{
	const struct model_proposal *p = &m->proposals[id];

	if (is_open(p))
		return NULL;
	if (approve && (strcmp(p->state, "deployed") == 0 || strcmp(p->state, "failed") == 0))
		return NULL;
	if (!approve && strcmp(p->state, "denied") == 0)
		return NULL;
	return strcmp(p->state, "stale") == 0 || strcmp(p->state, "superseded") == 0
		       ? p->state
		       : "wrong_state";
}

/* What it is when the deploy goes as planned, and when it fails. */
static void put_deploy(struct attempt *a, int id, bool good)
{
	a->deploys = true;
	a->failed = a->good = a->then;
	deploy(&a->failed, id, false);
	deploy(&a->good, id, true);
	deploy(&a->then, id, good);
	a->points = good ? good_points : bad_points;
}

static void plan_verdict(struct hive_unit *u, const struct model *m, struct attempt *a,
			 bool approve)
{
	int id = m->last - (int)draw(4);
	const struct model_proposal *p = &m->proposals[id > 0 ? id : 0];

	if (id < 1) {
		a->request = str_format("{'cmd':'approve','id':%d}", m->last + 1);
		a->refused = "not_found";
		return;
	}
	a->refused = refusal(m, id, approve);
	if (p->commit[0] && draw(10) == 0) {
		a->request = str_format("{'cmd':'%s','id':%d,'commit':'%040d'}",
					approve ? "approve" : "deny", id, 7);
		a->refused = "stale";
		return;
	}
	a->request =
		str_format("{'cmd':'%s','id':%d%s%s%s%s}", approve ? "approve" : "deny", id,
			   p->commit[0] ? ",'commit':'" : "", p->commit,
			   p->commit[0] ? "'" : "",
			   approve ? ",'wait':true,'flags_ack':['history-rewritten']" : "");
	if (a->refused || !is_open(p))
		return;
	if (approve) {
		put_deploy(a, id, !plan_fault(u, a, p->commit, m->agents[p->agent].running));
	} else {
		a->then.proposals[id].state = "denied";
		a->points = deny_points;
	}
}

static void plan_rollback(struct hive_unit *u, const struct model *m, int agent,
			  struct attempt *a)
{
	int to = -1, id;

	for (int tries = 0; tries < 8 && to < 0; tries++) {
		id = (int)draw((unsigned)m->last + 1);
		if (m->agents[agent].was[id] && id != m->agents[agent].deployed)
			to = id;
	}
	a->request = str_format("{'cmd':'rollback','name':'%s','to':%d,'wait':true}",
				names[agent], to < 0 ? m->agents[agent].deployed : to);
	if (!m->agents[agent].there || to < 0) {
		a->refused = m->agents[agent].there ? "wrong_state" : "not_found";
		return;
	}
	id = add_proposal(&a->then, agent, "");
	a->middle = a->then;
	put_deploy(a, id, !plan_fault(u, a, "", true));
}

static void plan_power(const struct model *m, int agent, struct attempt *a)
{
	bool start = draw(2);

	a->request = str_format("{'cmd':'%s','name':'%s','wait':true}",
				start ? "start" : "stop", names[agent]);
	a->refused = m->agents[agent].there ? NULL : "not_found";
	if (m->agents[agent].there)
		a->then.agents[agent].running = start;
}

static void plan_setting(const struct model *m, int agent, struct attempt *a)
{
	bool large = draw(2);

	a->refused = m->agents[agent].there ? NULL : "not_found";
	if (draw(2)) {
		a->request = str_format("{'cmd':'set_paused','name':'%s','paused':%s}",
					names[agent], large ? "true" : "false");
		a->then.agents[agent].paused = large && m->agents[agent].there;
		return;
	}
	a->request = str_format("{'cmd':'set','name':'%s','settings':{'memory_max':'%dG'}}",
				names[agent], large ? 2 : 1);
	a->then.agents[agent].large = large && m->agents[agent].there;
}

static void plan_birth(const struct model *m, int agent, struct attempt *a)
{
	struct model_agent *then = &a->then.agents[agent];
	const struct model_agent *now = &m->agents[agent];

	a->request = str_format("{'cmd':'spawn','name':'%s','memory_max':'1G','wait':true}",
				names[agent]);
	a->refused = now->there ? "exists" : NULL;
	if (now->there)
		return;
	*then = now->ever ? *now : (struct model_agent){.was[0] = true};
	then->there = then->ever = then->running = true;
	then->paused = then->large = false;
}

static void plan_death(const struct model *m, int agent, struct attempt *a)
{
	a->request = str_format("{'cmd':'destroy','name':'%s','wait':true}", names[agent]);
	a->refused = m->agents[agent].there ? NULL : "not_found";
	if (!m->agents[agent].there)
		return;
	a->then.agents[agent].there = false;
	close_open(&a->then, agent, "cancelled");
}

static void plan(struct hive_unit *u, const struct model *m, struct attempt *a)
{
	int agent = (int)draw(AGENTS);

	a->then = a->middle = *m;
	a->points = no_points;
	switch (draw(20)) {
	case 0:
	case 1:
		plan_birth(m, agent, a);
		return;
	case 2:
		if (draw(3) == 0) {
			plan_death(m, agent, a);
			return;
		}
		plan_setting(m, agent, a);
		return;
	case 3:
		plan_setting(m, agent, a);
		return;
	case 4:
	case 5:
		plan_power(m, agent, a);
		return;
	case 6:
	case 7:
		plan_rollback(u, m, agent, a);
		return;
	case 8:
	case 9:
		plan_verdict(u, m, a, false);
		return;
	case 10:
	case 11:
	case 12:
	case 13:
	case 14:
		plan_verdict(u, m, a, true);
		return;
	default:
		plan_submit(u, m, agent, a);
		return;
	}
}

static void answered(const struct attempt *a, json_t *answer)
{
	const char *code = text_of(answer, "code");
	_cleanup_free_ char *text = json_line(answer);
	bool ok = json_is_true(json_object_get(answer, "ok"));

	/* a deploy that failed is said so, and done all the same */
	if (a->refused ? strcmp(code, a->refused) != 0
		       : !ok && strcmp(code, "build_failed") != 0 &&
				 strcmp(code, "deploy_failed") != 0)
		fail_msg("%s: %s was expected: %s", a->what, a->refused ? a->refused : "ok",
			 text);
	json_decref(answer);
}

/* Asks with death waiting at a point; whether it came. */
static bool ask_and_die(struct hive_unit *u, struct attempt *a)
{
	_cleanup_free_ char *file = str_format("%s/crash", u->dir);

	size_t n = 0;

	while (a->points[n])
		n++;
	put(u, "crash", a->points[draw((unsigned)n)]);
	ask_into_the_void(u, a->request);
	if (access(file, F_OK) == 0) {
		(void)unlink(file);
		return false;
	}
	if (waitpid(u->daemon, NULL, 0) != u->daemon)
		fail_msg("%s: nothing died", a->what);
	u->daemon = 0;
	hive_crash(u);
	if (a->deploys && !a->fault && draw(2)) {
		/* what could be built a moment ago cannot be any more */
		a->fault = "fail-build";
		put(u, a->fault, "no room");
	}
	hive_start(u);
	return true;
}

static bool one(struct hive_unit *u, struct model *m, int64_t seed, int n)
{
	struct attempt *a = mem_new(1, sizeof(*a));
	bool died = false;
	struct model others[4];

	plan(u, m, a);
	snprintf(a->what, sizeof(a->what), "SKEP_SEED=%lld, operation %d: %.50s",
		 (long long)seed, n, a->request);
	if (a->points[0] && draw(3) > 0)
		died = ask_and_die(u, a);
	else
		answered(a, hive_ask(u, "%s", a->request));
	others[0] = *m;
	others[1] = a->middle;
	others[2] = a->failed;
	others[3] = a->good;
	*m = a->then;
	compare(u, m, others, !died ? 0 : a->deploys ? 4 : 2, a->what);
	if (a->fault) {
		_cleanup_free_ char *path = str_format("%s/%s", u->dir, a->fault);

		(void)unlink(path);
	}
	if (draw(40) == 0) {
		hive_crash(u);
		hive_start(u);
		compare(u, m, NULL, 0, "killed while nothing was going on");
	}
	free(a->request);
	free(a);
	return died;
}

static int64_t from_environment(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);
	int64_t n = otherwise;

	if (text && !text_to_number(text, 1, INT64_MAX, &n))
		fail_msg("%s is no number: '%s'", name, text);
	return n;
}

static void assert_record(struct hive_unit *u)
{
	assert_audit(u);
	assert_true(is_record_whole(u));
}

static void test_random(void **state)
{
	int64_t left = from_environment("SKEP_OPERATIONS", OF_ONE_HIVE);
	int64_t seed = from_environment("SKEP_SEED", clock_boot_ms() + 1), deaths = 0;

	(void)state;
	if (access("/dev/shm", W_OK) == 0)
		hive_place = "/dev/shm"; /* what is synced there is synced at once */
	for (; left > 0; left -= OF_ONE_HIVE, seed++) {
		struct model *m = mem_new(1, sizeof(*m));
		struct hive_unit u = {};

		chance = (uint64_t)seed * 0x9e3779b97f4a7c15u + 1;
		print_message("# SKEP_SEED=%lld, %lld operations to go, killed %lld times\n",
			      (long long)seed, (long long)left, (long long)deaths);
		hive_up(&u);
		put(&u, "keep-world", "");
		for (int n = 0; n < OF_ONE_HIVE && n < left; n++)
			deaths += one(&u, m, seed, n);
		assert_record(&u);
		hive_down(&u);
		free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
