/*
 * Kills a hive at every call by which it changes something, in every way trace.h knows, and at
 * calls of the start that follows. Whatever is left, the next start brings it to rest: the
 * record is whole (`oracle`), what was answered is there, what was not is as if never asked for
 * or done, and asked again it ends as it would have without a death.
 *
 * CRASH_POINTS: how many, 0 for each place and way of dying once; CRASH_SEED; CRASH_POINT: one
 * alone, as it is printed.
 */
#include "hive.h"
#include "life.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MAX 64
#define STILL_MS 120
#define AFTER 8    /* places of death behind an answer */
#define AGAIN_IN 4 /* one point of so many dies in the next start as well */

struct sweep {
	char top[64]; /* of everything */
	char skepd[512], oracle[512];
	struct {
		long starting, asking; /* calls */
		char *after;           /* what the oracle says at the end of the step */
		char *before;
		char word[256];
	} steps[STEPS_MAX];
};

/* Shared among the processes that sweep. */
struct tally {
	atomic_long next, done, struck, acknowledged, twice, violations, microseconds, slowest;
	atomic_long by_death[DEATHS];
};

struct point {
	size_t step;
	bool starting; /* in the start before the request, not over that */
	long at;
	enum death how;
	long again; /* call of the start afterwards; 0: that one is left alone */
	enum death again_how;
	uint64_t chance;
};

/* ---- a life without deaths ---- */

static char *request_with(size_t step, const char *word)
{
	struct buf out = {};

	for (const char *c = life[step].request; *c; c++) {
		if (*c == '@')
			buf_add_str(&out, word);
		else
			buf_add_char(&out, *c);
	}
	buf_add_str(&out, "");
	return buf_take(&out);
}

static char *request_of(const struct sweep *sweep, size_t step)
{
	return request_with(step, sweep->steps[step].word);
}

static char *base_of(const struct sweep *sweep, size_t step)
{
	return str_format("%s/base-%zu", sweep->top, step);
}

static void hive_new(struct hive *h, const struct sweep *sweep, int number)
{
	*h = (struct hive){.sweep = sweep,
			   .skepd = sweep->skepd,
			   .oracle = sweep->oracle,
			   .trace = trace_new()};
	if (!h->trace)
		give_up("mmap");
	snprintf(h->dir, sizeof(h->dir), "%s/hive-%d", sweep->top, number);
	snprintf(h->rest, sizeof(h->rest), "%s/rest-%d", sweep->top, number);
}

/* What is asked for, and what it comes to. */
static void live(struct hive *h, size_t step)
{
	bool whole;
	_cleanup_free_ char *request = NULL, *answer = NULL;

	if (!life[step].request)
		return;
	request = request_of(h->sweep, step);
	answer = ask(h, request, life[step].document, &whole);
	if (!whole || (!strstr(answer, "\"ok\":true") && !strstr(answer, "_failed\"")))
		blame(h, "%s: %s", request, answer);
}

/* Those until now, and what follows by itself. */
static long count_calls(struct hive *h, int64_t ms)
{
	long n;

	usleep((useconds_t)ms * 1000);
	h->trace->armed = false;
	n = h->trace->calls;
	h->trace->calls = 0;
	return n;
}

static void first_life(struct sweep *sweep)
{
	struct hive h;

	hive_new(&h, sweep, 0);
	if (mkdir(h.dir, 0755) < 0)
		give_up(h.dir);
	{
		_cleanup_buf_ struct buf out = {};

		(void)run_script(h.dir,
				 "mkdir applied meta logs audit proposed; touch keep-world",
				 &out);
	}
	for (size_t step = 0; step < life_steps; step++) {
		_cleanup_free_ char *base = base_of(sweep, step);
		_cleanup_buf_ struct buf out = {};

		if (life[step].before && run_script(h.dir, life[step].before, &out) != 0)
			blame(&h, "%s: %s", life[step].name, buf_str(&out));
		if (life[step].before)
			(void)sscanf(buf_str(&out), "%255s", sweep->steps[step].word);
		copy_tree(h.dir, base);
		hive_start(&h, NULL, 0, true, DEATH_BEFORE, 0);
		if (!hive_serves(&h))
			blame(&h, "%s: it does not serve", life[step].name);
		sweep->steps[step].starting = count_calls(&h, STILL_MS);
		sweep->steps[step].before = come_to_rest(&h, "before", false);
		h.trace->armed = true;
		live(&h, step);
		sweep->steps[step].asking = count_calls(&h, STILL_MS);
		sweep->steps[step].after = come_to_rest(&h, "afterwards", false);
		hive_kill(&h);
		if (h.problem[0]) {
			printf("Bail out! '%s': %s\n", life[step].name, h.problem);
			exit(1);
		}
		printf("# %-28s %4ld calls to start, %4ld to do it\n", life[step].name,
		       sweep->steps[step].starting, sweep->steps[step].asking);
	}
	(void)fflush(stdout);
	trace_free(h.trace);
}

