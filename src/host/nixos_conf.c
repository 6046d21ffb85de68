#include "host/nixos_conf.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "host/differ.h"
#include "host/env_file.h"
#include "host/nixos_owner.h"
#include "host/nspawn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The unit expands EXTRA_NSPAWN_FLAGS without quotes: blanks split it, wildcards are looked up.
 */
#define FLAG_CHARACTERS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:=,@+-"
#define PATH_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/=@+-"
#define SYSTEM_KEY "SYSTEM_PATH="
#define BLANKS " \t\r\n"

/*
 * What decides how the container runs. Of the addresses every one has to be empty, or the unit
 * makes a network interface; FLAKE makes it build something by itself; AUTO_START means nothing
 * to a container made this way.
 */
static const char *const owned[] = {
	"EXTRA_NSPAWN_FLAGS=",
	"PRIVATE_NETWORK=",
	"HOST_ADDRESS=",
	"LOCAL_ADDRESS=",
	"HOST_ADDRESS6=",
	"LOCAL_ADDRESS6=",
	"HOST_BRIDGE=",
	"LOCAL_MAC_ADDRESS=",
	"HOST_PORT=",
	"NETWORK_NAMESPACE_PATH=",
	"INTERFACES=",
	"MACVLANS=",
	"PRIVATE_USERS=",
	SYSTEM_KEY,
	"FLAKE=",
	"AUTO_START=",
};

static const char *const emptied[] = {
	"HOST_ADDRESS=\n",   "LOCAL_ADDRESS=\n", "HOST_ADDRESS6=\n",
	"LOCAL_ADDRESS6=\n", "HOST_BRIDGE=\n",
};

/* key ends in '='. */
static bool has_key(const char *line, const char *key)
{
	size_t n;

	line += strspn(line, " \t");
	n = strcspn(line, "= \t\r\n");
	return line[n + strspn(line + n, " \t")] == '=' && strlen(key) == n + 1 &&
	       strncmp(line, key, n) == 0;
}

static bool is_owned(const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		if (has_key(line, owned[i]))
			return true;
	return false;
}

/* Where the statement that begins at text has ended. */
static const char *skip_statement(struct env_reader *reader, const char *text)
{
	while (*text) {
		env_reader_step(reader, *text++);
		if (reader->state == ENV_BETWEEN && strchr("\r\n", text[-1]))
			break;
	}
	return text;
}

/* A bind of the host's dir/name at a place inside; how is "" or begins with ':'. */
static void add_bind(struct buf *flags, const char *option, const char *dir, const char *name,
		     const char *to, const char *how)
{
	buf_addf(flags, " --%s=%s%s%s:%s%s", option, dir, name[0] ? "/" : "", name, to, how);
}

static void add_flags(struct buf *flags, const struct place *place,
		      const struct container_spec *spec, const char *skep)
{
	_cleanup_free_ char *agent = str_format("%s/agents/%s", place->state, spec->agent);
	_cleanup_free_ char *hive = str_format("%s/agents/%s", place->runtime, spec->agent);
	_cleanup_free_ char *dropped = nspawn_dropped(spec);

	/* Never a range that leaves files of the machine's root on disk. */
	buf_addf(flags, "--private-users-ownership=chown --no-new-privileges=yes");
	buf_addf(flags, " --drop-capability=%s", dropped);
	buf_add_str(flags, " --inaccessible=/nix/var/nix/daemon-socket");
	/* The unit binds these so that they can be written: the later one of two holds. */
	add_bind(flags, "bind-ro", NIXOS_PROFILES, spec->container, "/nix/var/nix/profiles",
		 ":idmap");
	add_bind(flags, "bind-ro", NIXOS_GCROOTS, spec->container, "/nix/var/nix/gcroots",
		 ":idmap");
	add_bind(flags, "bind-ro", hive, "", "/run/hive", "");
	add_bind(flags, "bind-ro", skep, "", "/run/hive/bin/skep", "");
	add_bind(flags, "bind", agent, "claude", "/root/.claude", "");
	add_bind(flags, "bind", agent, "state", "/state", "");
	if (!spec->manager)
		return;
	add_bind(flags, "bind", place->state, "proposed", "/agents", "");
	add_bind(flags, "bind-ro", place->state, "applied", "/applied", ":rootidmap");
	add_bind(flags, "bind-ro", place->state, "meta", "/meta", ":rootidmap");
}

static int check_path(const char *path, struct error *err)
{
	if (path[strspn(path, PATH_CHARACTERS)] == '\0')
		return 0;
	return error_set(err, EINVAL,
			 "'%s' has a character that cannot be written in a container's conf "
			 "file",
			 path);
}

