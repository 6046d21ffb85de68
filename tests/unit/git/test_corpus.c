/* The corpus of hostile repositories, but for those that only a jail keeps inside. */
#include "git/reader_process.h"

#include "corpus/corpus.h"

static void run_list(void **state)
{
	static const struct corpus_reader reader = {.start = reader_process_start};
	const struct corpus_list *list = *state;
	unsigned failed = 0;

	for (size_t i = 0; i < list->n; i++) {
		char top[] = "/tmp/skep-corpus-XXXXXX";
		struct corpus_cost cost = {};
		struct error err = {};

		if (list->cases[i].needs_jail)
			continue;
		assert_non_null(mkdtemp(top));
		if (corpus_run(&list->cases[i], top, &reader, &cost, &err) < 0) {
			print_message("# %s: %s\n", list->cases[i].name, error_text(&err));
			failed++;
		}
		expect_ok(file_remove_tree(AT_FDCWD, top, &err), &err);
	}
	assert_int_equal(failed, 0);
}

#define LIST(l)                                                                   \
	{                                                                         \
		.name = #l, .test_func = run_list, .initial_state = (void *)&(l), \
	}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		LIST(corpus_names),   LIST(corpus_trees), LIST(corpus_commits),
		LIST(corpus_objects), LIST(corpus_packs), LIST(corpus_repositories),
	};
	struct error err = {};
	int r = reader_process_main(argc, argv);

	if (r >= 0)
		return r;
	umask(0027);
	if (git_setup(false, &err) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