/* ---- a death ---- */

enum look {
	LOOK_ALL,    /* what was written down of requests as well */
	LOOK_RECORD, /* not that: what is asked again is written down again */
	LOOK_RUNS,   /* only what is wanted and what runs */
};

static char *look_at(const char *told, enum look look)
{
	struct buf out = {};

	for (const char *line = told, *end; *line; line = end) {
		bool runs = strncmp(line, "agent ", 6) == 0;
		bool audit = strncmp(line, "audit ", 6) == 0;

		end = strchrnul(line, '\n');
		end += *end == '\n';
		if (look == LOOK_ALL || (look == LOOK_RECORD && !audit) || runs)
			buf_add(&out, line, (size_t)(end - line));
	}
	buf_add_str(&out, "");
	return buf_take(&out);
}

static bool same(const char *a, const char *b, enum look look)
{
	_cleanup_free_ char *x = look_at(a, look), *y = look_at(b, look);

	return strcmp(x, y) == 0;
}

/* The lines that only one of the two has. */
static char *difference(const char *is, const char *should)
{
	const char *sides[2][3] = {{is, should, "is"}, {should, is, "should be"}};
	struct buf out = {};

	for (size_t i = 0; i < 2; i++)
		for (const char *line = sides[i][0], *end; *line; line = end) {
			_cleanup_free_ char *text = NULL;

			end = strchrnul(line, '\n');
			end += *end == '\n';
			text = str_format("%.*s", (int)(end - line), line);
			if (!strstr(sides[i][1], text))
				buf_addf(&out, "#   %s %s", sides[i][2], text);
		}
	buf_add_str(&out, "");
	return buf_take(&out);
}

static void blame_difference(struct hive *h, const char *what, const char *is,
			     const char *should)
{
	_cleanup_free_ char *lines = difference(is, should);

	blame(h, "%s:\n%s", what, lines);
}

/* The start after a death, with another death in it where one is wanted. */
static void start_after(struct hive *h, const struct point *p, struct tally *tally)
{
	int64_t began = clock_boot_usec(), took;

	if (p->again > 0) {
		hive_start(h, NULL, p->again, true, p->again_how, p->chance + 1);
		if (hive_serves(h))
			usleep(1000 * (useconds_t)(p->chance % 40));
		tally->twice += h->trace->struck;
		hive_kill(h);
		began = clock_boot_usec();
	}
	hive_start(h, NULL, 0, false, DEATH_BEFORE, 0);
	if (!hive_serves(h))
		blame(h, "it does not start again");
	took = clock_boot_usec() - began;
	tally->microseconds += took;
	if (took > tally->slowest)
		tally->slowest = took;
}

static void judge(struct hive *h, const struct point *p, bool answered)
{
	const char *before = h->sweep->steps[p->step].before;
	const char *after = h->sweep->steps[p->step].after;
	/* what was not waited for is written down when it ends */
	bool waited = life[p->step].request && strstr(life[p->step].request, "'wait':true");
	bool whole;
	char word[256] = "";
	_cleanup_free_ char *told = come_to_rest(h, "after the start", life[p->step].request),
			    *again = NULL, *first = NULL, *second = NULL, *request = NULL;

	if (!told)
		return;
	if (answered && !same(told, after, waited ? LOOK_ALL : LOOK_RECORD))
		blame_difference(h, "it was answered", told, after);
	if (!same(told, before, LOOK_RUNS) && !same(told, after, LOOK_RUNS))
		blame_difference(h, "it is neither as before nor done", told, after);
	if (h->problem[0] || !life[p->step].request)
		return;
	if (life[p->step].document) { /* it goes by what it finds */
		_cleanup_buf_ struct buf out = {};

		(void)run_script(h->dir, life[p->step].before, &out);
		(void)sscanf(buf_str(&out), "%255s", word);
	}
	request = request_with(p->step, word[0] ? word : h->sweep->steps[p->step].word);
	first = ask(h, request, life[p->step].document, &whole);
	again = come_to_rest(h, "asked again", false);
	if (again && !same(again, after, life[p->step].loose ? LOOK_RUNS : LOOK_RECORD))
		blame_difference(h, first, again, after);
	if (h->problem[0] || !strstr(request, "idem_key"))
		return;
	second = ask(h, request, life[p->step].document, &whole);
	free(TAKE_PTR(first));
	first = ask(h, request, life[p->step].document, &whole);
	if (strcmp(first, second) != 0)
		blame(h, "the same key has two answers: %s %s", first, second);
}

