#include "host/nixos_conf.h"

#include "base/cleanup.h"
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

static bool is_owned(const char *line)
{
	size_t n;

	line += strspn(line, " \t");
	n = strcspn(line, "= \t\r\n");
	if (line[n + strspn(line + n, " \t")] != '=')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		if (strlen(owned[i]) == n + 1 && strncmp(line, owned[i], n) == 0)
			return true;
	return false;
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
	const char *start = text;

	while (*text) {
		env_reader_step(&reader, *text++);
		if (*text && (reader.state != ENV_BETWEEN || !strchr("\r\n", text[-1])))
			continue;
		if (!is_owned(start))
			buf_add(&kept, start, (size_t)(text - start));
		start = text;
	}
	/* A last statement that wants to go on must not swallow ours, whichever systemd reads
	 * it. */
	env_file_end(&kept, false);
	env_file_end(&kept, true);
	buf_add_str(out, buf_str(&kept));
	buf_add_str(out, own);
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
