/* A tag keeps its bytes, and so its id, in a repository that has nothing of what it is for. */
#include "git/fixture.h"
#include "git/refs.h"
#include "git/tagfile.h"

struct seen {
	unsigned count;
	char name[64], oid[OID_HEX_SIZE], message[64];
};

static int on_tag(const char *name, const char *oid, const struct tag *tag, void *data)
{
	struct seen *seen = data;

	seen->count++;
	snprintf(seen->name, sizeof(seen->name), "%s", name);
	snprintf(seen->oid, sizeof(seen->oid), "%s", oid);
	snprintf(seen->message, sizeof(seen->message), "%s", buf_str(&tag->message));
	return 0;
}

static void test_keep(void **state)
{
	static const char ref[] = "refs/skep/purged/alice";
	struct fixture *f = *state;
	_cleanup_free_ char *dir = str_format("%s/other", f->top);
	_cleanup_free_ char *fsck = str_format("git -C %s/.git fsck --strict 2>&1", dir);
	_cleanup_free_ char *repack = str_format("git -C %s/.git repack -adq 2>&1", dir);
	_cleanup_(repo_freep) struct repo *other = NULL;
	char blob[OID_HEX_SIZE], oid[OID_HEX_SIZE], first[OID_HEX_SIZE], second[OID_HEX_SIZE];
	struct error err = {};
	struct seen seen = {};

	put_object(f, GIT_OBJECT_BLOB, "x", 1, blob);
	expect_ok(tag_create(f->repo, "denied/1", blob, "why\n", WALL, oid, &err), &err);
	expect_ok(refs_create(f->repo, "refs/tags/building/1", blob, &err), &err);
	expect_ok(repo_create(dir, &err), &err);
	expect_ok(repo_open(dir, &other, &err), &err);
	expect_ok(tagfile_keep(f->dir, other, ref, WALL, &err), &err);
	expect_ok(tagfile_each(other, ref, on_tag, &seen, &err), &err);
	assert_int_equal(seen.count, 1); /* the plain mark is no tag */
	assert_string_equal(seen.name, "refs/tags/denied/1");
	assert_string_equal(seen.oid, oid);
	assert_string_equal(seen.message, "why\n");

	/* again is no second copy; a name that comes back with another tag is one more */
	expect_ok(tagfile_keep(f->dir, other, ref, WALL, &err), &err);
	expect_ok(refs_read(other, ref, first, &err), &err);
	expect_ok(refs_delete(f->repo, "refs/tags/denied/1", &err), &err);
	expect_ok(tag_create(f->repo, "denied/1", blob, "another\n", WALL, oid, &err), &err);
	expect_ok(tagfile_keep(f->dir, other, ref, WALL, &err), &err);
	expect_ok(refs_read(other, ref, second, &err), &err);
	assert_string_not_equal(first, second);
	seen = (struct seen){};
	expect_ok(tagfile_each(other, ref, on_tag, &seen, &err), &err);
	assert_int_equal(seen.count, 2);

	/* git itself finds nothing missing */
	assert_int_equal(system(fsck), 0);
	assert_int_equal(system(repack), 0);
	assert_int_equal(tagfile_each(other, "refs/skep/purged/bob", on_tag, &seen, &err),
			 -ENOENT);
}

static void test_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"object 123\ntype blob\ntag a\ntagger x <y> 1 +0000\n\nm",
		"object 1111111111111111111111111111111111111111\ntype blob\ntag a\n\nm",
		"type blob\nobject 1111111111111111111111111111111111111111\ntag a\ntagger x "
		"<y> 1 +0000\n\nm",
		"object 1111111111111111111111111111111111111111\ntype blob\ntag a\ntagger x "
		"<y> 1 +0000\nextra 1\n\nm",
	};
	struct tag tag;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = {};

		expect_error(tag_parse(bad[i], strlen(bad[i]), &tag, &err), EINVAL,
			     "tag object", &err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keep, fixture_setup, fixture_teardown),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
