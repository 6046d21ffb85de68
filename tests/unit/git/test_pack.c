/* What is written as one pack is read back by libgit2 and by git, and a pack that could not be
 * written leaves nothing. */
#include "git/fixture.h"

#include "git/pack.h"

#include <dirent.h>
#include <git2/sys/mempack.h>

#define OBJECTS 600 /* more than one for each first byte of an id */
#define SIZES 40

struct source {
	git_odb *odb;
	git_oid ids[OBJECTS];
};

static void source_release(struct source *s)
{
	git_odb_free(s->odb);
}

/* Of every size round those at which the head of an object grows by a byte. */
static size_t size_of(size_t i)
{
	static const size_t edges[] = {0, 15, 16, 2047, 2048, 262143, 262144};

	return i < ARRAY_SIZE(edges) ? edges[i] : i % SIZES;
}

static void fill(struct source *s)
{
	git_odb_backend *memory;

	assert_int_equal(git_odb_new(&s->odb), 0);
	assert_int_equal(git_mempack_new(&memory), 0);
	assert_int_equal(git_odb_add_backend(s->odb, memory, 1), 0);
	for (size_t i = 0; i < OBJECTS; i++) {
		size_t size = size_of(i);
		_cleanup_free_ char *data = mem_new(size, 1);

		for (size_t at = 0; at < size; at++)
			data[at] = (char)(at < sizeof(i) ? i >> 8 * at : at * i + at / 100);
		assert_int_equal(git_odb_write(&s->ids[i], s->odb, data, size, GIT_OBJECT_BLOB),
				 0);
	}
}

static int by_id(const void *a, const void *b)
{
	return git_oid_cmp(a, b);
}

/* Equal content has one id. */
static size_t unique(git_oid *ids, size_t n)
{
	size_t kept = 0;

	qsort(ids, n, sizeof(*ids), by_id);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !git_oid_equal(&ids[kept - 1], &ids[i]))
			ids[kept++] = ids[i];
	return kept;
}

static size_t count_files(struct fixture *f)
{
	_cleanup_free_ char *path = str_format("%s/.git/objects/pack", f->dir);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	return n;
}

static void test_read_back(void **state)
{
	struct fixture *f = *state;
	_cleanup_(source_release) struct source s = {};
	_cleanup_(repo_freep) struct repo *again = NULL;
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	struct error err = {};
	size_t n;

	fill(&s);
	n = unique(s.ids, OBJECTS);
	expect_ok(pack_write(f->repo, s.odb, s.ids, n, &err), &err);
	assert_int_equal(count_files(f), 2);
	expect_ok(repo_open(f->dir, &again, &err), &err);
	assert_int_equal(git_repository_odb(&odb, again->git), 0);
	for (size_t i = 0; i < n; i++) {
		_cleanup_(git_odb_object_freep) git_odb_object *was = NULL, *is = NULL;

		assert_int_equal(git_odb_read(&was, s.odb, &s.ids[i]), 0);
		assert_int_equal(git_odb_read(&is, odb, &s.ids[i]), 0);
		assert_int_equal(git_odb_object_type(is), GIT_OBJECT_BLOB);
		assert_int_equal(git_odb_object_size(is), git_odb_object_size(was));
		assert_memory_equal(git_odb_object_data(is), git_odb_object_data(was),
				    git_odb_object_size(was));
	}
	assert_int_equal(run_git(f, "fsck --strict --full > /dev/null 2>&1"), 0);
	assert_int_equal(run_git(f,
				 "rev-parse && git verify-pack .git/objects/pack/pack-*.idx"),
			 0);
	/* the same again is the same file */
	expect_ok(pack_write(f->repo, s.odb, s.ids, n, &err), &err);
	assert_int_equal(count_files(f), 2);
}

static void test_every_type(void **state)
{
	struct fixture *f = *state;
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	char commit[OID_HEX_SIZE], tree[OID_HEX_SIZE], blob[OID_HEX_SIZE];
	const char *const names[] = {commit, tree, blob};
	_cleanup_buf_ struct buf entries = {};
	struct error err = {};
	git_oid ids[3];

	put_object(f, GIT_OBJECT_BLOB, "x\n", 2, blob);
	add_entry(&entries, "100644", "x", blob);
	put_object(f, GIT_OBJECT_TREE, entries.data, entries.size, tree);
	put_commit(f, tree, NULL, commit);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(git_oid_fromstr(&ids[i], names[i]), 0);
	assert_int_equal(git_repository_odb(&odb, f->repo->git), 0);
	expect_ok(pack_write(f->repo, odb, ids, ARRAY_SIZE(ids), &err), &err);
	assert_int_equal(run_git(f, "prune-packed && git --git-dir=.git fsck --strict --full > "
				    "/dev/null 2>&1"),
			 0);
}

static void test_nothing_is_left(void **state)
{
	struct fixture *f = *state;
	_cleanup_(source_release) struct source s = {};
	struct error err = {};
	git_oid absent = {.id = {1, 2, 3}};

	fill(&s);
	expect_error(pack_write(f->repo, s.odb, &absent, 1, &err), ENOENT, "for the pack",
		     &err);
	assert_int_equal(count_files(f), 0);
}

/* What a writer that was killed leaves is removed at the next start. */
static void test_recovery(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *pack = str_format("%s/.git/objects/pack/tmp_pack-1.pack", f->dir);
	_cleanup_free_ char *index = str_format("%s/.git/objects/pack/tmp_pack-1.idx", f->dir);
	struct error err = {};
	int removed = 0;

	write_file(pack, "half");
	write_file(index, "half");
	expect_ok(repo_recover(f->dir, &removed, &err), &err);
	assert_int_equal(removed, 2);
	assert_int_equal(count_files(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_back, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_every_type, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_left, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_recovery, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
