/*
 * Imports as they come in practice: one after another, by short ids, from repositories that
 * change meanwhile, and from readers that die or lie.
 */
#include "git/reader_process.h"

#include "corpus/corpus.h"
#include "git/reader_wire.h"

#include <glob.h>

#define MIB (1024 * 1024)
#define PACK_MODE 0440 /* under the fixture's umask, the daemon's own */

struct import_fixture {
	struct fixture *applied;
	struct raw_repo proposed;
	char *proposed_dir;
};

static int import_setup(void **state)
{
	struct import_fixture *f = mem_new(1, sizeof(*f));
	void *applied;

	if (fixture_setup(&applied) < 0)
		return -1;
	f->applied = applied;
	f->proposed_dir = str_format("%s/proposed", f->applied->top);
	f->proposed.dir = f->proposed.secret = f->proposed_dir;
	*state = f;
	return mkdir(f->proposed_dir, 0700);
}

static int import_teardown(void **state)
{
	struct import_fixture *f = *state;
	void *applied = f->applied;

	free(f->proposed_dir);
	free(f);
	return fixture_teardown(&applied);
}

/* One import through a fresh reader, which must end by itself. */
static int import(struct import_fixture *f, const char *wanted, struct import_result *result,
		  struct error *err)
{
	_cleanup_close_ int fd = -1, pidfd = -1;
	struct child_exit exit;
	int r;

	expect_ok(reader_process_start(f->proposed.dir, NULL, &fd, &pidfd, err), err);
	r = import_commit(f->applied->repo, fd, wanted, &import_limits_default, result, err);
	closep(&fd);
	fd = -1;
	assert_int_equal(child_wait(pidfd, 10000, &exit), 0);
	return r;
}

static size_t count_files(struct import_fixture *f, const char *pattern, mode_t mode)
{
	_cleanup_free_ char *path = str_format("%s/.git/%s", f->applied->dir, pattern);
	glob_t found;
	size_t n = 0;

	if (glob(path, 0, NULL, &found) == 0)
		n = found.gl_pathc;
	for (size_t i = 0; i < n; i++) {
		struct stat st;

		assert_int_equal(stat(found.gl_pathv[i], &st), 0);
		assert_int_equal(st.st_mode & 0777, mode);
	}
	globfree(&found);
	return n;
}

static void put_file_commit(struct import_fixture *f, const char *name, const char *content,
			    const char *parent, char ret[OID_HEX_SIZE])
{
	_cleanup_buf_ struct buf tree = {};
	char id[OID_HEX_SIZE];

	raw_put_text(&f->proposed, content, id);
	raw_add_entry(&tree, "100644", name, 0, id);
	raw_put_tree(&f->proposed, &tree, id);
	raw_put_commit(&f->proposed, id, parent, ret);
}

static void test_one_after_another(void **state)
{
	struct import_fixture *f = *state;
	char first[OID_HEX_SIZE], second[OID_HEX_SIZE], side[OID_HEX_SIZE], tree[OID_HEX_SIZE];
	struct import_result result;
	struct error err = {};

	raw_init(&f->proposed);
	put_file_commit(f, "a", "1", NULL, first);
	put_file_commit(f, "a", "2", first, second);
	put_file_commit(f, "b", "1", first, side);
	expect_ok(import(f, first, &result, &err), &err);
	assert_int_equal(result.new_objects, 3);
	assert_string_equal(result.commit, first);
	expect_ok(repo_commit_tree(f->applied->repo, first, tree, &err), &err);
	assert_string_equal(result.tree, tree);
	expect_ok(import(f, second, &result, &err), &err);
	assert_int_equal(result.new_objects, 3);
	/* the blob is known already */
	expect_ok(import(f, side, &result, &err), &err);
	assert_int_equal(result.new_objects, 2);
	assert_int_equal(count_files(f, "objects/pack/*.pack", PACK_MODE), 3);
	/* nothing new: nothing is stored */
	expect_ok(import(f, second, &result, &err), &err);
	assert_int_equal(result.new_objects, 0);
	assert_int_equal(count_files(f, "objects/pack/*.pack", PACK_MODE), 3);
	assert_int_equal(count_files(f, "objects/pack/*.idx", PACK_MODE), 3);
	assert_int_equal(count_files(f, "objects/pack/*", PACK_MODE), 6);
	assert_int_equal(count_files(f, "objects/[0-9a-f][0-9a-f]/*", PACK_MODE), 0);
	assert_int_equal(run_git(f->applied, "fsck --strict >/dev/null 2>&1"), 0);
}

