#include "host/checks_hive.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "host/checks.h"
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LEFT_AFTER_S 3600 /* what is younger may be in use */
#define SHOWN_MAX 300

#define FETCHED "a build can change what another one fetched (CVE-2024-27297)"
#define OVERWRITES "a build can overwrite files as root (CVE-2026-39860)"

/* ---- sockets and directories ---- */

enum owner { OWNER_ROOT, OWNER_SKEP, OWNER_ANY };

static const struct entry {
	bool runtime; /* below the runtime directory, else below the state */
	const char *name;
	bool is_socket, optional;
	mode_t most; /* no more than these */
	enum owner owner;
} entries[] = {
	{true, ".", false, false, 0755, OWNER_ROOT},
	{true, "agents", false, false, 0755, OWNER_ROOT},
	{true, "spec", false, false, 0700, OWNER_ROOT},
	{true, "exec", false, false, 0700, OWNER_ROOT},
	{true, "operator.sock", true, false, 0660, OWNER_ANY},
	{true, "read.sock", true, true, 0660, OWNER_ANY},
	{true, "web.sock", true, true, 0600, OWNER_ANY},
	{true, "exec.sock", true, true, 0600, OWNER_SKEP},
	{false, ".", false, false, 0755, OWNER_ROOT},
	{false, "applied", false, false, 02755, OWNER_SKEP},
	{false, "meta", false, false, 02755, OWNER_SKEP},
	{false, "logs", false, false, 0755, OWNER_SKEP},
	{false, "audit", false, false, 0750, OWNER_SKEP},
	{false, "proposed", false, false, 0755, OWNER_ROOT},
	{false, "agents", false, false, 0755, OWNER_ROOT},
	{false, "systems", false, false, 0755, OWNER_ROOT},
	{false, "roots", false, false, 0700, OWNER_ROOT},
};

static bool is_owner(const struct place *place, enum owner owner, uid_t uid)
{
	switch (owner) {
	case OWNER_ROOT:
		return uid == 0;
	case OWNER_SKEP:
		return uid == place->skep_uid;
	case OWNER_ANY:
		return true;
	}
	return false;
}

static void check_entries(json_t *checks, const struct place *place,
			  const struct supervisor *supervisor, bool sockets)
{
	bool systemd = supervisor == &supervisor_systemd;
	_cleanup_buf_ struct buf wrong = {}, fix = {};

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct entry *e = &entries[i];
		const char *dir = e->runtime ? place->runtime : place->state;
		_cleanup_free_ char *path = str_format("%s/%s", dir, e->name);
		struct stat st;

		if (e->is_socket != sockets)
			continue;
		if (lstat(path, &st) < 0) {
			if (!e->optional)
				buf_addf(&wrong, "%s'%s' is not there", wrong.size ? "; " : "",
					 path);
			continue;
		}
		if ((e->is_socket ? S_ISSOCK(st.st_mode) : S_ISDIR(st.st_mode)) &&
		    (st.st_mode & 07777 & ~e->most) == 0 &&
		    is_owner(place, e->owner, st.st_uid))
			continue;
		buf_addf(&wrong, "%s'%s' is %04o of uid %u", wrong.size ? "; " : "", path,
			 (unsigned)(st.st_mode & 07777), (unsigned)st.st_uid);
		if (!sockets)
			buf_addf(&fix, "%schmod %04o %s && chown %u %s", fix.size ? "; " : "",
				 (unsigned)e->most, path,
				 e->owner == OWNER_SKEP ? (unsigned)place->skep_uid : 0u, path);
	}
	if (sockets)
		checks_add(checks, "sockets", wrong.size == 0,
			   systemd ? "systemctl restart skepd.socket skepd-read.socket "
				     "skep-exec.socket skepd"
				   : "as root, skepd --standalone makes them",
			   "%s",
			   wrong.size ? buf_str(&wrong) : "all are there, for nobody else");
	else
		checks_add(checks, "directories", wrong.size == 0,
			   fix.size  ? buf_str(&fix)
			   : systemd ? "systemd-tmpfiles --create skep.conf"
				     : "as root, skepd --standalone makes them",
			   "%s", wrong.size ? buf_str(&wrong) : "owners and modes are right");
}

/* ---- leftovers ---- */

/* Adds the entries of a directory that begin with prefix and have not changed for a while. */
static void find_old(const char *parent, const char *name, const char *prefix, struct buf *ret)
{
	_cleanup_free_ char *path = str_format("%s/%s", parent, name);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    clock_wall_s() - st.st_mtime > LEFT_AFTER_S && ret->size < SHOWN_MAX)
			buf_addf(ret, " %s/%s", path, entry->d_name);
}

/* Roots of agents that nothing is known of. */
static void find_orphans(const struct place *place, struct buf *ret)
{
	_cleanup_free_ char *path = str_format("%s/roots", place->state);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *applied =
			str_format("%s/applied/%s", place->state, entry->d_name);

		if (name_check(entry->d_name, NULL) == 0 && access(applied, F_OK) < 0 &&
		    errno == ENOENT && ret->size < SHOWN_MAX)
			buf_addf(ret, " %s/%s", path, entry->d_name);
	}
}

