#include "git/fixture.h"
#include "git/refs.h"

#include <fcntl.h>
#include <sys/stat.h>

#define ABSENT "00000000000000000000000000000000000000aa"

struct seen {
	struct buf text; /* "name id-index\n" */
	const char *oids[2];
};

static int note(const char *name, const char *oid, void *data)
{
	struct seen *seen = data;
	int which = strcmp(oid, seen->oids[0]) == 0   ? 0
		    : strcmp(oid, seen->oids[1]) == 0 ? 1
						      : -1;

	buf_addf(&seen->text, "%s %d\n", name, which);
	return 0;
}

static int stop_at_second(const char *name, const char *oid, void *data)
{
	(void)name;
	(void)oid;
	return ++*(int *)data == 2 ? 77 : 0;
}

static char *ref_path(struct fixture *f, const char *name)
{
	return str_format("%s/.git/%s", f->dir, name);
}

static void two_blobs(struct fixture *f, char a[OID_HEX_SIZE], char b[OID_HEX_SIZE])
{
	put_object(f, GIT_OBJECT_BLOB, "a", 1, a);
	put_object(f, GIT_OBJECT_BLOB, "b", 1, b);
}

static void test_create_move_delete(void **state)
{
	struct fixture *f = *state;
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE], got[OID_HEX_SIZE];
	struct error err = {};

	two_blobs(f, a, b);
	for (int packed = 0; packed <= 1; packed++) {
		expect_error(refs_read(f->repo, "refs/tags/proposal/1", got, &err), ENOENT,
			     "proposal/1", &err);
		expect_error(refs_move(f->repo, "refs/tags/proposal/1", b, a, &err), ESTALE, a,
			     &err);
		expect_ok(refs_create(f->repo, "refs/tags/proposal/1", a, &err), &err);
		if (packed)
			expect_ok(refs_pack(f->repo, &err), &err);
		expect_error(refs_create(f->repo, "refs/tags/proposal/1", a, &err), EEXIST,
			     "proposal/1", &err);
		expect_error(refs_create(f->repo, "refs/tags/proposal/1", b, &err), EEXIST,
			     "proposal/1", &err);
		expect_error(refs_move(f->repo, "refs/tags/proposal/1", b, NULL, &err), ESTALE,
			     "absent", &err);
		expect_error(refs_move(f->repo, "refs/tags/proposal/1", a, b, &err), ESTALE, b,
			     &err);
		expect_ok(refs_read(f->repo, "refs/tags/proposal/1", got, &err), &err);
		assert_string_equal(got, a);
		expect_ok(refs_move(f->repo, "refs/tags/proposal/1", b, a, &err), &err);
		expect_ok(refs_read(f->repo, "refs/tags/proposal/1", got, &err), &err);
		assert_string_equal(got, b);
		expect_ok(refs_delete(f->repo, "refs/tags/proposal/1", &err), &err);
		expect_ok(refs_delete(f->repo, "refs/tags/proposal/1", &err), &err);
	}
	expect_ok(refs_move(f->repo, "refs/heads/main", a, NULL, &err), &err);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"refs/tags/",     "refs/tags/a..b",
					    "refs/../config", "HEAD",
					    "config",         "refs/tags/x.lock",
					    "refs/tags/a b",  ""};
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE], got[OID_HEX_SIZE];
	struct error err = {};

	two_blobs(f, a, b);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		expect_error(refs_create(f->repo, names[i], a, &err), EINVAL,
			     "not a reference's name", &err);
		expect_error(refs_delete(f->repo, names[i], &err), EINVAL,
			     "not a reference's name", &err);
		expect_error(refs_read(f->repo, names[i], got, &err), EINVAL,
			     "not a reference's name", &err);
	}
	expect_error(refs_create(f->repo, "refs/tags/x", ABSENT, &err), ENOENT, ABSENT, &err);
	expect_error(refs_create(f->repo, "refs/tags/x", "abc", &err), EINVAL, "'abc'", &err);
	expect_ok(refs_create(f->repo, "refs/tags/x", a, &err), &err);
	expect_error(refs_create(f->repo, "refs/tags/x/y", a, &err), EINVAL, "refs/tags/x/y",
		     &err);
	expect_ok(refs_pack(f->repo, &err), &err);
	expect_error(refs_create(f->repo, "refs/tags/x/y", a, &err), EINVAL, "refs/tags/x/y",
		     &err);
}

