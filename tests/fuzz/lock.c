/* flake.lock: what is read is written as it would be read again, and each change changes what
 * it names alone. */
#include "fuzz.h"

#include "base/json.h"
#include "nix/lock.h"

#define COMMIT "1111111111111111111111111111111111111111"
#define OTHER "2222222222222222222222222222222222222222"

static struct lock *read_again(const char *text)
{
	struct lock *lock = NULL;
	struct error err = {};

	if (lock_parse(text, strlen(text), &lock, &err) < 0) {
		fprintf(stderr, "%s\n%s\n", error_text(&err), text);
		must(!"what was written cannot be read");
	}
	return lock;
}

/* The lock as it is written, having seen that this is read as the same. */
static char *written(const struct lock *lock)
{
	char *text = lock_write(lock);
	_cleanup_(lock_freep) struct lock *again = read_again(text);
	_cleanup_free_ char *twice = lock_write(again);

	must(strcmp(text, twice) == 0);
	must(!*text || text[strlen(text) - 1] == '\n');
	return text;
}

static bool keeps_none(const char *agent, const void *data)
{
	(void)agent;
	(void)data;
	return false;
}

static void change(struct lock *lock)
{
	_cleanup_free_ char *before = NULL, *with = NULL, *after = NULL, *base = NULL;
	char commit[OID_HEX_SIZE];
	struct error err = {};

	/* An agent comes and goes, so that nodes nothing leads to are gone as well. */
	(void)lock_put_agent(lock, "/var/lib/skep/applied", "zoe", OTHER, 1, &err);
	lock_remove_agent(lock, "zoe");
	must(!lock_get_agent(lock, "zoe", commit));
	before = written(lock);
	if (lock_put_agent(lock, "/var/lib/skep/applied", "zoe", COMMIT, 1700000000, &err) <
	    0) {
		after = written(lock);
		must(strcmp(before, after) == 0);
		return;
	}
	must(lock_get_agent(lock, "zoe", commit) && strcmp(commit, COMMIT) == 0);
	with = written(lock);
	must(lock_put_agent(lock, "/var/lib/skep/applied", "zoe", OTHER, 1700000001, &err) ==
	     0);
	must(lock_get_agent(lock, "zoe", commit) && strcmp(commit, OTHER) == 0);
	must(lock_put_agent(lock, "/var/lib/skep/applied", "zoe", COMMIT, 1700000000, &err) ==
	     0);
	after = written(lock);
	must(strcmp(with, after) == 0);
	free(TAKE_PTR(after));
	lock_remove_agent(lock, "zoe");
	after = written(lock);
	must(strcmp(before, after) == 0);
	lock_keep_agents(lock, keeps_none, NULL);
	base = lock_base(lock);
	free(TAKE_PTR(after));
	after = written(lock);
	must(strcmp(base, after) == 0);
	lock_remove_input(lock, "base");
	must(!lock_has_input(lock, "base"));
	free(written(lock));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(lock_freep) struct lock *lock = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = {};

	if (lock_parse((const char *)data, size, &lock, &err) < 0) {
		must(!lock && err.err && fuzz_is_clean(err.text, strlen(err.text), false));
		return 0;
	}
	text = written(lock);
	(void)lock_follows(lock, "base", "nixpkgs");
	(void)lock_has_inner(lock, "base", "nixpkgs");
	change(lock);
	return 0;
}