static void check_leftovers(json_t *checks, const struct place *place)
{
	_cleanup_buf_ struct buf old = {}, orphans = {};
	_cleanup_free_ char *fix = NULL;

	find_old(place->state, "systems", ".staging-", &old);
	find_old(place->state, "proposed", ".new-", &old);
	find_orphans(place, &orphans);
	if (orphans.size)
		fix = str_format("rm -r --one-file-system%s", buf_str(&orphans));
	checks_add(checks, "leftovers", old.size + orphans.size == 0,
		   fix ? fix : "systemctl restart skep-exec, which removes them", "%s%s%s",
		   old.size + orphans.size ? "nobody needs" : "none", buf_str(&old),
		   buf_str(&orphans));
}

/* ---- the journal ---- */

static void check_journal(json_t *checks, const struct supervisor *supervisor)
{
	bool here = access("/run/systemd/journal/socket", F_OK) == 0;
	bool kept = access("/var/log/journal", F_OK) == 0;

	if (supervisor != &supervisor_systemd && !here)
		checks_add(checks, "journal", true, NULL,
			   "no journald: what skep says goes to standard error");
	else
		checks_add(
			checks, "journal", here, "systemctl start systemd-journald.socket",
			!here  ? "journald does not listen"
			: kept ? "kept on disk"
			       : "kept in memory: lost at a reboot (mkdir /var/log/journal)");
}

/* ---- Nix ---- */

struct version {
	unsigned major, minor, patch;
};

/* "nix (Nix) 2.18.1": the last word. */
static bool parse_version(const char *text, struct version *ret)
{
	const char *word = strrchr(text, ' ');

	*ret = (struct version){};
	return sscanf(word ? word + 1 : text, "%u.%u.%u", &ret->major, &ret->minor,
		      &ret->patch) >= 2;
}

static unsigned order(struct version v)
{
	return v.major * 1000000 + v.minor * 1000 + v.patch;
}

const char *checks_nix_fault(const char *text, bool *ret_hole)
{
	/* from the first to before the fixed one; release lines were fixed apart */
	static const struct {
		struct version first, fixed;
		const char *what;
	} holes[] = {
		{{2, 0, 0}, {2, 18, 2}, FETCHED},
		{{2, 19, 0}, {2, 19, 4}, FETCHED},
		{{2, 20, 0}, {2, 20, 5}, FETCHED},
		{{2, 21, 0}, {2, 28, 6}, OVERWRITES},
		{{2, 29, 0}, {2, 33, 4}, OVERWRITES},
		{{2, 34, 0}, {2, 34, 7}, "an archive can break the daemon (CVE-2026-44028)"},
	};
	struct version v;

	*ret_hole = true;
	if (!parse_version(text, &v))
		return "its version is not understood";
	for (size_t i = 0; i < ARRAY_SIZE(holes); i++)
		if (order(v) >= order(holes[i].first) && order(v) < order(holes[i].fixed))
			return holes[i].what;
	*ret_hole = false;
	return order(v) < order((struct version){2, 18, 0}) ? "too old for today's nixpkgs"
							    : NULL;
}

static bool uses_nix(const struct place *place)
{
	_cleanup_free_ char *path = str_format("%s/spec", place->runtime);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		struct container_spec spec = {};

		if (entry->d_name[0] == '.' ||
		    spec_read(dirfd(dir), entry->d_name, &spec, NULL) < 0)
			continue;
		found = system_is_store(spec.system);
		spec_release(&spec);
	}
	return found;
}

static void check_nix(json_t *checks, const struct place *place)
{
	static const char *const paths[] = {"/run/current-system/sw/bin/nix",
					    "/nix/var/nix/profiles/default/bin/nix",
					    "/usr/bin/nix"};
	bool used = uses_nix(place), hole = false;
	const char *fault;
	struct error err = {};
	char text[200];
	size_t i = 0;

	while (i < ARRAY_SIZE(paths) && access(paths[i], X_OK) < 0)
		i++;
	if (i == ARRAY_SIZE(paths)) {
		checks_add(checks, "nix", !used, "install Nix: https://nixos.org/download",
			   used ? "agents run systems of Nix, and there is no Nix"
				: "not installed, and nobody needs it");
		return;
	}
	if (checks_run_version(paths[i], text, sizeof(text), &err) < 0) {
		checks_add(checks, "nix", !used, "install Nix again", "%s", error_text(&err));
		return;
	}
	fault = checks_nix_fault(text, &hole);
	checks_add(checks, "nix", !fault || !used,
		   "nix upgrade-nix, or upgrade the package that Nix came with", "%s: %s%s%s%s",
		   paths[i], text, fault ? "; " : "", fault ? fault : "",
		   fault && !used ? "; no agent uses it" : "");
}

void checks_hive(json_t *checks, const struct place *place, const struct supervisor *supervisor)
{
	check_entries(checks, place, supervisor, true);
	check_entries(checks, place, supervisor, false);
	check_leftovers(checks, place);
	check_journal(checks, supervisor);
	check_nix(checks, place);
}