static void test_known_commit_needs_no_reader(void **state)
{
	struct import_fixture *f = *state;
	char commit[OID_HEX_SIZE];
	struct import_result result;
	struct error err = {};

	raw_init(&f->proposed);
	put_file_commit(f, "a", "1", NULL, commit);
	expect_ok(import(f, commit, &result, &err), &err);
	expect_ok(import_commit(f->applied->repo, -1, commit, &import_limits_default, &result,
				&err),
		  &err);
	assert_string_equal(result.commit, commit);
}

/* What was checked as history is checked as a tip once it is one. */
static void test_known_bomb(void **state)
{
	struct import_fixture *f = *state;
	char id[OID_HEX_SIZE], bomb[OID_HEX_SIZE], tip[OID_HEX_SIZE];
	struct import_result result;
	struct error err = {};

	raw_init(&f->proposed);
	raw_put_text(&f->proposed, "boom", id);
	for (int level = 0; level < 20; level++) {
		_cleanup_buf_ struct buf tree = {};

		raw_add_entry(&tree, level == 0 ? "100644" : "40000", "a", 0, id);
		raw_add_entry(&tree, level == 0 ? "100644" : "40000", "b", 0, id);
		raw_put_tree(&f->proposed, &tree, id);
	}
	raw_put_commit(&f->proposed, id, NULL, bomb);
	put_file_commit(f, "a", "1", bomb, tip);
	expect_ok(import(f, tip, &result, &err), &err);
	expect_error(import(f, bomb, &result, &err), E2BIG, "unfolds to more files", &err);
}

/* An object we have is what it is, whatever a new tree calls it. */
static void test_known_types(void **state)
{
	struct import_fixture *f = *state;
	_cleanup_buf_ struct buf tree = {}, before = {}, after = {};
	char commit[OID_HEX_SIZE], blob[OID_HEX_SIZE];
	struct import_result result;
	struct error err = {};

	raw_init(&f->proposed);
	put_file_commit(f, "a", "1", NULL, commit);
	expect_ok(import(f, commit, &result, &err), &err);
	corpus_snapshot(f->applied->dir, &before);
	expect_error(import(f, result.tree, &result, &err), EINVAL, "another type", &err);
	raw_put_text(&f->proposed, "1", blob);
	raw_add_entry(&tree, "40000", "d", 0, blob);
	raw_tip(&f->proposed, &tree);
	expect_error(import(f, f->proposed.tip, &result, &err), EINVAL, "'d' (tree", &err);
	buf_release(&tree);
	raw_add_entry(&tree, "100644", "f", 0, commit);
	raw_tip(&f->proposed, &tree);
	expect_error(import(f, f->proposed.tip, &result, &err), EINVAL, "'f' (blob", &err);
	corpus_snapshot(f->applied->dir, &after);
	assert_string_equal(buf_str(&before), buf_str(&after));
}

