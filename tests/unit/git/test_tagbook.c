#include "git/fixture.h"
#include "git/tagbook.h"

#define TAGS 40

struct written {
	char *path;
	char ids[TAGS][OID_HEX_SIZE];
};

/* Tags of different lengths, none of them in the book yet. */
static void make_tags(struct fixture *f, struct written *w)
{
	char blob[OID_HEX_SIZE];
	struct error err = {};

	put_object(f, GIT_OBJECT_BLOB, "x", 1, blob);
	w->path = str_format("%s/book", f->top);
	for (int i = 0; i < TAGS; i++) {
		_cleanup_free_ char *name = str_format("denied/%d", i);
		_cleanup_free_ char *text =
			str_format("number %d\n\n%.*s\n", i, i,
				   "a longer text than before, for every one of them");

		expect_ok(tag_create(f->repo, name, blob, text, WALL, w->ids[i], &err), &err);
	}
}

/* How many of the first n the book on disk knows; each is what the repository says. */
static int known(struct fixture *f, const struct written *w, int n)
{
	struct tagbook *book = tagbook_open(w->path);
	struct error err = {};
	int found = 0;

	for (int i = 0; i < n; i++) {
		struct tag tag, wanted;

		if (tagbook_get(book, w->ids[i], &tag) == 0)
			continue;
		found++;
		expect_ok(tag_read(f->repo, w->ids[i], &wanted, &err), &err);
		assert_string_equal(buf_str(&tag.message), buf_str(&wanted.message));
		assert_string_equal(tag.name, wanted.name);
		assert_string_equal(tag.target, wanted.target);
		assert_int_equal(tag.wall_s, wanted.wall_s);
		tag_release(&tag);
		tag_release(&wanted);
	}
	tagbook_close(book);
	return found;
}

/* What a start does: asks for the first n, and reads what is not there. */
static void use(struct fixture *f, const struct written *w, int n)
{
	struct tagbook *book = tagbook_open(w->path);
	struct error err = {};

	for (int i = 0; i < n; i++) {
		struct tag tag;

		if (tagbook_get(book, w->ids[i], &tag) == 0)
			expect_ok(tagbook_read(book, f->repo, w->ids[i], &tag, &err), &err);
		tag_release(&tag);
	}
	tagbook_close(book);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

static void test_remembers(void **state)
{
	struct fixture *f = *state;
	struct written w;
	struct tag tag;
	struct error err = {};
	struct tagbook *book;
	off_t size;

	make_tags(f, &w);
	assert_int_equal(known(f, &w, TAGS), 0);
	assert_int_equal(size_of(w.path), -1); /* nothing was read: nothing to write */
	use(f, &w, 30);
	assert_int_equal(known(f, &w, TAGS), 30);
	use(f, &w, TAGS);
	assert_int_equal(known(f, &w, TAGS), TAGS);
	size = size_of(w.path);
	use(f, &w, TAGS);
	assert_int_equal(size_of(w.path), size);

	/* what the repository does not have, and what is no tag, is an error as ever */
	book = tagbook_open(w.path);
	assert_int_equal(tagbook_get(book, "0123456789012345678901234567890123456789", &tag),
			 0);
	expect_error(tagbook_read(book, f->repo, "0123456789012345678901234567890123456789",
				  &tag, &err),
		     ENOENT, "no object", &err);
	tagbook_close(book);
	free(w.path);
}

/* Tags of agents that are gone do not stay for ever. */
static void test_forgets(void **state)
{
	struct fixture *f = *state;
	struct written w;
	off_t size;

	make_tags(f, &w);
	use(f, &w, TAGS);
	size = size_of(w.path);
	use(f, &w, 25); /* most are still asked for: not worth it */
	assert_int_equal(size_of(w.path), size);
	use(f, &w, 5);
	assert_true(size_of(w.path) < size / 4);
	assert_int_equal(known(f, &w, TAGS), 5);
	free(w.path);
}

static void damage(const char *path, off_t at, const char *with, size_t n)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, with, n, at), n);
	(void)close(fd);
}

/* Whatever became of the file: never a wrong tag, and whole again after the next start. */
static void test_damage(void **state)
{
	struct fixture *f = *state;
	struct written w;
	off_t size;

	make_tags(f, &w);
	use(f, &w, TAGS);
	size = size_of(w.path);
	for (off_t at = 0; at < size; at += 61) {
		damage(w.path, at, "\xff", 1);
		assert_true(known(f, &w, TAGS) < TAGS);
		use(f, &w, TAGS);
		assert_int_equal(known(f, &w, TAGS), TAGS);
		assert_int_equal(size_of(w.path), size);
	}
	for (off_t left = 0; left < size; left += 97) {
		assert_int_equal(truncate(w.path, left), 0);
		assert_true(known(f, &w, TAGS) < TAGS);
		use(f, &w, TAGS);
		assert_int_equal(known(f, &w, TAGS), TAGS);
	}
	damage(w.path, size, "half a record", 13);
	assert_int_equal(known(f, &w, TAGS), TAGS);
	assert_int_equal(size_of(w.path), size);
	free(w.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_remembers, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_forgets, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_damage, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
