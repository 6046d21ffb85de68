#include "nix/command.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void words_add(struct words *words, const char *word)
{
	words->items = mem_grow(words->items, words->count + 2, sizeof(*words->items));
	words->items[words->count++] = str_dup(word);
	words->items[words->count] = NULL;
}

void words_release(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct words){};
}

static void add_all(struct words *words, const char *const *items)
{
	for (; *items; items++)
		words_add(words, *items);
}

static void add_option(struct words *words, const char *name, const char *value)
{
	words_add(words, "--option");
	words_add(words, name);
	words_add(words, value);
}

static void add_number(struct words *words, const char *name, int64_t value)
{
	_cleanup_free_ char *text = str_format("%" PRId64, value);

	add_option(words, name, text);
}

static void begin(struct words *words, const char *program)
{
	const char *const items[] = {program, "--extra-experimental-features",
				     "nix-command flakes", NULL};

	add_all(words, items);
}

/* No registry answers for a name, and no flake may set an option of Nix. */
static void add_safety(struct words *words)
{
	words_add(words, "--log-format");
	words_add(words, "internal-json");
	words_add(words, "--no-use-registries");
	add_option(words, "accept-flake-config", "false");
	add_option(words, "connect-timeout", "5");
}

void nix_build_words(const struct nix_build *b, struct words *ret)
{
	_cleanup_free_ char *installable =
		str_format("git+file://%s?ref=%s&rev=%s#nixosConfigurations.\"%s\".config."
			   "system.build.toplevel",
			   b->meta_dir, b->ref, b->commit, b->agent);
	const char *const items[] = {"build", "--out-link", b->out_link, "-L", NULL};

	*ret = (struct words){};
	begin(ret, b->program);
	add_all(ret, items);
	add_safety(ret);
	/* never together with --no-write-lock-file, which would undo it */
	words_add(ret, "--no-update-lock-file");
	add_option(ret, "allow-import-from-derivation", "false");
	add_option(ret, "pure-eval", "true");
	add_option(ret, "restrict-eval", "true");
	add_option(ret, "allowed-uris", b->allowed_uris);
	add_option(ret, "builders", "");
	add_number(ret, "timeout", b->timeout_s);
	add_number(ret, "max-silent-time", b->silent_s);
	words_add(ret, installable);
}

void nix_lock_words(const char *program, const char *dir, struct words *ret)
{
	_cleanup_free_ char *url = str_format("path:%s", dir);

	*ret = (struct words){};
	begin(ret, program);
	words_add(ret, "flake");
	words_add(ret, "lock");
	add_safety(ret);
	words_add(ret, url);
}

void nix_closure_words(const char *program, const char *system, struct words *ret)
{
	const char *const items[] = {"path-info", "-r", "-s", system, NULL};

	*ret = (struct words){};
	begin(ret, program);
	add_all(ret, items);
	add_safety(ret);
}

/* ---- where an evaluation may fetch from ---- */

struct allowed {
	struct buf text;
	const char *own_node; /* other agents' repositories are none of its business */
};

static const char *text_of(const json_t *locked, const char *key)
{
	const char *value = json_string_value(json_object_get(locked, key));

	return value ? value : "";
}

static void add_git(struct buf *out, const json_t *locked)
{
	const char *url = text_of(locked, "url"), *rev = text_of(locked, "rev");
	const char *ref = text_of(locked, "ref");

	buf_addf(out, "git+%s?", url);
	if (*ref)
		buf_addf(out, "ref=%s&", ref);
	buf_addf(out, "rev=%s%s ", rev,
		 json_is_true(json_object_get(locked, "shallow")) ? "&shallow=1" : "");
	buf_addf(out, "%s ", url);
}

static void add_forge(struct buf *out, const char *type, const json_t *locked)
{
	const char *owner = text_of(locked, "owner"), *repo = text_of(locked, "repo");

	buf_addf(out, "%s:%s/%s ", type, owner, repo);
	if (strcmp(type, "github") == 0)
		buf_addf(out, "https://github.com/%s/%s https://api.github.com/repos/%s/%s ",
			 owner, repo, owner, repo);
}

static void add_uri(const char *node, const json_t *locked, void *data)
{
	const char *type = text_of(locked, "type");
	struct allowed *allowed = data;

	if (strncmp(node, "agent-", 6) == 0 && strcmp(node, allowed->own_node) != 0)
		return;
	if (strcmp(type, "git") == 0)
		add_git(&allowed->text, locked);
	else if (strcmp(type, "path") == 0)
		buf_addf(&allowed->text, "path:%s %s ", text_of(locked, "path"),
			 text_of(locked, "path"));
	else if (strcmp(type, "tarball") == 0 || strcmp(type, "file") == 0)
		buf_addf(&allowed->text, "%s ", text_of(locked, "url"));
	else if (*type)
		add_forge(&allowed->text, type, locked);
}

char *nix_allowed_uris(const struct lock *lock, const char *agent)
{
	_cleanup_free_ char *own = str_format("agent-%s", agent);
	struct allowed allowed = {.own_node = own};

	lock_each(lock, add_uri, &allowed);
	if (allowed.text.size > 0)
		buf_truncate(&allowed.text, allowed.text.size - 1);
	return buf_take(&allowed.text);
}
