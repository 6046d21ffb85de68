/*
 * Makes the record of a hive that has lived for a while, with the controller's own functions: a
 * meta repository, and for each agent a repository with so many tags. Run as skepd's uid, in a
 * state directory that has applied/, meta/, audit/ and logs/.
 *
 *   fill STATE AGENTS TAGS packed|loose
 *
 * Proposals go round the agents, as they would come in (loose: the first agent gets all); each
 * gets four tags (proposal, approved, building, deployed). STATE/stand-in names what runs, for
 * the stand-in of skep-exec.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "control/ledger.h"
#include "control/meta.h"
#include "control/start.h"
#include "host/spec.h"
#include "git/commit.h"
#include "git/refs.h"
#include "git/repack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 10
#define FILE_BYTES 1200
#define TAGS_OF_ONE 4
#define FIRST_PORT 8100
#define LAST_PORT 65000
#define THEN 1700000000

static const char manifest[] = "{\"description\": \"does what it was told\"}\n";

/* Nothing of it has to outlive the machine, and there are thousands. */
int fsync(int fd)
{
	(void)fd;
	return 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static int64_t wall_s(void)
{
	return THEN;
}

static void fill_text(char *text, size_t size, int64_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = (seed * 1103515245 + 12345) & 0x7fffffff;
		text[i] = i % 40 == 39 ? '\n' : (char)('a' + seed % 26);
	}
}

/* The whole tree at first; later one changed file. */
static int make_commit(struct repo *repo, const char *parent, int64_t n, char ret[OID_HEX_SIZE],
		       struct error *err)
{
	static const char *const paths[FILES] = {
		"agent.json",
		"README.md",
		"rootfs/etc/systemd/system/agent.service",
		"rootfs/etc/agent/a.conf",
		"rootfs/etc/agent/b.conf",
		"rootfs/srv/agent/main.py",
		"rootfs/srv/agent/tools.py",
		"rootfs/srv/agent/prompts/first.md",
		"rootfs/srv/agent/prompts/second.md",
		"rootfs/srv/agent/prompts/third.md",
	};
	static char texts[FILES][FILE_BYTES];
	struct commit_file files[FILES];
	_cleanup_free_ char *message = str_format("change number %" PRId64 "\n", n);
	size_t count = parent ? 1 : FILES;

	for (size_t i = 0; i < count; i++) {
		size_t which = parent ? 5 : i;

		fill_text(texts[i], FILE_BYTES, n + (int64_t)which);
		files[i] = (struct commit_file){.path = paths[which],
						.data = texts[i],
						.size = FILE_BYTES};
	}
	if (!parent)
		files[0] = (struct commit_file){.path = paths[0],
						.data = manifest,
						.size = sizeof(manifest) - 1};
	return commit_files(repo, parent, files, count, message, THEN, ret, err);
}

static int make_agent(struct hive *hive, int64_t i, struct error *err)
{
	_cleanup_free_ char *name = i == 0 ? str_dup("hm1nd") : str_format("a%" PRId64, i);
	_cleanup_free_ char *dir = hive_applied_dir(hive, name);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_(entry_release) struct entry entry = {};
	struct settings settings;
	int r;

	settings_init(&settings, name);
	settings.port = (uint16_t)(FIRST_PORT + i % (LAST_PORT - FIRST_PORT));
	settings.uid_base = UID_BASE_FIRST + (uid_t)i * UID_RANGE;
	settings.running = true;
	if ((r = repo_create(dir, err)) < 0 || (r = repo_open(dir, &repo, err)) < 0 ||
	    (r = make_commit(repo, NULL, i * 1000, settings.revision, err)) < 0 ||
	    (r = refs_create(repo, "refs/heads/main", settings.revision, err)) < 0)
		return r;
	settings.deployed = 0;
	entry_begin(&entry, "deployed 0: the first state", NULL);
	entry_put(&entry, "Skep-Commit", settings.revision);
	r = ledger_write(hive, name, false, PROPOSAL_DEPLOYED, 0, settings.revision, &entry,
			 err);
	if (r == 0)
		(void)hive_add(hive, &settings);
	else
		settings_release(&settings);
	return r;
}

