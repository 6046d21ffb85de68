/*
 * A hive whose system calls fail: the n-th write, sync, new file, rename, mode, read or
 * descriptor of one step of its life, in the daemon or in a worker of it, once or from there on
 * until it is mended. Whatever was answered with ok is there; whatever was not is done when it
 * is asked for again, mostly by the same process; and a script reads the record with git alone
 * (tests/crash/oracle).
 *
 * SKEP_FAULTS: how many, drawn at random, SKEP_SEED: of the drawing; or "all": every one,
 * SKEP_STEP: of that step alone.
 */
#include "hive_faults.h"

#include "base/text.h"
#include "control/worker.h"

#include <dlfcn.h>
#include <event2/event.h>
#include <limits.h>

#define SOME 40 /* without SKEP_FAULTS */
#define SEED 1
#define OF_ONE_HIVE 12   /* every import is a pack more, and every pack more calls */
#define MEMORY_STRIDE 37 /* allocations are too many for every one */
#define PLAN_FD 200      /* where workers find the plan, in their parent */
#define STUCK_S 120
#define MEND_TRIES 40

/* ---- the daemon's side ---- */

static int plan_fd = -1;

static struct fault_plan *map_plan(int fd)
{
	struct fault_plan *p =
		mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void in_daemon(struct hive *hive)
{
	static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
	_cleanup_free_ char *path = str_format("%s/stderr", hive->config->state_dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	(void)dup2(fd, STDERR_FILENO);
	(void)close(fd);
	(void)dup2(plan_fd, PLAN_FD);
	zygote_free(hive->workers);
	hive->workers = zygote_new("/proc/self/exe", "skepd");
	/* what the test's framework would make of them is nobody's here */
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		(void)signal(deadly[i], SIG_DFL);
	faulty_here(map_plan(PLAN_FD));
}

/* A worker: this program again, that finds the plan in its parent. */
static int be_worker(int argc, char **argv)
{
	_cleanup_free_ char *path = str_format("/proc/%d/fd/%d", (int)getppid(), PLAN_FD);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	faulty_here(map_plan(fd));
	return worker_main(argc, argv);
}

/* Who tries again in a few seconds does so in a few moments. */
int event_add(struct event *event, const struct timeval *after)
{
	int (*real)(struct event * event, const struct timeval *after) =
		(int (*)(struct event *, const struct timeval *))dlsym(RTLD_NEXT, "event_add");
	struct timeval soon;

	if (fault_plan && after && after->tv_sec >= 1 && after->tv_sec <= 8) {
		soon = (struct timeval){.tv_usec = after->tv_sec * 20000};
		after = &soon;
	}
	return real(event, after);
}

/* ---- asking ---- */

static bool is_ok(const json_t *answer)
{
	return json_is_true(json_object_get(answer, "ok"));
}

/* Whether what was asked for is in the record, as git sees it. */
static bool is_there(struct scene *s)
{
	char out[256];

	sh(s->u, s->proof, out);
	return strcmp(out, "yes") == 0;
}

/* What goes wrong. */
static const struct trouble {
	const char *name;
	enum fault_kind kind;
	int errnum;
	bool lasts;
} troubles[] = {
	{"no room for a write", FAULT_WRITE, ENOSPC, false},
	{"half a write", FAULT_WRITE, FAULT_SHORT, false},
	{"a write that fails", FAULT_WRITE, EIO, false},
	{"a sync that fails", FAULT_SYNC, EIO, false},
	{"no room for a name", FAULT_CREATE, ENOSPC, false},
	{"a rename that fails", FAULT_NAME, EIO, false},
	{"a mode that fails", FAULT_CHANGE, EIO, false},
	{"a read that fails", FAULT_READ, EIO, false},
	{"half a read", FAULT_READ, FAULT_SHORT, false},
	{"no descriptor", FAULT_OPEN, EMFILE, false},
	{"a signal", FAULT_TALK, EINTR, false},
	{"a full disk", FAULT_WRITE | FAULT_CREATE, ENOSPC, true},
	{"a read-only disk", FAULT_WRITE | FAULT_CREATE | FAULT_NAME | FAULT_CHANGE, EROFS,
	 true},
	{"no descriptors", FAULT_OPEN, EMFILE, true},
	{"no memory", FAULT_MEMORY, ENOMEM, false},
};

/* ---- one fault ---- */

/* Whether the daemon is gone; how it ended must be its own decision. */
static bool has_ended(struct scene *s)
{
	int status = 0;

	if (waitpid(s->u->daemon, &status, WNOHANG) != s->u->daemon)
		return false;
	s->u->daemon = 0;
	/* without memory it ends like this, or libgit2 does */
	if (WIFSIGNALED(status) && !(s->plan->kinds & FAULT_MEMORY))
		fail_msg("the daemon died of signal %d after %s", WTERMSIG(status),
			 s->plan->where);
	return true;
}

static void launch_again(struct scene *s)
{
	hive_crash(s->u);
	hive_start(s->u);
}

static void assert_record(struct scene *s)
{
	char out[256];

	launch_again(s);
	assert_audit(s->u);
	for (int i = 0; i < 300; i++) {
		sh(s->u,
		   "git -C applied/alice/.git for-each-ref --format='%(refname)' | awk -F/ "
		   "'$3 == \"approved\" { a[$4] } $3 ~ /^(deployed|failed|stale|cancelled)$/ "
		   "{ o[$4] } END { for (n in a) if (!(n in o)) b = 1; print b ? \"busy\" : "
		   "\"rest\" }'",
		   out);
		if (strcmp(out, "rest") == 0)
			break;
		usleep(20000);
	}
	await_agent(s->u, "alice", "running");
	if (!is_record_whole(s->u))
		fail_msg("the record is not whole after %s", s->plan->where);
}

/* Whether memory ran out just before it was given back: the end of that takes a moment. */
static bool has_run_out(struct scene *s)
{
	bool ended = false;

	for (int i = 0; i < 50 && !ended && s->plan->kinds & FAULT_MEMORY; i++) {
		ended = has_ended(s);
		usleep(10000);
	}
	return ended;
}

/* Without faults it can be had. */
static void mend(struct scene *s, const struct step *step)
{
	_cleanup_free_ char *text = NULL;

	for (int i = 0; i < MEND_TRIES; i++) {
		json_t *answer = ask(s, s->request);

		if (!answer && has_run_out(s)) {
			launch_again(s);
			continue;
		}
		if (!answer)
			fail_msg("the daemon hung up on a healthy day after %s",
				 s->plan->where);
		free(text);
		text = json_line(answer);
		json_decref(answer);
		if (is_there(s))
			break;
		age_locks(s);
		usleep(50000);
	}
	if (!is_there(s))
		fail_msg("%s cannot be had any more after %s: %s", step->name, s->plan->where,
			 text);
	if (!step->deploys)
		return;
	for (int i = 0; i < 500; i++) {
		char now[256];

		state_of(s->u, s->id, now);
		if (strcmp(now, "deployed") == 0 || strcmp(now, "failed") == 0)
			return;
		age_locks(s);
		usleep(20000);
	}
	fail_msg("a deploy has no end after %s", s->plan->where);
}

static void strike_start(struct scene *s)
{
	bool serves;

	hive_crash(s->u);
	serves = hive_launch(s->u);
	/* a full disk is not full for ever */
	(void)fault_disarm(s->plan);
	if (!serves) {
		(void)waitpid(s->u->daemon, NULL, 0);
		s->u->daemon = 0;
	}
	if (!serves || has_ended(s))
		launch_again(s);
}

static void strike_request(struct scene *s, const struct step *step)
{
	json_t *answer = ask(s, s->request);

	(void)fault_disarm(s->plan);
	if (!answer)
		for (int i = 0; i < 50 && !has_ended(s); i++)
			usleep(10000);
	if (answer && is_ok(answer) && !is_there(s)) {
		_cleanup_free_ char *text = json_line(answer);

		fail_msg("%s is not there after %s: %s", step->name, s->plan->where, text);
	}
	if (answer && !is_ok(answer) && !json_string_value(json_object_get(answer, "error")))
		fail_msg("%s failed without a word after %s", step->name, s->plan->where);
	json_decref(answer);
	if (s->u->daemon == 0 || has_ended(s))
		launch_again(s);
}

static struct fault_plan *stuck_plan;

static void on_stuck(int signum)
{
	(void)signum;
	(void)!write(STDERR_FILENO, "stuck after ", 12);
	(void)!write(STDERR_FILENO, stuck_plan->where, strlen(stuck_plan->where));
	(void)!write(STDERR_FILENO, "\n", 1);
	_exit(1);
}

/* Whether the after-th call came. */
static bool strike(struct scene *s, const struct step *step, const struct trouble *t,
		   long after)
{
	bool hit;

	(void)alarm(STUCK_S);
	step->prepare(s);
	fault_arm(s->plan, t->kind, t->errnum, t->lasts, after);
	if (step->recovers)
		strike_start(s);
	else
		strike_request(s, step);
	hit = s->plan->hits > 0;
	age_locks(s);
	if (!step->recovers)
		mend(s, step);
	if (step->cleanup) {
		_cleanup_free_ char *script = str_format("%s; echo x", step->cleanup);
		char out[256];

		sh(s->u, script, out);
	}
	if (step->prepare == prepare_spawn)
		hive_do(hive_ask(s->u, "{'cmd':'destroy','name':'bob','purge':true,'confirm':'"
				       "bob','wait':true}"));
	if (step->prepare == prepare_stop)
		hive_do(hive_ask(s->u, "{'cmd':'start','name':'alice','wait':true}"));
	free(TAKE_PTR(s->request));
	free(TAKE_PTR(s->proof));
	return hit;
}

/* ---- many ---- */

static void begin_hive(struct scene *s)
{
	hive_up(s->u);
	touch(s->u, "keep-world");
	spawn(s->u, "alice");
}

static void renew_hive(struct scene *s)
{
	assert_record(s);
	hive_down(s->u);
	begin_hive(s);
}

static uint64_t chance;

static long draw(long below)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return below > 0 ? (long)((chance >> 11) % (uint64_t)below) : 0;
}

/* How many calls of the trouble's kinds an undisturbed go at a step makes, about. */
static long calls_of(struct scene *s, size_t step, const struct trouble *t)
{
	static long counted[ARRAY_SIZE(steps)][FAULT_KINDS];
	static const struct trouble none = {.name = "nothing", .kind = FAULT_WRITE};
	long n = 0;

	if (!counted[step][0]) {
		(void)strike(s, &steps[step], &none, LONG_MAX);
		memcpy(counted[step], s->plan->counted, sizeof(counted[step]));
		counted[step][0]++;
	}
	for (unsigned i = 0; i < FAULT_KINDS; i++)
		if ((unsigned)t->kind & (1u << i))
			n += counted[step][i];
	return n;
}

static void strike_some(struct scene *s, int64_t n)
{
	long hits = 0;

	begin_hive(s);
	for (int64_t i = 1; i <= n; i++) {
		size_t step = (size_t)draw(ARRAY_SIZE(steps));
		const struct trouble *t = &troubles[draw(ARRAY_SIZE(troubles))];
		long calls = calls_of(s, step, t);

		hits += calls > 0 && strike(s, &steps[step], t, draw(calls));
		if (i % OF_ONE_HIVE == 0)
			renew_hive(s);
	}
	assert_record(s);
	hive_down(s->u);
	print_message("# %ld of them came\n", hits);
}

static long strike_every(struct scene *s, const struct step *step, const struct trouble *t)
{
	long n = 0, hits = 0;

	begin_hive(s);
	while (strike(s, step, t, n)) {
		n += t->kind == FAULT_MEMORY ? MEMORY_STRIDE : 1;
		if (++hits % OF_ONE_HIVE == 0)
			renew_hive(s);
	}
	assert_record(s);
	hive_down(s->u);
	print_message("# %s: %s, %ld times\n", step->name, t->name, hits);
	return hits;
}

static void strike_all(struct scene *s)
{
	const char *only = getenv("SKEP_STEP");
	long total = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		for (size_t j = 0; j < ARRAY_SIZE(troubles); j++)
			if (!only || strcmp(only, steps[i].name) == 0)
				total += strike_every(s, &steps[i], &troubles[j]);
	print_message("# %ld in all\n", total);
}

static void test_faults(void **state)
{
	const char *many = getenv("SKEP_FAULTS"), *seed = getenv("SKEP_SEED");
	int64_t n = SOME, first = SEED;
	struct hive_unit u = {};
	struct scene s = {.u = &u};

	(void)state;
	if (seed)
		assert_true(text_to_number(seed, 1, INT64_MAX, &first));
	plan_fd = memfd_create("plan", MFD_CLOEXEC);
	assert_int_equal(ftruncate(plan_fd, sizeof(struct fault_plan)), 0);
	s.plan = stuck_plan = map_plan(plan_fd);
	hive_prepare = in_daemon;
	(void)signal(SIGALRM, on_stuck);
	if (many && strcmp(many, "all") == 0) {
		strike_all(&s);
		return;
	}
	if (many)
		assert_true(text_to_number(many, 1, INT64_MAX, &n));
	chance = (uint64_t)first * 0x9e3779b97f4a7c15u + 1;
	print_message("# SKEP_SEED=%lld\n", (long long)first);
	strike_some(&s, n);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
	};

	if (argc == 2 && strcmp(argv[1], ZYGOTE_WORD) == 0) {
		worker_prepare();
		zygote_serve(&argc, &argv);
	}
	if (argc > 1 && worker_is_one(argv[1]))
		return be_worker(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