static void show_point(char out[200], const struct point *p)
{
	snprintf(out, 200, "%zu:%d:%ld:%d:%ld:%d:%" PRIu64, p->step, p->starting, p->at, p->how,
		 p->again, p->again_how, p->chance);
}

static bool parse_point(const char *text, struct point *p)
{
	int starting, how, again_how;
	bool good = sscanf(text, "%zu:%d:%ld:%d:%ld:%d:%" SCNu64, &p->step, &starting, &p->at,
			   &how, &p->again, &again_how, &p->chance) == 7;

	p->starting = starting;
	p->how = (enum death)how;
	p->again_how = (enum death)again_how;
	return good && p->step < life_steps && how >= 0 && how < DEATHS && again_how >= 0 &&
	       again_how < DEATHS;
}

static void die(struct hive *h, const struct point *p, struct tally *tally)
{
	_cleanup_free_ char *base = base_of(h->sweep, p->step), *answer = NULL, *request = NULL;
	bool answered = false;
	char shown[200];

	h->problem[0] = '\0';
	replace_tree(base, h->dir);
	hive_start(h, base, p->at, p->starting, p->how, p->chance);
	if (!hive_serves(h) && !p->starting)
		blame(h, "it does not start");
	if (!p->starting && !h->problem[0]) {
		request = request_of(h->sweep, p->step);
		h->trace->armed = true;
		answer = ask(h, request, life[p->step].document, &answered);
	}
	/* a child's death alone is a failure that is told */
	if (p->how == DEATH_ALONE && answered && !strstr(answer, "\"ok\":true"))
		answered = false;
	hive_kill(h);
	tally->struck += h->trace->struck;
	tally->acknowledged += answered;
	tally->by_death[p->how]++;
	start_after(h, p, tally);
	if (!h->problem[0])
		judge(h, p, answered);
	hive_kill(h);
	if (!h->problem[0])
		return;
	tally->violations++;
	show_point(shown, p);
	printf("# CRASH_POINT=%s ('%s', %s, call %ld%s of %d%s): %s\n#\n", shown,
	       life[p->step].name, death_name(p->how), p->at,
	       p->starting ? " of the start" : "", (int)h->trace->number,
	       p->again ? ", and once more" : "", h->problem);
	(void)fflush(stdout);
}

/* ---- all of them ---- */

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Past the last call as well: the death of what is done. */
static long places_of(const struct sweep *sweep, size_t step, bool starting)
{
	if (starting)
		return sweep->steps[step].starting;
	return life[step].request ? sweep->steps[step].asking + AFTER : 0;
}

static long count_places(const struct sweep *sweep)
{
	long n = 0;

	for (size_t step = 0; step < life_steps; step++)
		n += places_of(sweep, step, true) + places_of(sweep, step, false);
	return n;
}

static void find_place(const struct sweep *sweep, long place, struct point *p)
{
	for (p->step = 0;; p->step++)
		for (int starting = 1; starting >= 0; starting--) {
			long n = places_of(sweep, p->step, starting);

			p->starting = starting;
			p->at = place + 1;
			if (place < n)
				return;
			place -= n;
		}
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	return b ? common_divisor(b, a % b) : a;
}

/* Steps of the golden section come everywhere soon, and to everything in the end. */
static uint64_t stride_of(uint64_t all)
{
	uint64_t stride = (uint64_t)((double)all * 0.6180339887);

	while (common_divisor(stride, all) > 1)
		stride++;
	return stride;
}

/* The number-th: no place and way of dying comes a second time before all have come; one in
 * AGAIN_IN dies in the next start as well. */