static void test_ids(void **state)
{
	static const struct {
		const char *wanted;
		int errnum;
		const char *says;
	} cases[] = {
		{"", EINVAL, "named by its id"},
		{"main", EINVAL, "named by its id"},
		{"HEAD", EINVAL, "named by its id"},
		{"refs/heads/main", EINVAL, "named by its id"},
		{"deadbe", EINVAL, "at least 7"},
		{"DEADBEEF", EINVAL, "named by its id"},
		{"deadbeef ", EINVAL, "named by its id"},
		{"deadbeef^", EINVAL, "named by its id"},
		{"deadbeef000000000000000000000000000000000", EINVAL, "named by its id"},
		{"deadbeef", EINVAL, "'deadbeef' begins more than one id"},
		{"deadbee", EINVAL, "'deadbee' begins more than one id"},
		{"0123456", ENOENT, "no commit begins with '0123456'"},
	};
	struct import_fixture *f = *state;
	char commit[OID_HEX_SIZE], blob[OID_HEX_SIZE];
	struct import_result result;
	struct error err = {};

	raw_init(&f->proposed);
	raw_put_loose(&f->proposed, "deadbeef00000000000000000000000000000000", "blob 0", "",
		      0);
	raw_put_loose(&f->proposed, "deadbeef10000000000000000000000000000000", "blob 0", "",
		      0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(import(f, cases[i].wanted, &result, &err), cases[i].errnum,
			     cases[i].says, &err);
	put_file_commit(f, "a", "1", NULL, commit);
	for (size_t n = OID_SHORTEST; n < OID_HEX_SIZE; n++) {
		_cleanup_free_ char *wanted = str_format("%.*s", (int)n, commit);

		expect_ok(import(f, wanted, &result, &err), &err);
		assert_string_equal(result.commit, commit);
	}
	raw_put_text(&f->proposed, "1", blob);
	blob[10] = '\0';
	expect_error(import(f, blob, &result, &err), EINVAL, "another type", &err);
}

/* What a reader would answer if asked for one commit of one file, in the order of the
 * questions. */
static void honest_answers(struct import_fixture *f, struct buf *ret)
{
	_cleanup_buf_ struct buf tree = {};
	_cleanup_free_ char *commit = NULL;
	char id[OID_HEX_SIZE];
	unsigned char head[READER_ANSWER_SIZE];

	raw_id(id, GIT_OBJECT_BLOB, "content", 7);
	raw_add_entry(&tree, "100644", "file", 0, id);
	raw_id(id, GIT_OBJECT_TREE, tree.data, tree.size);
	commit = str_format("tree %s\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n",
			    id);
	raw_id(f->proposed.tip, GIT_OBJECT_COMMIT, commit, strlen(commit));
	reader_pack_answer(head, READER_OK, GIT_OBJECT_COMMIT, strlen(commit));
	buf_add(ret, head, sizeof(head));
	buf_add(ret, commit, strlen(commit));
	reader_pack_answer(head, READER_OK, GIT_OBJECT_TREE, tree.size);
	buf_add(ret, head, sizeof(head));
	buf_add(ret, tree.data, tree.size);
	reader_pack_answer(head, READER_OK, GIT_OBJECT_BLOB, 7);
	buf_add(ret, head, sizeof(head));
	buf_add(ret, "content", 7);
}

/* An import from a reader that said all it will ever say before it was asked. */
static int import_said(struct import_fixture *f, const char *wanted, const void *said,
		       size_t size, bool ends, int64_t deadline_ms, struct error *err)
{
	struct import_limits limits = import_limits_default;
	_cleanup_close_ int ours = -1, theirs = -1;
	struct import_result result;
	int pair[2];

	limits.deadline_ms = deadline_ms;
	expect_ok(sock_pair(SOCK_STREAM, pair, err), err);
	ours = pair[0];
	theirs = pair[1];
	assert_int_equal(send(theirs, said, size, MSG_NOSIGNAL), size);
	if (ends)
		assert_int_equal(shutdown(theirs, SHUT_WR), 0);
	return import_commit(f->applied->repo, ours, wanted, &limits, &result, err);
}

/* The reader may die at any byte: nothing happened then. */
static void test_reader_dies(void **state)
{
	struct import_fixture *f = *state;
	_cleanup_buf_ struct buf said = {}, before = {}, after = {};
	struct error err = {};

	honest_answers(f, &said);
	corpus_snapshot(f->applied->dir, &before);
	for (size_t n = 0; n < said.size; n++)
		expect_error(import_said(f, f->proposed.tip, said.data, n, true, 60000, &err),
			     EPIPE, "ended", &err);
	corpus_snapshot(f->applied->dir, &after);
	assert_string_equal(buf_str(&before), buf_str(&after));
	expect_ok(import_said(f, f->proposed.tip, said.data, said.size, true, 60000, &err),
		  &err);
}

/* No single wrong bit is believed: not in an object, not in what is said about it. */
static void test_reader_lies_a_bit(void **state)
{
	struct import_fixture *f = *state;
	_cleanup_buf_ struct buf said = {}, before = {}, after = {};
	struct error err = {};

	honest_answers(f, &said);
	corpus_snapshot(f->applied->dir, &before);
	for (size_t bit = 0; bit < said.size * 8; bit++) {
		int r;

		said.data[bit / 8] = (char)(said.data[bit / 8] ^ (1 << bit % 8));
		err = (struct error){};
		r = import_said(f, f->proposed.tip, said.data, said.size, true, 60000, &err);
		if (r == 0 || !*error_text(&err))
			fail_msg("bit %zu: %d %s", bit, r, error_text(&err));
		said.data[bit / 8] = (char)(said.data[bit / 8] ^ (1 << bit % 8));
	}
	corpus_snapshot(f->applied->dir, &after);
	assert_string_equal(buf_str(&before), buf_str(&after));
}

static void test_reader_lies_big(void **state)
{
	static const struct {
		const char *name;
		unsigned char status, type;
		uint64_t size;
		int errnum;
	} cases[] = {
		{"unknown status", 5, 0, 0, EPROTO},
		{"status 255", 255, 0, 0, EPROTO},
		{"missing, with bytes", READER_MISSING, 0, 1, EPROTO},
		{"ambiguous", READER_AMBIGUOUS, 0, 0, EPROTO},
		{"type 0", READER_OK, 0, 5, EINVAL},
		{"type 255", READER_OK, 255, 5, EINVAL},
		{"a tag", READER_OK, GIT_OBJECT_TAG, 5, EINVAL},
		{"2 MiB", READER_OK, GIT_OBJECT_COMMIT, 2 * MIB, E2BIG},
		{"2^63", READER_OK, GIT_OBJECT_COMMIT, 1ull << 63, E2BIG},
		{"2^64 - 1", READER_OK, GIT_OBJECT_COMMIT, UINT64_MAX, E2BIG},
		{"nothing", READER_OK, GIT_OBJECT_COMMIT, 0, EINVAL},
	};
	struct import_fixture *f = *state;
	unsigned char head[READER_ANSWER_SIZE];
	struct error err = {};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r;

		reader_pack_answer(head, cases[i].status, cases[i].type, cases[i].size);
		r = import_said(f, "deadbeef00000000000000000000000000000000", head,
				sizeof(head), false, 60000, &err);
		if (r != -cases[i].errnum)
			fail_msg("%s: %d %s", cases[i].name, r, error_text(&err));
	}
	/* a prefix expanded to something else */
	reader_pack_answer(head, READER_OK, 0, 19);
	assert_int_equal(import_said(f, "deadbeef", head, sizeof(head), false, 60000, &err),
			 -EPROTO);
	{
		unsigned char answer[READER_ANSWER_SIZE + 20] = {};

		reader_pack_answer(answer, READER_OK, 0, 20);
		assert_int_equal(import_said(f, "deadbeef", answer, sizeof(answer), false,
					     60000, &err),
				 -EPROTO);
	}
	/* silence, at once or in the middle of an answer */
	expect_error(import_said(f, "deadbeef", head, 0, false, 50, &err), ETIMEDOUT,
		     "too long", &err);
	expect_error(import_said(f, "deadbeef", head, 5, false, 50, &err), ETIMEDOUT,
		     "too long", &err);
}

