/*
 * skep-export serve|seed|checkout|remote --uid N --gid N
 * skep-export zygote
 *
 * The only program that touches an agent's own repository. Its parent, which is root, starts it
 * with the repository's directory as descriptor 4; it makes that directory its root, takes the
 * ids given (those of the directory's owner), and only then looks at anything. Those that serve
 * are forked by a zygote (base/zygote.h), which as root looks at nothing at all.
 *
 *   serve   hands out git objects by id on the stream socket that is descriptor 3, until its
 * peer closes it (git/reader.h has the protocol) seed    makes the first state of the
 * repository in the empty directory; standard input:
 *           {"files":[{"path","data","executable"?:bool,"symlink"?:bool}],"url":text,"time":seconds}
 *   checkout makes that of a commit whose objects are in .git/objects already; standard input:
 *           {"commit","url"}
 *   remote  puts the remote "applied" right and writes nothing else; standard input:
 * {"url":text}
 *
 * Each ends with one line on standard output, {"ok":true} or
 * {"ok":false,"errno":n,"error":text}, and exit status 0, 1 (failed) or 2 (wrong usage).
 */
#include "skep-export/jail.h"

#include "base/buf.h"
#include "base/calls.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "base/zygote.h"
#include "git/import.h"
#include "git/reader.h"
#include "git/repo.h"
#include "git/seed.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVE_FD 3
#define DIR_FD 4
#define REQUEST_MAX_BYTES (4u << 20)
#define SEED_FILE_MAX_BYTES (64u << 20)
#define WALL_S 120
#define URL_MAX_BYTES 1024
#define LAST_SECOND 253402300799 /* of the year 9999 */

static int serve(struct error *err)
{
	const struct reader_limits limits = {
		.max_object_bytes = IMPORT_MAX_BLOB_BYTES,
	};

	return reader_serve(SERVE_FD, &limits, err);
}

static int read_request(json_t **ret, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	char piece[65536];

	for (;;) {
		ssize_t n = read(STDIN_FILENO, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, errno, "cannot read the request");
		if (n == 0)
			return json_parse(buf_str(&text), text.size, ret, err);
		if (text.size + (size_t)n > REQUEST_MAX_BYTES)
			return error_set(err, E2BIG, "the request has more than %u bytes",
					 REQUEST_MAX_BYTES);
		buf_add(&text, piece, (size_t)n);
	}
}

/* It becomes a line of a configuration file. */
static int get_url(const json_t *request, const char **ret, struct error *err)
{
	int r = json_get_str(request, "url", true, ret, err);

	if (r < 0)
		return r;
	if (**ret != '/' || strlen(*ret) > URL_MAX_BYTES || strpbrk(*ret, "\n\r\"\\"))
		return error_set(err, EINVAL, "'url' must be an absolute path");
	return 0;
}

static int parse_file(const json_t *value, struct seed_file *ret, struct error *err)
{
	static const char *const keys[] = {"path", "data", "executable", "symlink", NULL};
	int r;

	r = json_only_keys(value, keys, "files", err);
	if (r == 0)
		r = json_get_str(value, "path", true, &ret->path, err);
	if (r == 0)
		r = json_get_str(value, "data", true, &ret->data, err);
	if (r == 0)
		r = json_get_bool(value, "executable", false, &ret->executable, err);
	if (r == 0)
		r = json_get_bool(value, "symlink", false, &ret->symlink, err);
	if (r == 0)
		ret->size = strlen(ret->data);
	return r;
}

static int seed(struct error *err)
{
	static const char *const keys[] = {"files", "url", "time", NULL};
	_cleanup_(json_decrefp) json_t *request = NULL;
	_cleanup_free_ struct seed_file *files = NULL;
	json_t *list = NULL;
	const char *url = NULL;
	int64_t wall_s = 0;
	size_t n;
	int r;

	r = read_request(&request, err);
	if (r == 0)
		r = json_only_keys(request, keys, "seed", err);
	if (r == 0)
		r = json_get_array(request, "files", true, &list, err);
	if (r == 0)
		r = get_url(request, &url, err);
	if (r == 0)
		r = json_get_int(request, "time", true, 0, LAST_SECOND, &wall_s, err);
	if (r < 0)
		return r;
	n = json_array_size(list);
	files = mem_new(n + 1, sizeof(*files));
	for (size_t i = 0; i < n && r == 0; i++)
		r = parse_file(json_array_get(list, i), &files[i], err);
	return r < 0 ? r : seed_repository(files, n, url, wall_s, err);
}