static void test_stale_locks(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *lock = ref_path(f, "refs/tags/deployed.lock");
	_cleanup_free_ char *packed_lock = ref_path(f, "packed-refs.lock");
	_cleanup_free_ char *old_lock = ref_path(f, "refs/tags/old.lock");
	const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE];
	struct error err = {};
	int removed;

	two_blobs(f, a, b);
	expect_ok(refs_create(f->repo, "refs/tags/old", a, &err), &err);
	write_file(lock, "");
	write_file(packed_lock, "");
	expect_error(refs_create(f->repo, "refs/tags/deployed", a, &err), EBUSY, lock, &err);
	assert_true(strstr(err.hint, "restart") != NULL);
	/* other references are not held up by it, nor by the lock of packed-refs */
	expect_ok(refs_create(f->repo, "refs/tags/deployed2", a, &err), &err);
	expect_ok(refs_move(f->repo, "refs/tags/old", b, a, &err), &err);
	expect_error(refs_pack(f->repo, &err), EBUSY, packed_lock, &err);
	/* nobody holds one for a minute */
	write_file(old_lock, "");
	expect_error(refs_move(f->repo, "refs/tags/old", a, b, &err), EBUSY, old_lock, &err);
	assert_int_equal(utimensat(AT_FDCWD, old_lock, long_ago, 0), 0);
	expect_ok(refs_move(f->repo, "refs/tags/old", a, b, &err), &err);
	expect_ok(repo_recover(f->dir, &removed, &err), &err);
	assert_int_equal(removed, 2);
	expect_ok(refs_create(f->repo, "refs/tags/deployed", a, &err), &err);
	expect_ok(refs_pack(f->repo, &err), &err);
}

static void test_scan(void **state)
{
	struct fixture *f = *state;
	static const char *const packed[] = {"refs/heads/main", "refs/tags/deployed/0",
					     "refs/tags/deployed/1", "refs/tags/proposal/1"};
	static const char *const loose[] = {"refs/tags/approved/1", "refs/tags/proposal/10",
					    "refs/tags/proposal/2"};
	_cleanup_free_ char *lock = ref_path(f, "refs/tags/proposal/3.lock");
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE];
	struct seen seen = {.oids = {a, b}};
	struct error err = {};
	int count = 0;

	two_blobs(f, a, b);
	expect_ok(refs_scan(f->dir, "refs/", note, &seen, &err), &err);
	assert_string_equal(buf_str(&seen.text), "");
	for (size_t i = 0; i < ARRAY_SIZE(packed); i++)
		expect_ok(refs_create(f->repo, packed[i], a, &err), &err);
	expect_ok(refs_pack(f->repo, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(loose); i++)
		expect_ok(refs_create(f->repo, loose[i], b, &err), &err);
	expect_ok(refs_move(f->repo, "refs/tags/deployed/1", b, a, &err), &err);
	write_file(lock, "");

	expect_ok(refs_scan(f->dir, "refs/", note, &seen, &err), &err);
	assert_string_equal(buf_str(&seen.text), "refs/heads/main 0\n"
						 "refs/tags/approved/1 1\n"
						 "refs/tags/deployed/0 0\n"
						 "refs/tags/deployed/1 1\n"
						 "refs/tags/proposal/1 0\n"
						 "refs/tags/proposal/10 1\n"
						 "refs/tags/proposal/2 1\n");
	buf_truncate(&seen.text, 0);
	expect_ok(refs_scan(f->dir, "refs/tags/deployed/", note, &seen, &err), &err);
	assert_string_equal(buf_str(&seen.text),
			    "refs/tags/deployed/0 0\nrefs/tags/deployed/1 1\n");
	buf_truncate(&seen.text, 0);
	expect_ok(refs_scan(f->dir, "refs/tags/p", note, &seen, &err), &err);
	assert_string_equal(buf_str(&seen.text), "refs/tags/proposal/1 0\n"
						 "refs/tags/proposal/10 1\n"
						 "refs/tags/proposal/2 1\n");
	assert_int_equal(refs_scan(f->dir, "refs/", stop_at_second, &count, &err), 77);
	buf_release(&seen.text);
}