int nixos_conf_own(const struct place *place, const struct container_spec *spec,
		   const char *skep, struct buf *out, struct error *err)
{
	_cleanup_buf_ struct buf flags = {};
	int r = check_path(place->state, err);

	if (r == 0)
		r = check_path(place->runtime, err);
	if (r == 0)
		r = check_path(skep, err);
	if (r < 0)
		return r;
	add_flags(&flags, place, spec, skep);
	buf_addf(out, "PRIVATE_NETWORK=%d\n", spec->private_network ? 1 : 0);
	for (size_t i = 0; i < ARRAY_SIZE(emptied); i++)
		buf_add_str(out, emptied[i]);
	buf_addf(out, "PRIVATE_USERS=%u\n", (unsigned)spec->uid_base);
	buf_addf(out, SYSTEM_KEY "%s\n", spec->system);
	buf_addf(out, "EXTRA_NSPAWN_FLAGS=\"%s\"\n", buf_str(&flags));
	return 0;
}

void nixos_conf_rewrite(const char *text, const char *own, struct buf *out)
{
	_cleanup_buf_ struct buf kept = {};
	struct env_reader reader = {};
	const char *next;

	for (; *text; text = next) {
		next = skip_statement(&reader, text);
		if (!is_owned(text))
			buf_add(&kept, text, (size_t)(next - text));
	}
	/* A last statement that wants to go on must not swallow ours, whichever systemd reads
	 * it. */
	env_file_end(&kept, false);
	env_file_end(&kept, true);
	buf_add_str(out, buf_str(&kept));
	buf_add_str(out, own);
}

char *nixos_conf_value(const char *text, const char *key)
{
	_cleanup_free_ char *wanted = str_format("%s=", key);
	struct env_reader reader = {};
	const char *next, *from = "";
	size_t size = 0;

	for (; *text; text = next) {
		next = skip_statement(&reader, text);
		if (!has_key(text, wanted))
			continue;
		from = strchr(text, '=') + 1;
		from += strspn(from, " \t");
		size = next > from ? (size_t)(next - from) : 0;
		while (size > 0 && strchr(" \t\r\n", from[size - 1]))
			size--;
	}
	if (size >= 2 && strchr("'\"", from[0]) && from[size - 1] == from[0]) {
		from++;
		size -= 2;
	}
	return str_format("%.*s", (int)size, from);
}

static bool has_word(const char *words, const char *word, size_t size)
{
	while (*(words += strspn(words, BLANKS))) {
		size_t n = strcspn(words, BLANKS);

		if (n == size && strncmp(words, word, n) == 0)
			return true;
		words += n;
	}
	return false;
}

char *nixos_words_without(const char *words, const char *others)
{
	struct buf out = {};

	while (*(words += strspn(words, BLANKS))) {
		size_t n = strcspn(words, BLANKS);

		if (!has_word(others, words, n))
			buf_addf(&out, "%s%.*s", out.size ? " " : "", (int)n, words);
		words += n;
	}
	if (out.size == 0)
		buf_add_str(&out, "nothing");
	return buf_take(&out);
}

void nixos_conf_differ(const char *text, const char *own, json_t *list)
{
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		_cleanup_free_ char *key = str_dup_n(owned[i], strlen(owned[i]) - 1);
		_cleanup_free_ char *field = str_format("conf %s", key);
		_cleanup_free_ char *want = nixos_conf_value(own, key);
		_cleanup_free_ char *have = nixos_conf_value(text, key);
		_cleanup_free_ char *missing = nixos_words_without(want, have);
		_cleanup_free_ char *added = nixos_words_without(have, want);

		if (strcmp(want, have) == 0)
			continue;
		if (strcmp(missing, added) == 0) /* nothing, both */
			differ_add(list, field, "in order", "in another order");
		else
			differ_add(list, field, missing, added);
	}
}

/* The text without its SYSTEM_PATH lines. */
static char *without_system(const char *text)
{
	struct buf out = {};

	while (*text) {
		size_t size = strcspn(text, "\n");

		if (strncmp(text, SYSTEM_KEY, strlen(SYSTEM_KEY)) != 0) {
			buf_add(&out, text, size);
			buf_add_char(&out, '\n');
		}
		text += size + (text[size] == '\n');
	}
	buf_add_str(&out, "");
	return buf_take(&out);
}

bool nixos_conf_same_host(const char *a, const char *b)
{
	_cleanup_free_ char *left = without_system(a), *right = without_system(b);

	return strcmp(left, right) == 0;
}

bool nixos_conf_system(const char *text, char ret[SYSTEM_SIZE])
{
	bool found = false;

	while (*text) {
		size_t size = strcspn(text, "\n");

		if (strncmp(text, SYSTEM_KEY, strlen(SYSTEM_KEY)) == 0) {
			char value[SYSTEM_SIZE];

			snprintf(value, sizeof(value), "%.*s", (int)(size - strlen(SYSTEM_KEY)),
				 text + strlen(SYSTEM_KEY));
			found = system_is_store(value);
			if (found)
				strcpy(ret, value);
		}
		text += size + (text[size] == '\n');
	}
	return found;
}