/* One proposal of this agent, from submit to deployed. */
static int make_proposal(struct hive *hive, struct agent *agent, struct error *err)
{
	static const struct actor manager = {"hm1nd", "manager"}, uid0 = {"uid 0", "operator"};
	struct settings *s = &agent->settings;
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct proposal *p = proposal_new(0, s->name);
	struct verdict approved = {.actor = &uid0, .build_ms = -1, .downtime_ms = -1};
	struct verdict deployed = {.build_ms = 210, .downtime_ms = 640};
	int r;

	memcpy(p->base, s->revision, OID_HEX_SIZE);
	p->title = str_format("change number %" PRId64, hive->last_id + 1);
	p->submitter = str_dup("hm1nd");
	p->description = str_dup("a change like any other, described in a line or so");
	if ((r = hive_open_applied(hive, s->name, &repo, err)) == 0 &&
	    (r = make_commit(repo, s->revision, hive->last_id + 1, p->commit, err)) == 0)
		r = repo_commit_tree(repo, p->commit, p->tree, err);
	if (r == 0)
		r = ledger_propose(hive, p, &manager, err);
	if (r < 0) {
		proposal_free(p);
		return r;
	}
	approved.idem_key = "0123456789abcdef0123456789abcdef";
	deployed.system = p->tree;
	deployed.meta_commit = hive->meta_head;
	if ((r = ledger_decide(hive, p, PROPOSAL_APPROVED, &approved, err)) < 0 ||
	    (r = ledger_mark_building(hive, p, err)) < 0 ||
	    (r = ledger_decide(hive, p, PROPOSAL_DEPLOYED, &deployed, err)) < 0 ||
	    (r = refs_move(repo, "refs/heads/main", p->commit, s->revision, err)) < 0)
		return r;
	memcpy(s->revision, p->commit, OID_HEX_SIZE);
	s->deployed = p->id;
	return 0;
}

static int pack(struct hive *hive, const char *dir, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int r = repo_open(dir, &repo, err);

	(void)hive;
	if (r == 0)
		r = refs_pack(repo, err);
	if (r == 0)
		r = repack_all(repo, err);
	return r < 0 ? r : repack_drop_empty(dir, err);
}

static int finish(struct hive *hive, bool packed, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/stand-in", hive->config->state_dir);
	_cleanup_free_ char *meta = hive_meta_dir(hive);
	_cleanup_fclose_ FILE *list = fopen(path, "we");
	int r = list ? meta_commit(hive, "a hive that has lived for a while", err)
		     : error_set(err, EIO, "cannot write '%s'", path);

	for (size_t i = 0; i < hive->n_agents && r == 0; i++) {
		struct settings *s = &hive->agents[i]->settings;
		_cleanup_free_ char *dir = hive_applied_dir(hive, s->name);
		_cleanup_(repo_freep) struct repo *repo = NULL;
		char tree[OID_HEX_SIZE];

		if (packed)
			r = pack(hive, dir, err);
		if (r == 0 && (r = repo_open(dir, &repo, err)) == 0 &&
		    (r = repo_commit_tree(repo, s->revision, tree, err)) == 0)
			fprintf(list, "%s %s\n", s->name, tree);
	}
	return r == 0 && packed ? pack(hive, meta, err) : r;
}

static int fill(struct hive *hive, int64_t agents, int64_t tags, bool packed, struct error *err)
{
	int r = start_load(hive, err);

	for (int64_t i = 0; i < agents && r == 0; i++)
		r = make_agent(hive, i, err);
	for (int64_t done = 1; done + TAGS_OF_ONE <= tags && r == 0; done += TAGS_OF_ONE)
		for (size_t i = 0; i < (packed ? hive->n_agents : 1) && r == 0; i++)
			r = make_proposal(hive, hive->agents[i], err);
	return r < 0 ? r : finish(hive, packed, err);
}

int main(int argc, char **argv)
{
	struct error err = {};
	struct config config;
	struct hive *hive;

	if (argc != 5) {
		fprintf(stderr, "usage: fill STATE AGENTS TAGS packed|loose\n");
		return 2;
	}
	(void)umask(0027);
	config_init(&config);
	free(config.state_dir);
	config.state_dir = str_dup(argv[1]);
	hive = hive_new(loop_new(), &config, wall_s);
	if (git_setup(false, &err) < 0 || fill(hive, atoll(argv[2]), atoll(argv[3]),
					       strcmp(argv[4], "packed") == 0, &err) < 0) {
		fprintf(stderr, "fill: %s\n", error_text(&err));
		return 1;
	}
	return 0;
}