#define KILL_ROUNDS 40
#define KILL_STEP_US 500

/* Killed at any moment it leaves a whole pack or none: the same import succeeds after the
 * recovery. */
static void test_killed(void **state)
{
	struct import_fixture *f = *state;
	char commit[OID_HEX_SIZE];
	struct import_result result;
	unsigned stored = 0;
	struct error err = {};

	raw_init(&f->proposed);
	for (int i = 0; i < KILL_ROUNDS; i++) {
		_cleanup_free_ char *content = str_format("%d", i);
		int removed, status;
		pid_t pid;

		put_file_commit(f, "a", content, i > 0 ? commit : NULL, commit);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(import(f, commit, &result, &err) == 0 ? 0 : 1);
		usleep((useconds_t)i * KILL_STEP_US);
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		repo_free(f->applied->repo);
		f->applied->repo = NULL;
		expect_ok(repo_recover(f->applied->dir, &removed, &err), &err);
		expect_ok(repo_open(f->applied->dir, &f->applied->repo, &err), &err);
		expect_ok(import(f, commit, &result, &err), &err);
		stored += result.new_objects == 0;
		assert_int_equal(result.new_objects % 3, 0);
	}
	print_message("# %u of %d were stored before they were killed\n", stored, KILL_ROUNDS);
	assert_int_equal(count_files(f, "objects/pack/*.pack", PACK_MODE), KILL_ROUNDS);
	assert_int_equal(count_files(f, "objects/pack/*", PACK_MODE), 2 * KILL_ROUNDS);
	assert_int_equal(run_git(f->applied, "fsck --strict --no-dangling >/dev/null 2>&1"), 0);
}