static int check_out(struct error *err)
{
	static const char *const keys[] = {"commit", "url", NULL};
	_cleanup_(json_decrefp) json_t *request = NULL;
	const char *url = NULL, *commit = NULL;
	int r;

	r = read_request(&request, err);
	if (r == 0)
		r = json_only_keys(request, keys, "checkout", err);
	if (r == 0)
		r = json_get_str(request, "commit", true, &commit, err);
	if (r == 0)
		r = get_url(request, &url, err);
	if (r == 0 && !oid_is_valid(commit))
		r = error_set(err, EINVAL, "'commit' must be 40 hexadecimal digits");
	return r < 0 ? r : seed_from_commit(commit, url, err);
}

static int repair_remote(struct error *err)
{
	static const char *const keys[] = {"url", NULL};
	_cleanup_(json_decrefp) json_t *request = NULL;
	const char *url = NULL;
	int r;

	r = read_request(&request, err);
	if (r == 0)
		r = json_only_keys(request, keys, "remote", err);
	if (r == 0)
		r = get_url(request, &url, err);
	return r < 0 ? r : seed_repair_remote(url, err);
}

static const struct verb {
	const char *name;
	bool syncs; /* file by file; the first state has no name until whoever asked has synced
		       all */
	bool has_socket;
	uint64_t max_file_bytes;
	int (*run)(struct error *err);
} verbs[] = {
	{"serve", false, true, 0, serve},
	{"seed", false, false, SEED_FILE_MAX_BYTES, seed},
	{"checkout", true, false, SEED_FILE_MAX_BYTES, check_out},
	{"remote", true, false, SEED_FILE_MAX_BYTES, repair_remote},
};

static int usage(void)
{
	fprintf(stderr, "usage: skep-export serve|seed|checkout|remote --uid N --gid N\n");
	return 2;
}

static bool parse_id(const char *text, unsigned *ret)
{
	int64_t value;

	if (!text_to_number(text, 1, UINT32_MAX - 1, &value))
		return false;
	*ret = (unsigned)value;
	return true;
}

static bool parse_options(int argc, char **argv, struct jail *jail)
{
	static const struct option options[] = {
		{"uid", required_argument, NULL, 'u'},
		{"gid", required_argument, NULL, 'g'},
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
		if (!(c == 'u' && parse_id(optarg, &jail->uid)) &&
		    !(c == 'g' && parse_id(optarg, &jail->gid)))
			return false;
	return jail->uid > 0 && jail->gid > 0 && optind + 1 == argc;
}

static void report(int r, const struct error *err)
{
	_cleanup_(json_decrefp) json_t *answer = json_pack("{sb}", "ok", r == 0);
	_cleanup_free_ char *line = NULL;

	if (r < 0) {
		(void)json_object_set_new(answer, "errno", json_integer(-r));
		json_put_str(answer, "error", error_text(err));
	}
	line = json_line(answer);
	(void)dprintf(STDOUT_FILENO, "%s\n", line);
}

int main(int argc, char **argv)
{
	struct jail jail = {.dir_fd = DIR_FD, .wall_s = WALL_S};
	const struct verb *verb = NULL;
	struct error err = {};
	int r;

	if (argc == 2 && strcmp(argv[1], ZYGOTE_WORD) == 0) {
		(void)git_setup(false, NULL); /* again in each child, which tells what fails */
		zygote_serve(&argc, &argv);
	}
	jail.parent = getppid();
	if (!parse_options(argc, argv, &jail))
		return usage();
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(argv[optind], verbs[i].name) == 0)
			verb = &verbs[i];
	if (!verb)
		return usage();
	if (!verb->has_socket)
		(void)close(SERVE_FD);
	jail.max_file_bytes = verb->max_file_bytes;
	r = git_setup(verb->syncs, &err);
	if (r == 0)
		r = jail_enter(&jail, &err);
	if (r == 0)
		r = calls_limit(&err);
	if (r == 0)
		r = verb->run(&err);
	report(r, &err);
	return r == 0 ? 0 : 1;
}