static void choose(const struct sweep *sweep, uint64_t seed, long number, struct point *p)
{
	uint64_t chance = mix(mix(seed) + (uint64_t)number);
	uint64_t all = (uint64_t)count_places(sweep) * DEATHS;
	uint64_t which = (seed % all + (uint64_t)number % all * stride_of(all)) % all;

	*p = (struct point){.chance = chance >> 8};
	find_place(sweep, (long)(which / DEATHS), p);
	p->how = (enum death)(which % DEATHS);
	if (mix(chance) % AGAIN_IN > 0)
		return;
	p->again_how = (enum death)(mix(chance + 1) % DEATHS);
	p->again = 1 + (long)(mix(chance + 2) % (uint64_t)(sweep->steps[p->step].starting + 8));
}

static int64_t from_environment(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);
	int64_t n = otherwise;

	if (text && !text_to_number(text, 0, INT64_MAX, &n))
		give_up(name);
	return n;
}

static void sweep_some(const struct sweep *sweep, struct tally *tally, int number, long points,
		       uint64_t seed)
{
	struct hive h;

	hive_new(&h, sweep, number);
	for (long i; (i = tally->next++) < points;) {
		struct point p;

		choose(sweep, seed, i, &p);
		die(&h, &p, tally);
		if (++tally->done % 500 == 0) {
			printf("# %ld of %ld points, %ld violations\n", (long)tally->done,
			       points, (long)tally->violations);
			(void)fflush(stdout);
		}
	}
}

static void sweep_all(const struct sweep *sweep, struct tally *tally, long points,
		      uint64_t seed)
{
	int64_t n = from_environment("CRASH_JOBS", 2);

	for (int i = 0; i < n; i++) {
		(void)fflush(stdout);
		if (fork() != 0)
			continue;
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		sweep_some(sweep, tally, i + 1, points, seed);
		_exit(0);
	}
	while (wait(NULL) > 0) {
		/* the others */
	}
}

static void report(const struct tally *tally)
{
	printf("# %ld points: %ld at a call, %ld after the last one; %ld were answered before; "
	       "%ld died in the next start as well\n# ",
	       (long)tally->done, (long)tally->struck, (long)(tally->done - tally->struck),
	       (long)tally->acknowledged, (long)tally->twice);
	for (int i = 0; i < DEATHS; i++)
		printf("%s %ld%s", death_name((enum death)i), (long)tally->by_death[i],
		       i < DEATHS - 1 ? ", " : "\n");
	printf("# started again in %.1f ms, %.1f at most\n# %ld violations\n",
	       tally->done ? (double)tally->microseconds / 1000 / (double)tally->done : 0.0,
	       (double)tally->slowest / 1000, (long)tally->violations);
}

int main(void)
{
	static struct sweep sweep;
	struct tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_cleanup_free_ char *program_dir = file_program_dir();
	const char *one = getenv("CRASH_POINT");
	uint64_t seed = (uint64_t)from_environment("CRASH_SEED", clock_wall_s());
	long points = from_environment("CRASH_POINTS", 500);

	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(022);
	snprintf(sweep.oracle, sizeof(sweep.oracle), "%s/../../tests/crash/oracle",
		 program_dir);
	snprintf(sweep.skepd, sizeof(sweep.skepd), "%s/../skepd", program_dir);
	/* in memory, where no two files ever have the same inode */
	snprintf(sweep.top, sizeof(sweep.top), "/dev/shm/skep-sweep-XXXXXX");
	if (tally == MAP_FAILED || !mkdtemp(sweep.top))
		give_up(sweep.top);
	printf("1..1\n# CRASH_SEED=%" PRIu64 "\n", seed);
	first_life(&sweep);
	printf("# %ld places of death, %d deaths\n", count_places(&sweep), DEATHS);
	if (points == 0)
		points = count_places(&sweep) * DEATHS;
	if (one) {
		struct point p;
		struct hive h;

		if (!parse_point(one, &p))
			give_up("CRASH_POINT");
		hive_new(&h, &sweep, 1);
		die(&h, &p, tally);
		tally->done++;
	} else {
		sweep_all(&sweep, tally, points, seed);
	}
	report(tally);
	if (!getenv("CRASH_KEEP"))
		(void)file_remove_tree(AT_FDCWD, sweep.top, NULL);
	printf("%sok 1 - crash sweep\n", tally->violations ? "not " : "");
	return tally->violations != 0;
}
