/* The reader's answers, byte by byte, from a repository that has one of everything. */
#include "git/reader_process.h"

#include "corpus/raw.h"
#include "git/reader_wire.h"

struct reader_fixture {
	struct raw_repo repo;
	char *dir;
	int fd, pidfd;
};

static int reader_setup(void **state)
{
	struct reader_fixture *f = mem_new(1, sizeof(*f));
	char top[] = "/tmp/skep-reader-XXXXXX";
	struct error err = {};

	if (!mkdtemp(top))
		return -1;
	f->dir = str_dup(top);
	f->repo.dir = f->dir;
	raw_init(&f->repo);
	if (reader_process_start(f->dir, NULL, &f->fd, &f->pidfd, &err) < 0)
		return -1;
	*state = f;
	return 0;
}

static int reader_teardown(void **state)
{
	struct reader_fixture *f = *state;
	struct child_exit exit = {};
	struct error err = {};

	(void)close(f->fd);
	/* the end of the connection is the end of the reader */
	if (child_wait(f->pidfd, 10000, &exit) < 0)
		return -1;
	(void)close(f->pidfd);
	if (file_remove_tree(AT_FDCWD, f->dir, &err) < 0)
		return -1;
	free(f->dir);
	free(f);
	return 0;
}

static void ask(struct reader_fixture *f, char verb, const char *hex, unsigned digits)
{
	unsigned char request[READER_REQUEST_SIZE] = {(unsigned char)verb};
	git_oid id = {};

	if (*hex)
		assert_int_equal(git_oid_fromstrn(&id, hex, strlen(hex)), 0);
	memcpy(request + 1, id.id, sizeof(id.id));
	request[sizeof(request) - 1] = (unsigned char)digits;
	assert_int_equal(send(f->fd, request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
}

static void receive(struct reader_fixture *f, void *data, size_t size)
{
	assert_int_equal(recv(f->fd, data, size, MSG_WAITALL), size);
}

static void expect_answer(struct reader_fixture *f, unsigned status, unsigned type,
			  uint64_t size)
{
	unsigned char head[READER_ANSWER_SIZE];

	receive(f, head, sizeof(head));
	assert_int_equal(head[0], status);
	assert_int_equal(head[1], type);
	assert_int_equal(reader_unpack_size(head), size);
}

static void test_objects(void **state)
{
	static const char absent[] = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
	struct reader_fixture *f = *state;
	char blob[OID_HEX_SIZE], tree[OID_HEX_SIZE], text[7];
	_cleanup_free_ char *large = mem_new(IMPORT_MAX_BLOB_BYTES + 1, 1);
	_cleanup_buf_ struct buf empty = {};

	raw_put_text(&f->repo, "content", blob);
	raw_put_tree(&f->repo, &empty, tree);
	ask(f, READER_VERB_OBJECT, blob, 0);
	expect_answer(f, READER_OK, GIT_OBJECT_BLOB, 7);
	receive(f, text, 7);
	assert_memory_equal(text, "content", 7);
	/* several questions, answers in their order */
	ask(f, READER_VERB_OBJECT, absent, 0);
	ask(f, READER_VERB_OBJECT, tree, 0);
	ask(f, READER_VERB_OBJECT, blob, 0);
	expect_answer(f, READER_MISSING, 0, 0);
	expect_answer(f, READER_OK, GIT_OBJECT_TREE, 0);
	expect_answer(f, READER_OK, GIT_OBJECT_BLOB, 7);
	receive(f, text, 7);
	/* an object that comes after the question for it */
	raw_put(&f->repo, GIT_OBJECT_BLOB, large, IMPORT_MAX_BLOB_BYTES + 1, blob);
	ask(f, READER_VERB_OBJECT, blob, 0);
	expect_answer(f, READER_TOO_LARGE, GIT_OBJECT_BLOB, 0);
	raw_put_loose(&f->repo, absent, "blub 1", "x", 1);
	ask(f, READER_VERB_OBJECT, absent, 0);
	expect_answer(f, READER_CORRUPT, 0, 0);
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *prefix;
		unsigned digits, status;
	} cases[] = {
		{"deadbeef", 8, READER_AMBIGUOUS},
		{"deadbeef0", 9, READER_OK},
		{"deadbeef00000000000000000000000000000000", 40, READER_OK},
		{"deadbee0", 8, READER_MISSING},
		{"deadbeef00000000000000000000000000000001", 40, READER_MISSING},
		{"deadbeef0", 41, READER_CORRUPT},
		{"deadbeef0", 255, READER_CORRUPT},
		{"dea", 3, READER_AMBIGUOUS},
		{"", 0, READER_AMBIGUOUS},
	};
	static const unsigned char zero[16];
	struct reader_fixture *f = *state;
	unsigned char id[20];

	raw_put_loose(&f->repo, "deadbeef00000000000000000000000000000000", "blob 0", "", 0);
	raw_put_loose(&f->repo, "deadbeef10000000000000000000000000000000", "blob 0", "", 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ask(f, READER_VERB_PREFIX, cases[i].prefix, cases[i].digits);
		expect_answer(f, cases[i].status, 0, cases[i].status == READER_OK ? 20 : 0);
		if (cases[i].status != READER_OK)
			continue;
		receive(f, id, sizeof(id));
		assert_memory_equal(id, "\xde\xad\xbe\xef", 4);
		assert_memory_equal(id + 4, zero, sizeof(zero));
	}
}

static void test_nonsense(void **state)
{
	struct reader_fixture *f = *state;
	char byte;

	ask(f, 'X', "deadbeef", 0);
	assert_int_equal(recv(f->fd, &byte, 1, 0), 0);
}

static void test_half_a_question(void **state)
{
	struct reader_fixture *f = *state;
	char byte;

	assert_int_equal(send(f->fd, "Oxx", 3, MSG_NOSIGNAL), 3);
	assert_int_equal(shutdown(f->fd, SHUT_WR), 0);
	assert_int_equal(recv(f->fd, &byte, 1, 0), 0);
}

#define reader_test(f) cmocka_unit_test_setup_teardown(f, reader_setup, reader_teardown)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		reader_test(test_objects),
		reader_test(test_prefixes),
		reader_test(test_nonsense),
		reader_test(test_half_a_question),
	};
	struct error err = {};
	int r = reader_process_main(argc, argv);

	if (r >= 0)
		return r;
	return git_setup(false, &err) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
