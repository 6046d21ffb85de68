#include "corpus/corpus.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "git/checkout.h"
#include "git/import.h"
#include "git/internal.h"
#include "git/risk.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READER_GRACE_MS 300
#define SECRET_TEXT "the secret of another repository\n"

const struct corpus_list *const corpus_lists[] = {
	&corpus_names,   &corpus_trees, &corpus_commits,
	&corpus_objects, &corpus_packs, &corpus_repositories,
};
const size_t corpus_n_lists = ARRAY_SIZE(corpus_lists);

static int compare_names(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

void corpus_snapshot(const char *path, struct buf *ret)
{
	char *const roots[] = {(char *)path, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, compare_names);
	FTSENT *entry;

	must(walk != NULL, path);
	while ((entry = fts_read(walk))) {
		_cleanup_buf_ struct buf content = {};
		char id[OID_HEX_SIZE] = "-";

		if (entry->fts_info == FTS_DP)
			continue;
		if (entry->fts_info == FTS_F) {
			must(file_read(AT_FDCWD, entry->fts_path, SIZE_MAX >> 1, &content,
				       NULL) == 0,
			     entry->fts_path);
			raw_id(id, GIT_OBJECT_BLOB, buf_str(&content), content.size);
		}
		buf_addf(ret, "%s %o %u %s\n", entry->fts_path + strlen(path),
			 (unsigned)entry->fts_statp->st_mode,
			 (unsigned)entry->fts_statp->st_uid, id);
	}
	(void)fts_close(walk);
}

/* Files with a second name stay as they are: they may not be the repository's own. */
static void give_away(const char *path, unsigned owner)
{
	char *const roots[] = {(char *)path, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	must(walk != NULL, path);
	while ((entry = fts_read(walk)))
		if (entry->fts_info != FTS_DP)
			must(lchown(entry->fts_path, owner, owner) == 0, entry->fts_path);
	(void)fts_close(walk);
}

static void make_secret(struct raw_repo *repo)
{
	struct raw_repo secret = {.dir = repo->secret};
	_cleanup_buf_ struct buf tree = {};

	/* readable for all: what keeps it is the jail's root, not its owner */
	must(mkdir(secret.dir, 0755) == 0, secret.dir);
	raw_init(&secret);
	raw_put_text(&secret, SECRET_TEXT, repo->secret_blob);
	raw_add_entry(&tree, "100644", "secret", 0, repo->secret_blob);
	raw_tip(&secret, &tree);
	memcpy(repo->secret_commit, secret.tip, OID_HEX_SIZE);
}

void corpus_make(const struct corpus_case *c, struct raw_repo *repo, unsigned owner)
{
	make_secret(repo);
	c->make(repo, c->arg);
	if (owner)
		give_away(repo->dir, owner);
}

/* A number from a line "NAME: 123" of a file in /proc; 0 when it is not there. */
static long proc_number(const char *path, const char *name)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			return strtol(line + strlen(name), NULL, 10);
	return 0;
}

/* The most memory it had at once; 0 when it has ended. */
static long peak_kib(int pidfd)
{
	char path[64];
	long pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	pid = proc_number(path, "Pid:");
	snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	return pid > 0 ? proc_number(path, "VmHWM:") : 0;
}

/* Ends the reader: by itself once its socket is closed, or not. */
static void end_reader(int pidfd, struct corpus_cost *cost)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	siginfo_t info = {};

	if (poll(&p, 1, READER_GRACE_MS) == 0)
		must(pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0, "kill the reader");
	must(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0, "wait");
	cost->reader_exit = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

static struct import_limits limits_of(const struct corpus_case *c)
{
	struct import_limits limits = import_limits_default;

	if (c->deadline_ms)
		limits.deadline_ms = c->deadline_ms;
	if (c->max_objects)
		limits.max_new_objects = c->max_objects;
	if (c->max_bytes)
		limits.max_new_bytes = c->max_bytes;
	if (c->max_files)
		limits.max_files = c->max_files;
	if (c->max_expanded)
		limits.max_expanded_bytes = c->max_expanded;
	return limits;
}

static int import(const struct corpus_case *c, const struct raw_repo *repo,
		  struct repo *applied, const struct corpus_reader *reader,
		  struct import_result *result, struct corpus_cost *cost, struct error *err)
{
	const struct import_limits limits = limits_of(c);
	_cleanup_close_ int pidfd = -1;
	int64_t start = clock_boot_ms();
	int fd, r;

	must(reader->start(repo->dir, reader->data, &fd, &pidfd, err) == 0, error_text(err));
	r = import_commit(applied, fd, repo->tip, &limits, result, err);
	cost->ms = clock_boot_ms() - start;
	cost->reader_kib = peak_kib(pidfd);
	(void)close(fd);
	end_reader(pidfd, cost);
	return r;
}

static bool has_object(struct repo *applied, const char *id)
{
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	git_oid oid;

	must(git_repository_odb(&odb, applied->git) == 0 && git_oid_fromstr(&oid, id) == 0, id);
	return git_odb_exists(odb, &oid) != 0;
}

/* git's own opinion of what was taken. */
static bool passes_fsck(const char *applied, const char *commit)
{
	_cleanup_free_ char *ref = str_format("%s/.git/refs/heads/main", applied);
	_cleanup_free_ char *command = str_format(
		"cd '%s' && HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 git --git-dir=.git fsck "
		"--strict --no-dangling --no-progress",
		applied);
	int status;

	raw_write_file(ref, commit, strlen(commit));
	status = system(command);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Written out and hashed again, the tree must be the same. */
static int reads_back(struct repo *applied, const char *top, const struct import_result *result,
		      struct error *err)
{
	_cleanup_free_ char *out = str_format("%s/out", top);
	struct checkout_count count;
	_cleanup_close_ int fd = -1;
	char tree[OID_HEX_SIZE];
	int r;

	must(mkdir(out, 0700) == 0, out);
	fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = checkout_tree(applied, result->commit, fd, &count, err);
	if (r == 0)
		r = checkout_hash(fd, tree, &count, err);
	if (r < 0)
		return error_prefix(err, "reading back");
	if (strcmp(tree, result->tree) != 0)
		return error_set(err, EINVAL, "the tree reads back as %s, not %s", tree,
				 result->tree);
	return 0;
}

/* 0, or what differs from what the case wants. */
static int judge(const struct corpus_case *c, int r, const struct error *got, struct error *err)
{
	if (c->wanted == 0 && r < 0)
		return error_set(err, EINVAL, "refused: %s", error_text(got));
	if (c->wanted != 0 && r == 0)
		return error_set(err, EINVAL, "accepted");
	if (c->wanted > 0 && r != -c->wanted)
		return error_set(err, EINVAL, "refused with %s, not %s: %s", strerror(-r),
				 strerror(c->wanted), error_text(got));
	if (c->wanted != 0 && !strstr(error_text(got), c->says))
		return error_set(err, EINVAL, "'%s' does not say '%s'", error_text(got),
				 c->says);
	if (c->wanted != 0 && !*error_text(got))
		return error_set(err, EINVAL, "refused without a word");
	return 0;
}

static int check_leftovers(const struct raw_repo *repo, struct repo *applied, struct error *err)
{
	_cleanup_free_ char *ran = str_format("%s/ran", repo->dir);

	if (has_object(applied, repo->secret_blob) || has_object(applied, repo->secret_commit))
		return error_set(err, EINVAL, "the secret leaked");
	if (access(ran, F_OK) == 0)
		return error_set(err, EINVAL, "the repository ran a program");
	return 0;
}

/* The scan of something that has nothing to be compared with. */
static int check_flags(const struct corpus_case *c, struct repo *applied,
		       const struct import_result *result, struct error *err)
{
	const char *wanted = c->flags ? c->flags : "";
	_cleanup_buf_ struct buf found = {};
	struct flags flags = {};
	int r = risk_scan(applied, NULL, result->commit, NULL, &flags, err);

	flags_trim(&flags);
	for (int kind = 0; kind < FLAG_KIND_COUNT; kind++)
		if (flags_has(&flags, kind))
			buf_addf(&found, "%s%s", found.size ? " " : "", flag_name(kind));
	flags_release(&flags);
	if (r < 0)
		return error_prefix(err, "scanning");
	if (strcmp(buf_str(&found), wanted) != 0)
		return error_set(err, EINVAL, "warned of '%s', not of '%s'", buf_str(&found),
				 wanted);
	return 0;
}

static int check_taken(const struct corpus_case *c, const struct raw_repo *repo,
		       struct repo *applied, const char *dir, const char *top,
		       const struct import_result *result, struct error *err)
{
	if (strcmp(result->commit, repo->tip) != 0)
		return error_set(err, EINVAL, "took %s for %s", result->commit, repo->tip);
	if (!passes_fsck(dir, result->commit))
		return error_set(err, EINVAL, "git fsck finds fault");
	if (!c->not_written) {
		int r = reads_back(applied, top, result, err);

		if (r < 0)
			return r;
	}
	return check_flags(c, applied, result, err);
}

int corpus_run(const struct corpus_case *c, const char *top, const struct corpus_reader *reader,
	       struct corpus_cost *ret_cost, struct error *err)
{
	_cleanup_free_ char *proposed = str_format("%s/proposed", top);
	_cleanup_free_ char *secret = str_format("%s/secret", top);
	_cleanup_free_ char *applied_dir = str_format("%s/applied", top);
	_cleanup_(repo_freep) struct repo *applied = NULL;
	_cleanup_buf_ struct buf before = {}, after = {};
	struct raw_repo repo = {.dir = proposed, .secret = secret};
	struct import_result result = {};
	struct error got = {};
	int r, verdict;

	must(mkdir(proposed, 0700) == 0 && chmod(top, 0755) == 0, proposed);
	corpus_make(c, &repo, reader->owner);
	must(repo_create(applied_dir, &got) == 0 && repo_open(applied_dir, &applied, &got) == 0,
	     error_text(&got));
	corpus_snapshot(applied_dir, &before);
	r = import(c, &repo, applied, reader, &result, ret_cost, &got);
	verdict = judge(c, r, &got, err);
	if (verdict == 0)
		verdict = check_leftovers(&repo, applied, err);
	if (verdict < 0)
		return verdict;
	if (r == 0)
		return check_taken(c, &repo, applied, applied_dir, top, &result, err);
	corpus_snapshot(applied_dir, &after);
	if (strcmp(buf_str(&before), buf_str(&after)) != 0)
		return error_set(err, EINVAL, "applied changed: %s", buf_str(&after));
	return 0;
}