/* A shell that changes the proposed repository until its standard input ends. */
static FILE *start_changes(struct import_fixture *f, const char *command)
{
	_cleanup_free_ char *line = str_format(
		"cd '%s' && export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=A "
		"GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A "
		"GIT_COMMITTER_EMAIL=a@b " RAW_GIT_FAST
		"; while ! read -t 0.01 x; do { %s; } >/dev/null 2>&1; done",
		f->proposed_dir, command);
	_cleanup_free_ char *script = str_format("%s/changes", f->applied->top);
	_cleanup_free_ char *start = str_format("exec bash '%s'", script);

	raw_write_file(script, line, strlen(line));
	return popen(start, "we");
}

static void stop_changes(FILE *changes)
{
	fputs("stop\n", changes);
	assert_int_equal(pclose(changes), 0);
}

static void read_tip(struct import_fixture *f, char ret[OID_HEX_SIZE])
{
	_cleanup_free_ char *path = raw_path(&f->proposed, ".git/refs/heads/main");
	_cleanup_buf_ struct buf text = {};

	if (file_read(AT_FDCWD, path, 100, &text, NULL) < 0 || text.size < OID_HEX_SIZE)
		strcpy(ret, "0000000000000000000000000000000000000000");
	else
		(void)snprintf(ret, OID_HEX_SIZE, "%s", buf_str(&text));
}

#define RACE_ROUNDS 40
#define RACE_AGE 8

/* Amended and collected meanwhile: what is taken is whole, what is gone is said to be. */
static void test_amend_and_gc(void **state)
{
	struct import_fixture *f = *state;
	char tips[RACE_ROUNDS][OID_HEX_SIZE], tip[OID_HEX_SIZE];
	struct import_result result;
	struct error err = {};
	unsigned taken = 0;
	FILE *changes;

	raw_shell(&f->proposed,
		  "git init -q -b main . && mkdir d && for i in $(seq 100); do echo $i >d/$i; "
		  "done && "
		  "git add d && git commit -qm 1 && git config core.logAllRefUpdates false && "
		  "git config gc.packRefs false && rm -rf .git/logs");
	changes = start_changes(
		f, "date +%N >d/7; git add d/7; git commit -q --amend -m $RANDOM; "
		   "git prune --expire=now; [ $RANDOM -gt 24000 ] && git repack -adq; true");
	assert_non_null(changes);
	for (int i = 0; i < RACE_ROUNDS; i++) {
		int r;

		read_tip(f, tips[i]);
		/* now and then one that is there, else one that was a while ago and may be gone
		 */
		r = import(f, tips[i % 8 == 0 || i < RACE_AGE ? i & ~7 : i - RACE_AGE], &result,
			   &err);
		if (r == 0)
			taken++;
		else if (r != -ENOENT && r != -EINVAL && r != -EPIPE)
			fail_msg("%d %s", r, error_text(&err));
	}
	stop_changes(changes);
	read_tip(f, tip);
	expect_ok(import(f, tip, &result, &err), &err);
	print_message("# %u of %d imports were in time\n", taken, RACE_ROUNDS);
	assert_int_equal(run_git(f->applied, "fsck --strict --no-dangling >/dev/null 2>&1"), 0);
}

