#include "git/fixture.h"
#include "git/refs.h"
#include "git/tag.h"

static void test_byte_exact(void **state)
{
	struct fixture *f = *state;
	static const char *const messages[] = {
		"plain\n",
		"no newline at the end",
		"",
		"\n\nblank lines\n\n\n# not a comment\n  indented \t \n\n\nblank lines\n\n\n",
		"title\n\nSkep-Seq: 7\nSkep-Prev: e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n",
		"-----BEGIN PGP SIGNATURE-----\nnot one\n",
		"grüße, 世界 \xf0\x9f\x90\x9d\n",
		"object deadbeef\ntype commit\n",
	};
	char blob[OID_HEX_SIZE], oid[OID_HEX_SIZE], ref[OID_HEX_SIZE];
	_cleanup_free_ char *path = str_format("%s/wanted", f->top);
	struct error err = {};

	put_object(f, GIT_OBJECT_BLOB, "x", 1, blob);
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		_cleanup_free_ char *name = str_format("denied/%zu", i);
		_cleanup_free_ char *full = str_format("refs/tags/%s", name);
		_cleanup_free_ char *wanted = str_format("object %s\ntype blob\ntag %s\ntagger "
							 "skep <skep@localhost> %d +0000\n\n%s",
							 blob, name, WALL, messages[i]);
		_cleanup_free_ char *compare = NULL;
		struct tag tag;

		expect_ok(tag_create(f->repo, name, blob, messages[i], WALL, oid, &err), &err);
		expect_ok(refs_read(f->repo, full, ref, &err), &err);
		assert_string_equal(oid, ref);
		write_file(path, wanted);
		compare = str_format("cat-file tag %s | cmp - %s", oid, path);
		assert_int_equal(run_git(f, compare), 0);

		expect_ok(tag_read(f->repo, oid, &tag, &err), &err);
		assert_string_equal(buf_str(&tag.message), messages[i]);
		assert_string_equal(tag.name, name);
		assert_string_equal(tag.target, blob);
		assert_int_equal(tag.wall_s, WALL);
		tag_release(&tag);
	}
	assert_int_equal(run_git(f, "fsck --strict"), 0);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	char blob[OID_HEX_SIZE], oid[OID_HEX_SIZE] = "untouched";
	char name[200], *huge = mem_new(1, (1u << 20) + 2);
	struct error err = {};
	struct tag tag;

	put_object(f, GIT_OBJECT_BLOB, "x", 1, blob);
	memset(name, 'n', sizeof(name));
	name[128] = '\0';
	memset(huge, 'h', (1u << 20) + 1);
	expect_error(tag_create(f->repo, name, blob, "m", WALL, oid, &err), EINVAL, "too long",
		     &err);
	expect_error(tag_create(f->repo, "a b", blob, "m", WALL, oid, &err), EINVAL,
		     "not a reference's name", &err);
	expect_error(tag_create(f->repo, "t", blob, "\xff", WALL, oid, &err), EINVAL,
		     "not UTF-8", &err);
	expect_error(tag_create(f->repo, "t", blob, huge, WALL, oid, &err), E2BIG,
		     "larger than", &err);
	expect_error(tag_create(f->repo, "t", "00000000000000000000000000000000000000aa", "m",
				WALL, oid, &err),
		     ENOENT, "00aa", &err);
	assert_string_equal(oid, "untouched");
	expect_ok(tag_create(f->repo, "t", blob, "m", WALL, oid, &err), &err);
	expect_error(tag_create(f->repo, "t", blob, "m", WALL, oid, &err), EEXIST,
		     "tag 't' exists", &err);
	expect_error(tag_create(f->repo, "t", blob, "another", WALL, oid, &err), EEXIST,
		     "tag 't' exists", &err);
	expect_error(tag_read(f->repo, blob, &tag, &err), EINVAL, "is a blob, not a tag", &err);
	/* tags of tags read like others */
	expect_ok(tag_create(f->repo, "t2", oid, "m", WALL, oid, &err), &err);
	expect_ok(tag_read(f->repo, oid, &tag, &err), &err);
	tag_release(&tag);
	free(huge);
}

/* A writer that is killed leaves a repository in which the tag is either there or can be made.
 */
static void test_killed_writer(void **state)
{
	struct fixture *f = *state;
	char blob[OID_HEX_SIZE], oid[OID_HEX_SIZE];
	struct error err = {};
	int removed, status;
	pid_t pid;

	put_object(f, GIT_OBJECT_BLOB, "x", 1, blob);
	pid = fork();
	if (pid == 0) {
		char *noise = mem_new(1, 65537);
		uint64_t x = 1;

		for (size_t i = 0; i < 65536; i++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			noise[i] = (char)('!' + (x >> 33) % 90);
		}
		(void)signal(SIGXFSZ, SIG_DFL);
		(void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
		(void)tag_create(f->repo, "failed/1", blob, noise, WALL, oid, &err);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	expect_ok(repo_recover(f->dir, &removed, &err), &err);
	assert_int_equal(removed, 1);
	expect_error(refs_read(f->repo, "refs/tags/failed/1", oid, &err), ENOENT, "failed/1",
		     &err);
	expect_ok(tag_create(f->repo, "failed/1", blob, "m", WALL, oid, &err), &err);
	assert_int_equal(run_git(f, "fsck --strict"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_byte_exact, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_killed_writer, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
