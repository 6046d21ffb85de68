/* The checksum against known ones, and in pieces of every size round a block. */
#include "git/fixture.h"
#include "git/sha1.h"

static void expect(const char *data, size_t size, size_t piece, const char *wanted)
{
	unsigned char found[SHA1_BYTES];
	struct sha1 sha1;
	char hex[2 * SHA1_BYTES + 1];

	sha1_init(&sha1);
	for (size_t at = 0; at < size; at += piece)
		sha1_add(&sha1, data + at, at + piece < size ? piece : size - at);
	sha1_end(&sha1, found);
	for (size_t i = 0; i < SHA1_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", found[i]);
	assert_string_equal(hex, wanted);
}

static void test_known(void **state)
{
	/* RFC 3174 §7.3, and the empty one */
	static const struct {
		const char *data, *sum;
	} cases[] = {
		{"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
		{"0123456701234567012345670123456701234567012345670123456701234567",
		 "e0c094e867ef46c350ef54a7f59dd60bed92ae83"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(cases[i].data, strlen(cases[i].data), 64, cases[i].sum);
}

/* libgit2's own hash of a blob is one over its head and its content. */
static void test_sizes_and_pieces(void **state)
{
	char data[300];

	(void)state;
	for (size_t size = 0; size <= 200; size++) {
		char hex[OID_HEX_SIZE];
		int head = snprintf(data, sizeof(data), "blob %zu%c", size, '\0');
		git_oid id;

		for (size_t i = 0; i < size; i++)
			data[(size_t)head + i] = (char)(i * 7 + size);
		assert_int_equal(git_odb_hash(&id, data + head, size, GIT_OBJECT_BLOB), 0);
		oid_from_git(hex, &id);
		for (size_t piece = 1; piece <= 130; piece += 43)
			expect(data, (size_t)head + size, piece, hex);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test_setup_teardown(test_sizes_and_pieces, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