/* A reader that has looked at the repository before it was amended and collected. */
static void test_collected(void **state)
{
	struct import_fixture *f = *state;
	_cleanup_close_ int fd = -1, pidfd = -1;
	_cleanup_buf_ struct buf before = {}, after = {};
	char first[OID_HEX_SIZE], old[OID_HEX_SIZE], new[OID_HEX_SIZE];
	struct import_result result;
	struct error err = {};
	int r;

	raw_shell(&f->proposed,
		  "git init -q -b main . && git config core.logAllRefUpdates false && "
		  "git config gc.packRefs false && echo 1 >a && git add a && git commit -qm 1");
	read_tip(f, first);
	expect_ok(reader_process_start(f->proposed.dir, NULL, &fd, &pidfd, &err), &err);
	expect_ok(import_commit(f->applied->repo, fd, first, &import_limits_default, &result,
				&err),
		  &err);
	raw_shell(&f->proposed, "echo 2 >a && git commit -qam 2 && git repack -adq; true");
	read_tip(f, old);
	raw_shell(&f->proposed, "echo 3 >a && git commit -q --amend -am 3 && "
				"git -c gc.pruneExpire=now gc -q --prune=now");
	read_tip(f, new);
	corpus_snapshot(f->applied->dir, &before);
	r = import_commit(f->applied->repo, fd, old, &import_limits_default, &result, &err);
	expect_error(r, ENOENT, "is missing", &err);
	assert_non_null(strstr(err.hint, "submit again"));
	corpus_snapshot(f->applied->dir, &after);
	assert_string_equal(buf_str(&before), buf_str(&after));
	expect_ok(import_commit(f->applied->repo, fd, new, &import_limits_default, &result,
				&err),
		  &err);
	closep(&fd);
	fd = -1;
	child_kill(pidfd);
}

/* The same objects move from pack to pack under the reader's feet: every import succeeds. */
static void test_repack(void **state)
{
	struct import_fixture *f = *state;
	char tips[RACE_ROUNDS][OID_HEX_SIZE];
	struct import_result result;
	struct error err = {};
	FILE *changes;

	raw_shell(
		&f->proposed,
		"git init -q -b main . && mkdir d && for i in $(seq 40); do seq $i 300 >d/$i; "
		"git add d; git commit -qm $i; cp .git/refs/heads/main tip$i; done");
	for (int i = 0; i < RACE_ROUNDS; i++) {
		_cleanup_free_ char *path = raw_path(&f->proposed, "tip%d", i + 1);
		_cleanup_buf_ struct buf text = {};

		expect_ok(file_read(AT_FDCWD, path, 100, &text, &err), &err);
		(void)snprintf(tips[i], OID_HEX_SIZE, "%s", buf_str(&text));
	}
	changes = start_changes(f, "git repack -adfq --depth=$((RANDOM % 20 + 1))");
	assert_non_null(changes);
	for (int i = 0; i < RACE_ROUNDS; i++)
		expect_ok(import(f, tips[i], &result, &err), &err);
	stop_changes(changes);
	assert_int_equal(run_git(f->applied, "fsck --strict --no-dangling >/dev/null 2>&1"), 0);
}

#define import_test(f) cmocka_unit_test_setup_teardown(f, import_setup, import_teardown)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		import_test(test_one_after_another),
		import_test(test_known_commit_needs_no_reader),
		import_test(test_known_bomb),
		import_test(test_known_types),
		import_test(test_ids),
		import_test(test_reader_dies),
		import_test(test_reader_lies_a_bit),
		import_test(test_reader_lies_big),
		import_test(test_killed),
		import_test(test_amend_and_gc),
		import_test(test_collected),
		import_test(test_repack),
	};
	int r = reader_process_main(argc, argv);

	return r >= 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
