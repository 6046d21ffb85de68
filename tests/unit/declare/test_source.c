/* Files read from a directory and from a repository: the same ones, and none from outside. */
#include "unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "declare/source.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void sh(void **state, const char *script)
{
	_cleanup_free_ char *command =
		str_format("cd '%s' && exec 2>&1 && %s", (char *)*state, script);

	assert_int_equal(WEXITSTATUS(system(command)), 0);
}

static void check(const struct source *s)
{
	const struct source_file *file = source_find(s, "agents/alice.json");

	assert_int_equal(s->n_files, 4);
	assert_non_null(file);
	assert_string_equal(file->data, "{}\n");
	assert_true(source_find(s, "images/web/run")->executable);
	assert_true(source_find(s, "images/web/link")->symlink);
	assert_string_equal(source_find(s, "images/web/link")->data, "/etc/passwd");
	assert_null(source_find(s, "agents"));
	assert_true(source_is_below(s, source_first(s, "images/"), "images/"));
	assert_false(source_is_below(s, source_first(s, "nothing/"), "nothing/"));
}

#define MAKE                                                                    \
	"mkdir -p h/agents h/images/web h/.github && echo {} > h/hive.json && " \
	"echo {} > h/agents/alice.json && echo x > h/images/web/run && "        \
	"chmod +x h/images/web/run && ln -s /etc/passwd h/images/web/link && "  \
	"echo x > h/.github/x"

static void test_directory(void **state)
{
	struct source *s = NULL;
	struct error err = {};
	char path[256];

	sh(state, MAKE);
	assert_int_equal(source_read_dir(unit_path(path, state, "h"), &s, &err), 0);
	check(s);
	assert_null(s->revision);
	source_free(s);

	sh(state, "mkfifo h/agents/pipe.json");
	assert_int_equal(source_read_dir(path, &s, &err), -EINVAL);
	assert_text(&err, "'agents/pipe.json' is neither a file nor a directory");
	sh(state, "rm h/agents/pipe.json && truncate -s 1048577 h/agents/big.json");
	assert_int_equal(source_read_dir(path, &s, &err), -E2BIG);
	assert_text(&err, "big.json");
	assert_int_equal(source_read_dir(unit_path(path, state, "none"), &s, &err), -ENOENT);
	assert_text(&err, "none");
}

/* What is committed counts, not what lies in the work tree, and no filter has a say. */
static void test_repository(void **state)
{
	struct source *s = NULL;
	struct error err = {};
	char path[256];

	sh(state,
	   MAKE " && cd h && git init -q . && git config user.name x && "
		"git config user.email x@y && git add hive.json agents images .github && "
		"git commit -qm one && git tag v1 && echo changed > agents/alice.json && "
		"touch agents/new.json && git config filter.f.smudge 'echo bad' && "
		"echo '* filter=f' > .git/info/attributes");
	assert_int_equal(source_read_git(unit_path(path, state, "h"), "v1", &s, &err), 0);
	check(s);
	assert_int_equal(strlen(s->revision), 40);
	source_free(s);
	assert_int_equal(source_read_git(path, "v2", &s, &err), -EIO);
	assert_text(&err, "'v2'");
	assert_int_equal(source_read_git(path, "--output=x", &s, &err), -EIO);
	assert_int_equal(source_read_git(unit_path(path, state, "none"), "v1", &s, &err), -EIO);
	sh(state, "cd h && truncate -s 1048577 agents/big && git add agents/big && "
		  "git -c filter.f.clean=cat commit -qm big");
	assert_int_equal(source_read_git(unit_path(path, state, "h"), "HEAD", &s, &err),
			 -E2BIG);
	assert_text(&err, "'agents/big' has more than");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_directory, unit_dir_setup,
						unit_dir_teardown),
		cmocka_unit_test_setup_teardown(test_repository, unit_dir_setup,
						unit_dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
