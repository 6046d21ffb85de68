#include "skep-build/evaluate.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "git/commit.h"
#include "git/repo.h"
#include "nix/closure.h"
#include "nix/command.h"
#include "nix/flake.h"
#include "nix/lock.h"

#include "skep-build/confine.h"
#include "skep-build/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_USAGE 2
#define WALL_GRACE_S 60
/* Builds are the daemon's: what is counted here is the evaluation alone. */
#define EVALUATION_CPU_S 300
#define FILE_MAX_BYTES (4ull << 30)
#define INPUT_MAX_BYTES (1 << 20)
#define SILENT_S 900
#define CLOSURE_MAX_BYTES (16 << 20)
#define SCRATCH "flake"

/* For what is only locked, never built. */
static const char scratch_template[] =
	"{\n  inputs = {\n@INPUTS@\n  };\n  outputs = _: { };\n}\n";

struct options {
	int64_t uid, gid, owner, timeout_s, memory;
	const char *program, *dir, *cache, *meta, *ref, *commit, *agent, *system, *against;
};

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{"uid", required_argument, NULL, 'u'},
		{"gid", required_argument, NULL, 'g'},
		{"owner", required_argument, NULL, 'o'},
		{"timeout", required_argument, NULL, 't'},
		{"memory", required_argument, NULL, 'm'},
		{"program", required_argument, NULL, 'p'},
		{"dir", required_argument, NULL, 'd'},
		{"cache", required_argument, NULL, 'C'},
		{"meta", required_argument, NULL, 'M'},
		{"ref", required_argument, NULL, 'r'},
		{"system", required_argument, NULL, 's'},
		{"against", required_argument, NULL, 'A'},
		{"commit", required_argument, NULL, 'c'},
		{"agent", required_argument, NULL, 'a'},
		{},
	};
	const struct {
		int c;
		int64_t *number;
		const char **text;
	} fields[] = {
		{'u', &o->uid, NULL},       {'g', &o->gid, NULL},    {'o', &o->owner, NULL},
		{'t', &o->timeout_s, NULL}, {'m', &o->memory, NULL}, {'p', NULL, &o->program},
		{'d', NULL, &o->dir},       {'C', NULL, &o->cache},  {'M', NULL, &o->meta},
		{'r', NULL, &o->ref},       {'s', NULL, &o->system}, {'A', NULL, &o->against},
		{'c', NULL, &o->commit},    {'a', NULL, &o->agent},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		size_t i = 0;

		while (i < ARRAY_SIZE(fields) && fields[i].c != c)
			i++;
		if (i == ARRAY_SIZE(fields))
			return false;
		if (fields[i].text)
			*fields[i].text = optarg;
		else if (!text_to_number(optarg, 1, INT64_MAX, fields[i].number))
			return false;
	}
	return optind == argc && o->uid && o->gid && o->timeout_s && o->memory && o->program &&
	       o->dir && o->cache;
}

/* Nix alone, with nothing of the caller's environment, and nothing that it could take settings
 * from. */
static int run(const struct options *o, struct words *words, int out_fd, struct error *err)
{
	_cleanup_free_ char *bin = str_dup(o->program);
	_cleanup_words_ struct words env = {};
	const char *const constant[] = {
		"NIX_REMOTE=daemon",
		"NIX_USER_CONF_FILES=/dev/null",
		"LANG=C.UTF-8",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_SSH_COMMAND=/bin/false",
		"TERM=dumb",
	};
	const struct {
		const char *format, *value;
	} dirs[] = {
		{"HOME=%s/home", o->dir},           {"XDG_CONFIG_HOME=%s/empty", o->dir},
		{"XDG_DATA_HOME=%s/empty", o->dir}, {"XDG_STATE_HOME=%s/rw", o->dir},
		{"TMPDIR=%s/rw", o->dir},           {"XDG_CACHE_HOME=%s", o->cache},
	};
	_cleanup_free_ char *path = NULL;

	*strrchr(bin, '/') = '\0';
	path = str_format("PATH=%s:/usr/bin:/bin:/run/current-system/sw/bin", bin);
	words_add(&env, path);
	for (size_t i = 0; i < ARRAY_SIZE(constant); i++)
		words_add(&env, constant[i]);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_buf_ struct buf text = {};
		const char *at = strstr(dirs[i].format, "%s");

		buf_add(&text, dirs[i].format, (size_t)(at - dirs[i].format));
		buf_add_str(&text, dirs[i].value);
		buf_add_str(&text, at + 2);
		words_add(&env, buf_str(&text));
	}
	return supervise(words->items, env.items, out_fd, o->timeout_s, err);
}

