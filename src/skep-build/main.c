/*
 * skep-build: turns a commit into the files of a system, and names what a directory holds.
 * skep-exec starts it as root with its descriptors in place (1 log, 3 result, 4 directory); it
 * is another user before it opens anything.
 */
#include "base/buf.h"
#include "base/calls.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "git/checkout.h"
#include "git/commit.h"
#include "git/repo.h"
#include "model/manifest.h"

#include "skep-build/confine.h"
#include "skep-build/evaluate.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_FD = 1, RESULT_FD = 3, DIR_FD = 4 };

#define EXIT_USAGE 2

struct options {
	uid_t uid, owner;
	gid_t gid;
	const char *repo, *commit, *tree;
};

struct outcome {
	char tree[OID_HEX_SIZE];
	struct checkout_count count;
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vdprintf(LOG_FD, format, args);
	va_end(args);
}

static int usage(void)
{
	fputs("usage: skep-build overlay --uid N --gid N --owner UID --repo DIR --commit OID "
	      "--tree OID\n"
	      "       skep-build hash --uid N --gid N\n"
	      "       skep-build nix|lock|effect (see evaluate.h)\n"
	      "Descriptor 1 is the log, 3 receives the result, 4 is the directory.\n",
	      stderr);
	return EXIT_USAGE;
}

/* Whole numbers from 1 up: nothing here ever runs as root. */
static bool parse_id(const char *text, unsigned *ret)
{
	int64_t value;

	if (!text_to_number(text, 1, UINT32_MAX - 1, &value))
		return false;
	*ret = (unsigned)value;
	return true;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"uid", required_argument, NULL, 'u'},
		{"gid", required_argument, NULL, 'g'},
		{"owner", required_argument, NULL, 'o'},
		{"repo", required_argument, NULL, 'r'},
		{"commit", required_argument, NULL, 'c'},
		{"tree", required_argument, NULL, 't'},
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		bool good = true;

		switch (c) {
		case 'u':
			good = parse_id(optarg, &options->uid);
			break;
		case 'g':
			good = parse_id(optarg, &options->gid);
			break;
		case 'o':
			good = parse_id(optarg, &options->owner);
			break;
		case 'r':
			options->repo = optarg;
			break;
		case 'c':
			options->commit = optarg;
			good = oid_is_valid(optarg);
			break;
		case 't':
			options->tree = optarg;
			good = oid_is_valid(optarg);
			break;
		default:
			good = false;
		}
		if (!good)
			return false;
	}
	return optind == argc && options->uid && options->gid;
}

static int check_manifest(struct repo *repo, const char *commit, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	struct manifest manifest;
	int r = commit_read_file(repo, commit, MANIFEST_PATH, MANIFEST_MAX_BYTES, &text, err);

	if (r == -ENOENT) {
		say("no " MANIFEST_PATH ": defaults for everything\n");
		return 0;
	}
	if (r < 0)
		return r;
	r = manifest_parse(buf_str(&text), text.size, &manifest, err);
	if (r < 0)
		return r;
	say(MANIFEST_PATH ": %s; probe '%s'\n",
	    manifest.description ? manifest.description : "no description",
	    probe_kind_name(manifest.probe.kind));
	manifest_release(&manifest);
	return 0;
}

static int is_empty(int dir_fd, struct error *err)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir)
		return error_set_errno(err, errno, "cannot open the directory to be filled");
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return error_set(err, ENOTEMPTY,
					 "the directory to be filled is not empty");
	return 0;
}

static int overlay(const struct options *options, struct outcome *ret, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int64_t started_ms = clock_boot_ms();
	char tree[OID_HEX_SIZE];
	int r = repo_open_as(options->repo, options->owner, &repo, err);

	if (r == 0)
		r = repo_commit_tree(repo, options->commit, tree, err);
	if (r < 0)
		return r;
	if (strcmp(tree, options->tree) != 0)
		return error_set(err, EINVAL, "commit %s has tree %s, not %s", options->commit,
				 tree, options->tree);
	say("commit %s, tree %s\n", options->commit, tree);
	r = check_manifest(repo, options->commit, err);
	if (r == 0)
		r = is_empty(DIR_FD, err);
	if (r == 0)
		r = checkout_tree(repo, options->commit, DIR_FD, &ret->count, err);
	if (r < 0)
		return r;
	say("wrote %" PRIu64 " files, %" PRIu64 " bytes\n", ret->count.files, ret->count.bytes);
	/* the next step renames it to its final place: whole there also after a power cut */
	if (syncfs(DIR_FD) < 0)
		return error_set_errno(err, errno, "cannot sync the files");
	r = checkout_hash(DIR_FD, ret->tree, &ret->count, err);
	if (r < 0)
		return r;
	if (strcmp(ret->tree, tree) != 0)
		return error_set(err, EUCLEAN, "the files written hash to %s, not to tree %s",
				 ret->tree, tree);
	say("checked against the tree; %" PRId64 " ms in all\n", clock_boot_ms() - started_ms);
	return 0;
}

static int hash(const struct options *options, struct outcome *ret, struct error *err)
{
	(void)options;
	return checkout_hash(DIR_FD, ret->tree, &ret->count, err);
}

/* One line of JSON on descriptor 3. */
static int report(int r, const struct outcome *outcome, const struct error *err)
{
	json_t *answer = json_object();
	_cleanup_free_ char *line = NULL;

	json_object_set_new(answer, "ok", json_boolean(r == 0));
	if (r == 0) {
		json_object_set_new(answer, "tree", json_string(outcome->tree));
		json_object_set_new(answer, "files",
				    json_integer((json_int_t)outcome->count.files));
		json_object_set_new(answer, "bytes",
				    json_integer((json_int_t)outcome->count.bytes));
	} else {
		say("error: %s\n", error_text(err));
		json_object_set_new(answer, "errno", json_integer(-r));
		json_object_set_new(answer, "error", json_string(error_text(err)));
	}
	line = json_line(answer);
	json_decref(answer);
	if (!line || file_write_all(RESULT_FD, line, strlen(line)) < 0 ||
	    file_write_all(RESULT_FD, "\n", 1) < 0)
		return EXIT_FAILURE;
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *options, struct outcome *ret,
			   struct error *err);
		bool needs_commit;
	} commands[] = {{"overlay", overlay, true}, {"hash", hash, false}};
	struct options options = {};
	struct outcome outcome = {};
	struct error err = {};

	if (argc >= 2 && (strcmp(argv[1], "nix") == 0 || strcmp(argv[1], "lock") == 0 ||
			  strcmp(argv[1], "effect") == 0))
		return evaluate(argc - 1, argv + 1);
	if (argc < 2 || !parse_options(argc - 1, argv + 1, &options))
		return usage();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		int r;

		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (commands[i].needs_commit &&
		    (!options.repo || !options.owner || !options.commit || !options.tree))
			return usage();
		r = confine(&(struct confinement){.uid = options.uid,
						  .gid = options.gid,
						  .last_fd = DIR_FD,
						  .wall_s = 300,
						  .memory_bytes = 1u << 30,
						  .cpu_s = 120,
						  .file_bytes = 64u << 20},
			    &err);
		if (r == 0)
			r = git_setup(false, &err);
		if (r == 0)
			r = calls_limit(&err);
		if (r == 0)
			r = commands[i].run(&options, &outcome, &err);
		return report(r, &outcome, &err);
	}
	return usage();
}
