#include "host/checks_nix.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "host/checks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAEMON_SOCKET "/nix/var/nix/daemon-socket/socket"

/* Where packages and installers put it. */
static const char *const programs[] = {SKEP_NIX, "/run/current-system/sw/bin/nix",
				       "/nix/var/nix/profiles/default/bin/nix"};

/* From the first version (with it) to the first that is mended (without it). */
static const struct {
	int from[3], until[3];
	const char *what;
} holes[] = {
	{{0, 0, 0}, {2, 18, 0}, "it is older than nixpkgs of today needs (2.18)"},
	{{2, 18, 0}, {2, 18, 2}, "CVE-2024-27297"},
	{{2, 19, 0}, {2, 19, 4}, "CVE-2024-27297"},
	{{2, 20, 0}, {2, 20, 5}, "CVE-2024-27297"},
	{{2, 21, 0}, {2, 28, 6}, "CVE-2026-39860: a build may overwrite files of root's"},
	{{2, 29, 0}, {2, 33, 4}, "CVE-2026-39860: a build may overwrite files of root's"},
	{{2, 34, 0}, {2, 34, 5}, "CVE-2026-39860: a build may overwrite files of root's"},
	{{0, 0, 0}, {2, 34, 7}, "CVE-2026-44028: what it unpacks may crash it"},
};

int nix_program(char **ret, struct error *err)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		if (access(programs[i], X_OK) < 0)
			continue;
		*ret = str_dup(programs[i]);
		return 0;
	}
	r = error_set(err, ENOENT, "Nix is not installed here");
	error_hint(err, "install Nix with its daemon, or spawn with --builder overlay");
	return r;
}

static int compare(const int a[3], const int b[3])
{
	for (int i = 0; i < 3; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

const char *nix_known_hole(const char *version)
{
	int v[3] = {0, 0, 0};

	if (sscanf(version, "%d.%d.%d", &v[0], &v[1], &v[2]) < 2)
		return "its version cannot be told";
	for (size_t i = 0; i < ARRAY_SIZE(holes); i++)
		if (compare(v, holes[i].from) >= 0 && compare(v, holes[i].until) < 0)
			return holes[i].what;
	return NULL;
}

void check_nix(json_t *checks)
{
	static const char fix[] = "install a current Nix with its daemon";
	_cleanup_free_ char *program = NULL;
	const char *hole, *version;
	struct error err = {};
	char text[256];

	if (nix_program(&program, &err) < 0 ||
	    checks_run_version(program, text, sizeof(text), &err) < 0) {
		checks_add(checks, "nix", false, fix, "%s", error_text(&err));
		return;
	}
	/* "nix (Nix) 2.18.1" */
	version = strrchr(text, ' ');
	version = version ? version + 1 : text;
	hole = nix_known_hole(version);
	if (hole)
		checks_add(checks, "nix", false, fix, "%s: %s; %s", program, text, hole);
	else if (access(DAEMON_SOCKET, F_OK) < 0)
		checks_add(checks, "nix", false, "start nix-daemon.socket",
			   "%s: %s, but its daemon does not listen", program, text);
	else
		checks_add(checks, "nix", true, fix, "%s: %s", program, text);
}