/* ---- one agent's system ---- */

static int read_lock(const struct options *o, struct lock **ret, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_buf_ struct buf text = {};
	int r = repo_open_as(o->meta, (uid_t)o->owner, &repo, err);

	if (r == 0)
		r = commit_read_file(repo, o->commit, "flake.lock", LOCK_MAX_BYTES, &text, err);
	return r < 0 ? r : lock_parse(buf_str(&text), text.size, ret, err);
}

static int build(const struct options *o, struct error *err)
{
	_cleanup_(lock_freep) struct lock *lock = NULL;
	_cleanup_free_ char *link = str_format("%s/rw/result", o->dir), *uris = NULL;
	_cleanup_words_ struct words words = {};
	int r = read_lock(o, &lock, err);

	if (r < 0)
		return r;
	uris = nix_allowed_uris(lock, o->agent);
	nix_build_words(&(struct nix_build){.program = o->program,
					    .meta_dir = o->meta,
					    .ref = o->ref,
					    .commit = o->commit,
					    .agent = o->agent,
					    .out_link = link,
					    .allowed_uris = uris,
					    .timeout_s = o->timeout_s,
					    .silent_s = SILENT_S},
			&words);
	return run(o, &words, -1, err);
}

/* ---- the inputs that are no agents ---- */

