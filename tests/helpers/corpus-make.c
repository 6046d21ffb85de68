/*
 * corpus-make list
 * corpus-make NAME DIR SECRET OWNER
 *
 * Hostile repositories for a whole hive. list prints what a hive must say to each of them, a
 * line of JSON per case. NAME makes one in the directory DIR, which is made, owned by uid
 * OWNER; what it must not reach is made in SECRET. Prints the commit to submit and the secret's
 * ids.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "corpus/corpus.h"
#include "git/repo.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Limits tighter than a hive's are about the importer: a hive takes what they refuse. */
static bool is_tightened(const struct corpus_case *c)
{
	return c->max_objects || c->max_bytes || c->max_files || c->max_expanded;
}

/* What the refusal is called; "": any name. */
static const char *wanted_code(const struct corpus_case *c)
{
	struct error err = {.err = -c->wanted};

	return c->wanted == ANY_ERROR || c->wanted == ETIMEDOUT ? "" : error_code(&err);
}

static void print(json_t *line)
{
	must(json_dumpf(line, stdout, JSON_COMPACT) == 0 && putchar('\n') == '\n', "stdout");
	json_decref(line);
}

static void list(const struct corpus_case *c)
{
	bool taken = c->wanted == 0 || is_tightened(c);

	print(json_pack("{s:s, s:b, s:s, s:s, s:s, s:b}", "name", c->name, "taken", taken,
			"code", taken ? "" : wanted_code(c), "says",
			taken || !c->says ? "" : c->says, "flags", c->flags ? c->flags : "",
			"hangs", c->deadline_ms > 0));
}

static void make(const struct corpus_case *c, char **argv)
{
	struct raw_repo repo = {.dir = argv[2], .secret = argv[3]};

	must(mkdir(repo.dir, 0700) == 0, repo.dir);
	corpus_make(c, &repo, (unsigned)strtoul(argv[4], NULL, 10));
	must(chmod(repo.dir, 0700) == 0, repo.dir);
	print(json_pack("{s:s, s:s, s:s}", "commit", repo.tip, "secret_blob", repo.secret_blob,
			"secret_commit", repo.secret_commit));
}

int main(int argc, char **argv)
{
	bool all = argc == 2 && strcmp(argv[1], "list") == 0;
	struct error err = {};

	if (!all && argc != 5) {
		fprintf(stderr, "usage: corpus-make list | NAME DIR SECRET OWNER\n");
		return 2;
	}
	must(git_setup(false, &err) == 0, error_text(&err));
	for (size_t l = 0; l < corpus_n_lists; l++)
		for (size_t i = 0; i < corpus_lists[l]->n; i++) {
			const struct corpus_case *c = &corpus_lists[l]->cases[i];

			if (all) {
				list(c);
			} else if (strcmp(c->name, argv[1]) == 0) {
				make(c, argv);
				return 0;
			}
		}
	if (!all)
		fprintf(stderr, "corpus-make: there is no case '%s'\n", argv[1]);
	return all ? 0 : 1;
}