static void test_scan_reports_damage(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *content;
		const char *words;
	} broken[] = {
		{"", "it is empty"},
		{"0123\n", "it holds no object id"},
		{"ref: refs/tags/good\n", "it holds no object id"},
		{"e69de29bb2d1d6434b8b29ae775ad8c2e48c539X\n", "it holds no object id"},
		{"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 x\n", "it holds no object id"},
	};
	_cleanup_free_ char *path = ref_path(f, "refs/tags/deployed");
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE], got[OID_HEX_SIZE];
	struct seen seen = {.oids = {a, b}};
	struct error err = {};

	two_blobs(f, a, b);
	expect_ok(refs_create(f->repo, "refs/tags/deployed", a, &err), &err);
	expect_ok(refs_create(f->repo, "refs/tags/good", a, &err), &err);
	expect_ok(refs_pack(f->repo, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		write_file(path, broken[i].content);
		buf_truncate(&seen.text, 0);
		expect_error(refs_scan(f->dir, "refs/", note, &seen, &err), EUCLEAN,
			     broken[i].words, &err);
		assert_true(strstr(error_text(&err), "refs/tags/deployed") != NULL);
		/* the sound ones were delivered; the packed twin of a damaged file is no
		 * substitute for it */
		assert_string_equal(buf_str(&seen.text), "refs/tags/good 0\n");
		if (strncmp(broken[i].content, "ref:", 4) != 0 && i < 4) {
			expect_error(refs_read(f->repo, "refs/tags/deployed", got, &err),
				     EUCLEAN, "refs/tags/deployed", &err);
			expect_error(refs_move(f->repo, "refs/tags/deployed", b, a, &err),
				     EUCLEAN, "refs/tags/deployed", &err);
		}
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_error(refs_scan(f->dir, "refs/", note, &seen, &err), EUCLEAN,
		     "not a regular file", &err);
	assert_int_equal(unlink(path), 0);
	expect_ok(refs_scan(f->dir, "refs/", note, &seen, &err), &err);
	buf_release(&seen.text);
}

static void test_scan_reports_damaged_packed_refs(void **state)
{
	struct fixture *f = *state;
	static const char *const broken[] = {
		"# pack-refs with: peeled\nabc refs/tags/x\n",
		"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 \n",
		"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 refs/tags/x",
		"\n",
	};
	_cleanup_free_ char *path = ref_path(f, "packed-refs");
	struct seen seen = {.oids = {"", ""}};
	struct error err = {};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		write_file(path, broken[i]);
		expect_error(refs_scan(f->dir, "refs/", note, &seen, &err), EUCLEAN,
			     "packed-refs is damaged", &err);
	}
	write_file(path, "# pack-refs with: peeled fully-peeled sorted \n"
			 "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 refs/tags/x\n"
			 "^e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n");
	expect_ok(refs_scan(f->dir, "refs/", note, &seen, &err), &err);
	assert_string_equal(buf_str(&seen.text), "refs/tags/x -1\n");
	buf_release(&seen.text);
}

/* Two processes want the same 200 names for different values: each name goes to exactly one of
 * them. */
static void test_concurrent_create(void **state)
{
	struct fixture *f = *state;
	enum { NAMES = 200 };
	char oids[2][OID_HEX_SIZE], got[OID_HEX_SIZE];
	bool won[2][NAMES];
	int results[2], start[2];
	pid_t pids[2];
	struct error err = {};
	char byte;

	two_blobs(f, oids[0], oids[1]);
	assert_int_equal(pipe2(start, O_CLOEXEC), 0);
	for (int who = 0; who < 2; who++) {
		int out[2];

		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		pids[who] = fork();
		if (pids[who] == 0) {
			struct repo *repo = NULL;

			(void)close(start[1]);
			if (read(start[0], &byte, 1) != 0 || /* ends for both at once */
			    repo_open(f->dir, &repo, &err) < 0)
				_exit(1);
			for (int i = 0; i < NAMES; i++) {
				_cleanup_free_ char *name = str_format("refs/tags/n/%d", i);
				int r;

				do
					r = refs_create(repo, name, oids[who], &err);
				while (r == -EBUSY);
				if (r < 0 && r != -EEXIST)
					_exit(2);
				won[who][i] = r == 0;
			}
			_exit(file_write_all(out[1], won[who], sizeof(won[who])) == 0 ? 0 : 3);
		}
		(void)close(out[1]);
		results[who] = out[0];
	}
	(void)close(start[1]);
	(void)close(start[0]);
	for (int who = 0; who < 2; who++) {
		int status;

		assert_int_equal(read(results[who], won[who], sizeof(won[who])),
				 sizeof(won[who]));
		(void)close(results[who]);
		assert_int_equal(waitpid(pids[who], &status, 0), pids[who]);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < NAMES; i++) {
		_cleanup_free_ char *name = str_format("refs/tags/n/%d", i);

		assert_int_equal(won[0][i] + won[1][i], 1);
		expect_ok(refs_read(f->repo, name, got, &err), &err);
		assert_string_equal(got, oids[won[1][i]]);
	}
}

static void test_git_agrees(void **state)
{
	struct fixture *f = *state;
	char tree[OID_HEX_SIZE], commit[OID_HEX_SIZE];
	_cleanup_free_ char *check = NULL;
	struct error err = {};

	put_object(f, GIT_OBJECT_TREE, "", 0, tree);
	put_commit(f, tree, NULL, commit);
	expect_ok(refs_create(f->repo, "refs/heads/main", commit, &err), &err);
	expect_ok(refs_pack(f->repo, &err), &err);
	check = str_format("rev-parse HEAD | grep -qx %s", commit);
	assert_int_equal(run_git(f, check), 0);
	assert_int_equal(run_git(f, "fsck --strict"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_create_move_delete, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_stale_locks, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_scan, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_scan_reports_damage, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_scan_reports_damaged_packed_refs,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_concurrent_create, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_git_agrees, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