static int write_scratch(const struct flake *flake, const char *lock, struct error *err)
{
	_cleanup_close_ int fd = open(SCRATCH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	int r;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '" SCRATCH "'");
	r = flake_render(scratch_template, flake, &text, err);
	if (r == 0)
		r = file_write_atomic(fd, "flake.nix", text, strlen(text), 0644, err);
	if (r == 0 && lock && *lock)
		r = file_write_atomic(fd, "flake.lock", lock, strlen(lock), 0644, err);
	return r;
}

static int run_lock(const struct options *o, const struct flake *flake, const char *text,
		    struct lock **ret, struct error *err)
{
	_cleanup_free_ char *dir = str_format("%s/rw/" SCRATCH, o->dir);
	_cleanup_words_ struct words words = {};
	_cleanup_buf_ struct buf out = {};
	int r = write_scratch(flake, text, err);

	if (r < 0)
		return r;
	nix_lock_words(o->program, dir, &words);
	r = run(o, &words, -1, err);
	if (r == 0)
		r = file_read(AT_FDCWD, SCRATCH "/flake.lock", LOCK_MAX_BYTES, &out, err);
	return r < 0 ? r : lock_parse(buf_str(&out), out.size, ret, err);
}

static int lock_inputs(const struct options *o, const json_t *inputs, const char *text,
		       struct error *err)
{
	_cleanup_(lock_freep) struct lock *before = NULL, *lock = NULL;
	_cleanup_free_ char *out = NULL;
	struct flake flake = {};
	int r;

	if ((r = json_get_str(inputs, "nixpkgs", true, &flake.nixpkgs, err)) < 0 ||
	    (r = json_get_str(inputs, "base", true, &flake.base, err)) < 0 ||
	    (r = lock_parse(text, strlen(text), &before, err)) < 0)
		return r;
	flake.base_follows =
		!lock_has_input(before, "base") || lock_follows(before, "base", "nixpkgs");
	r = run_lock(o, &flake, text, &lock, err);
	if (r < 0)
		return r;
	/* What base has is only known now: an override of an input that is not there would be
	 * warned of at each build, and two nixpkgs are one too many. */
	if (flake.base_follows != lock_has_inner(lock, "base", "nixpkgs")) {
		flake.base_follows = !flake.base_follows;
		lock_free(lock);
		lock = NULL;
		r = run_lock(o, &flake, NULL, &lock, err);
		if (r < 0)
			return r;
	}
	out = lock_base(lock);
	return file_write_atomic(AT_FDCWD, "flake.lock", out, strlen(out), 0644, err);
}

static int lock(const struct options *o, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	json_t *input = NULL, *inputs = NULL;
	const char *old = "";
	int r = file_read(AT_FDCWD, "../input.json", INPUT_MAX_BYTES, &text, err);

	if (r == 0)
		r = json_parse(text.data, text.size, &input, err);
	if (r == 0)
		r = json_get_object(input, "inputs", true, &inputs, err);
	if (r == 0)
		r = json_get_str(input, "lock", false, &old, err);
	if (r == 0 && mkdir(SCRATCH, 0755) < 0)
		r = error_set_errno(err, errno, "cannot make '" SCRATCH "'");
	if (r == 0)
		r = lock_inputs(o, inputs, old, err);
	json_decref(input);
	return r;
}

/* ---- what differs between two systems ---- */

static int list_closure(const struct options *o, const char *system, struct buf *ret,
			struct error *err)
{
	_cleanup_words_ struct words words = {};
	_cleanup_close_ int fd = open("paths", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot make a file");
	nix_closure_words(o->program, system, &words);
	r = run(o, &words, fd, err);
	return r < 0 ? r : file_read(AT_FDCWD, "paths", CLOSURE_MAX_BYTES, ret, err);
}

static int effect(const struct options *o, struct error *err)
{
	_cleanup_buf_ struct buf before = {}, after = {};
	_cleanup_free_ char *text = NULL;
	json_t *result = json_object();
	int r = list_closure(o, o->system, &after, err);

	/* one that was collected since is as good as none */
	if (r == 0 && o->against && access(o->against, F_OK) == 0)
		r = list_closure(o, o->against, &before, err);
	if (r == 0) {
		closure_compare(buf_str(&before), buf_str(&after), result);
		closure_compare_units(o->against, o->system, result);
		text = json_line(result);
		r = file_write_atomic(AT_FDCWD, "effect.json", text, strlen(text), 0644, err);
	}
	json_decref(result);
	return r;
}

static int do_what(const char *word, const struct options *o, struct error *err)
{
	if (strcmp(word, "nix") == 0)
		return build(o, err);
	return strcmp(word, "lock") == 0 ? lock(o, err) : effect(o, err);
}

int evaluate(int argc, char **argv)
{
	bool builds = strcmp(argv[0], "nix") == 0;
	struct options o = {};
	struct error err = {};
	_cleanup_free_ char *work = NULL;
	int r;

	if (!parse(argc, argv, &o) || (builds && (!o.owner || !o.meta || !o.ref || !o.commit ||
						  !o.agent || !oid_is_valid(o.commit)))) {
		fputs("skep-build: wrong options for Nix\n", stderr);
		return EXIT_USAGE;
	}
	r = confine(&(struct confinement){.uid = (uid_t)o.uid,
					  .gid = (gid_t)o.gid,
					  .last_fd = STDERR_FILENO,
					  .network = true,
					  .wall_s = o.timeout_s + WALL_GRACE_S,
					  .memory_bytes = (rlim_t)o.memory,
					  .cpu_s = EVALUATION_CPU_S,
					  .file_bytes = FILE_MAX_BYTES},
		    &err);
	work = str_format("%s/rw", o.dir);
	if (r == 0 && chdir(work) < 0)
		r = error_set_errno(&err, errno, "cannot enter '%s'", work);
	if (r == 0)
		r = git_setup(false, &err);
	if (r == 0)
		r = do_what(argv[0], &o, &err);
	if (r == 0)
		return EXIT_SUCCESS;
	(void)file_write_atomic(AT_FDCWD, "error", error_text(&err), strlen(error_text(&err)),
				0644, NULL);
	return EXIT_FAILURE;
}
