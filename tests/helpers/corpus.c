/*
 * corpus --export PROGRAM [--owner N] [--only TEXT]
 *
 * Runs the corpus of hostile repositories as root through the jailed reader: each repository is
 * given to uid N, read by PROGRAM serve. Prints TAP with verdict, time, and what the reader
 * took.
 */
#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sock.h"
#include "corpus/corpus.h"
#include "git/import.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_OWNER 1310720

struct options {
	const char *export, *only;
	unsigned owner;
};

static int start_jailed(const char *dir, void *data, int *ret_fd, int *ret_pidfd,
			struct error *err)
{
	const struct options *options = data;
	_cleanup_free_ char *id = str_format("%u", options->owner);
	const char *const argv[] = {"skep-export", "serve", "--uid", id, "--gid", id, NULL};
	_cleanup_close_ int ours = -1, theirs = -1;
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct child_fd fds[] = {{-1, 3}, {dir_fd, 4}};
	struct child_spec spec = {.path = options->export,
				  .argv = argv,
				  .fds = fds,
				  .n_fds = ARRAY_SIZE(fds)};
	int pair[2], r;
	pid_t pid;

	must(dir_fd >= 0, dir);
	r = sock_pair(SOCK_STREAM, pair, err);
	if (r < 0)
		return r;
	ours = pair[0];
	theirs = pair[1];
	fds[0].fd = theirs;
	r = child_spawn(&spec, &pid, ret_pidfd, err);
	if (r == 0)
		*ret_fd = TAKE_FD(ours);
	return r;
}

static bool run(const struct corpus_case *c, const struct corpus_reader *reader,
		unsigned number)
{
	char top[] = "/tmp/skep-corpus-XXXXXX";
	struct corpus_cost cost = {};
	struct error err = {};
	int r;

	must(mkdtemp(top) != NULL, top);
	r = corpus_run(c, top, reader, &cost, &err);
	printf("%sok %u - %s # %lld ms, %ld KiB, reader ended with %ld\n", r < 0 ? "not " : "",
	       number, c->name, (long long)cost.ms, cost.reader_kib, cost.reader_exit);
	if (r < 0)
		printf("# %s\n", error_text(&err));
	must(file_remove_tree(AT_FDCWD, top, &err) == 0, error_text(&err));
	return r == 0;
}

static bool parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option known[] = {
		{"export", required_argument, NULL, 'e'},
		{"owner", required_argument, NULL, 'u'},
		{"only", required_argument, NULL, 'o'},
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		if (c == 'e')
			ret->export = optarg;
		else if (c == 'u')
			ret->owner = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'o')
			ret->only = optarg;
		else
			return false;
	}
	return ret->export && optind == argc;
}

int main(int argc, char **argv)
{
	struct options options = {.owner = DEFAULT_OWNER};
	struct corpus_reader reader = {.start = start_jailed, .data = &options, .jailed = true};
	unsigned n = 0, failed = 0;
	struct error err = {};

	if (!parse_options(argc, argv, &options)) {
		fprintf(stderr, "usage: corpus --export PROGRAM [--owner N] [--only TEXT]\n");
		return 2;
	}
	reader.owner = options.owner;
	must(git_setup(true, &err) == 0, error_text(&err));
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t l = 0; l < corpus_n_lists; l++)
		for (size_t i = 0; i < corpus_lists[l]->n; i++) {
			const struct corpus_case *c = &corpus_lists[l]->cases[i];

			if (!options.only || strstr(c->name, options.only))
				failed += !run(c, &reader, ++n);
		}
	printf("1..%u\n", n);
	return failed || n == 0 ? 1 : 0;
}
