/*
 * Locks a hive's flake over and over: a hive of so many agents built by Nix, changed as skepd
 * changes it, each change one commit of meta, on disk. Run in a state directory with meta/,
 * audit/ and logs/.
 *
 *   lock STATE AGENTS NIXPKGS BASE BASE-LOCK
 *
 * Then lines on standard input: "bump", "add", "remove"; answers with the nanoseconds each
 * took. BASE-LOCK is a flake.lock that Nix made of the two inputs alone. The agents'
 * repositories have a commit on refs/heads/main and one on refs/heads/next; "bump" goes to a
 * new one each time.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "control/meta.h"
#include "control/start.h"
#include "git/commit.h"
#include "git/refs.h"
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define THEN 1700000000
#define FIRST_PORT 8100

static const char flake[] = "{ outputs = _: { nixosModules.default = { }; }; }\n";

struct two {
	char ids[2][OID_HEX_SIZE];
};

static long long now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int make_repository(struct hive *hive, const char *name, struct two *ret,
			   struct error *err)
{
	_cleanup_free_ char *dir = hive_applied_dir(hive, name);
	_cleanup_free_ char *module =
		str_format("{ ... }: { networking.hostName = \"%s\"; }\n", name);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	const struct commit_file files[] = {
		{.path = "flake.nix", .data = flake, .size = sizeof(flake) - 1},
		{.path = "agent.nix", .data = module, .size = strlen(module)},
	};
	const struct commit_file note = {.path = "note", .data = name, .size = strlen(name)};
	int r;

	if ((r = repo_create(dir, err)) < 0 || (r = repo_open(dir, &repo, err)) < 0 ||
	    (r = commit_files(repo, NULL, files, 2, "first\n", THEN, ret->ids[0], err)) < 0 ||
	    (r = commit_files(repo, ret->ids[0], &note, 1, "next\n", THEN + 60, ret->ids[1],
			      err)) < 0 ||
	    (r = refs_create(repo, "refs/heads/main", ret->ids[0], err)) < 0)
		return r;
	return refs_create(repo, "refs/heads/next", ret->ids[1], err);
}

static void add_agent(struct hive *hive, const char *name, int64_t i, const char *revision)
{
	struct settings settings;

	settings_init(&settings, name);
	settings.builder = BUILDER_NIX;
	settings.port = (uint16_t)(FIRST_PORT + i);
	settings.uid_base = UID_BASE_FIRST + (uid_t)i * UID_RANGE;
	settings.deployed = 0;
	memcpy(settings.revision, revision, OID_HEX_SIZE);
	(void)hive_add(hive, &settings);
}

static int fill(struct hive *hive, char **argv, struct two *newcomer, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	struct lock *lock = NULL;
	int64_t n = atoll(argv[2]);
	int r;

	if ((r = file_read(AT_FDCWD, argv[5], LOCK_MAX_BYTES, &text, err)) < 0 ||
	    (r = lock_parse(buf_str(&text), text.size, &lock, err)) < 0 ||
	    (r = start_load(hive, err)) < 0)
		return r;
	lock_free(hive->lock);
	hive->lock = lock;
	hive->inputs = json_pack("{s:s,s:s}", "nixpkgs", argv[3], "base", argv[4]);
	for (int64_t i = 0; i < n && r == 0; i++) {
		_cleanup_free_ char *name = str_format("a%" PRId64, i);
		struct two two;

		r = make_repository(hive, name, &two, err);
		if (r == 0)
			add_agent(hive, name, i, two.ids[0]);
	}
	if (r == 0)
		r = make_repository(hive, "newcomer", newcomer, err);
	return r < 0 ? r : meta_commit(hive, "filled", err);
}

static int change(struct hive *hive, const char *what, const struct two *newcomer,
		  struct error *err)
{
	if (strcmp(what, "add") == 0) {
		add_agent(hive, "newcomer", (int64_t)hive->n_agents, newcomer->ids[0]);
		return meta_commit(hive, "spawn newcomer", err);
	}
	if (strcmp(what, "remove") == 0) {
		hive_remove(hive, hive_find(hive, "newcomer"));
		return meta_commit(hive, "destroy newcomer", err);
	}
	return error_set(err, EINVAL, "there is no '%s'", what);
}

/* To a commit that no lock has seen: what is written then is all new. */
static int bump(struct hive *hive, struct agent *agent, struct error *err)
{
	_cleanup_free_ char *text = str_format("%" PRId64, ++agent->settings.deployed);
	const struct commit_file note = {.path = "note", .data = text, .size = strlen(text)};
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char next[OID_HEX_SIZE];
	int r = hive_open_applied(hive, agent->settings.name, &repo, err);

	if (r == 0)
		r = commit_files(repo, agent->settings.revision, &note, 1, "next\n",
				 THEN + agent->settings.deployed, next, err);
	if (r == 0)
		memcpy(agent->settings.revision, next, OID_HEX_SIZE);
	return r;
}

static int serve(struct hive *hive, const struct two *newcomer, struct error *err)
{
	char what[32];

	while (scanf("%31s", what) == 1) {
		bool bumps = strcmp(what, "bump") == 0;
		long long began;
		int r = bumps ? bump(hive, hive->agents[hive->n_agents / 2], err) : 0;

		began = now_ns();
		if (r == 0)
			r = bumps ? meta_commit(hive, "deploy 1 deployed/1", err)
				  : change(hive, what, newcomer, err);
		if (r < 0)
			return r;
		printf("%lld\n", now_ns() - began);
		(void)fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct two newcomer = {};
	struct error err = {};
	struct config config;
	struct hive *hive;
	_cleanup_free_ char *here = file_program_dir();

	if (argc != 6) {
		fprintf(stderr, "usage: lock STATE AGENTS NIXPKGS BASE BASE-LOCK\n");
		return 2;
	}
	(void)umask(0022);
	config_init(&config);
	free(config.state_dir);
	config.state_dir = str_dup(argv[1]);
	config.templates_dir = str_format("%s/templates", here);
	hive = hive_new(loop_new(), &config, clock_wall_s);
	if (git_setup(false, &err) < 0 || fill(hive, argv, &newcomer, &err) < 0 ||
	    git_setup(true, &err) < 0 || printf("ready\n") < 0 || fflush(stdout) != 0 ||
	    serve(hive, &newcomer, &err) < 0) {
		fprintf(stderr, "lock: %s\n", error_text(&err));
		return 1;
	}
	return 0;
}
