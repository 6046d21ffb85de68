#include "host/nixos_differ.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host/differ.h"
#include "host/nixos_conf.h"
#include "host/nixos_container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS "EXTRA_NSPAWN_FLAGS"
#define LINE_MAX_BYTES (1u << 20)
#define CLIENT_DIR ":/run/hive/bin/" /* another skep than at its start works on */

/* ---- files ---- */

static void differ_files(const struct nixos_container *c, const struct container_spec *spec,
			 const char *own, json_t *list)
{
	if (c->kind == NIXOS_ABSENT)
		differ_add(list, "conf", "the lines of the record", "nothing");
	else if (!c->is_file)
		differ_add(list, "conf", "the lines of the record",
			   "a container of this machine's configuration");
	else
		nixos_conf_differ(buf_str(&c->conf), own, list);
	if (strcmp(c->profile, spec->system) != 0)
		differ_add(list, "profile", spec->system,
			   c->profile[0] ? c->profile : "nothing");
}

/* ---- what runs ---- */

/* Those of the words that are, or are not, among others. */
static char *select_words(const char *words, const char *others, bool among)
{
	_cleanup_free_ char *copy = str_dup(words);
	struct buf out = {};
	char *save = NULL;

	for (char *w = strtok_r(copy, " \t\r\n", &save); w;
	     w = strtok_r(NULL, " \t\r\n", &save)) {
		_cleanup_free_ char *rest = nixos_words_without(w, others);

		if ((strcmp(rest, w) != 0) == among && !strstr(w, CLIENT_DIR))
			buf_addf(&out, "%s%s", out.size ? " " : "", w);
	}
	buf_add_str(&out, "");
	return buf_take(&out);
}

void nixos_differ_flags(const char *line, size_t size, const char *want, const char *conf,
			json_t *list)
{
	_cleanup_buf_ struct buf given = {};
	_cleanup_free_ char *foreign = NULL, *missing = NULL, *added = NULL;

	for (size_t i = 0; i < size; i++)
		buf_add_char(&given, line[i] ? line[i] : ' ');
	foreign = select_words(conf, want, false);
	missing = select_words(want, buf_str(&given), false);
	added = select_words(foreign, buf_str(&given), true);
	if (missing[0] || added[0])
		differ_add(list, "flags", missing[0] ? missing : "nothing",
			   added[0] ? added : "nothing");
}

static int differ_flags(pid_t nspawn, const char *own, const char *conf, json_t *list,
			struct error *err)
{
	_cleanup_free_ char *want = nixos_conf_value(own, FLAGS);
	_cleanup_free_ char *have = nixos_conf_value(conf, FLAGS);
	_cleanup_buf_ struct buf line = {};
	char path[64];
	int r;

	if (nspawn == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)nspawn);
	r = file_read(AT_FDCWD, path, LINE_MAX_BYTES, &line, err);
	if (r == 0)
		nixos_differ_flags(line.data, line.size, want, have, list);
	return r;
}

static int differ_own_mounts(pid_t leader, const char *own, json_t *list, struct error *err)
{
	_cleanup_free_ char *flags = nixos_conf_value(own, FLAGS);
	_cleanup_free_ char **argv = mem_new(strlen(flags) / 2 + 2, sizeof(*argv));
	char *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(flags, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	return differ_mounts(leader, argv, list, err);
}

int nixos_differ(const struct place *place, const struct container_spec *spec,
		 const struct container_state *state, json_t *list, struct error *err)
{
	_cleanup_free_ char *skep = str_format("%s/skep", place->program_dir);
	_cleanup_free_ char *state_dir = NULL, *runtime_dir = NULL;
	_cleanup_nixos_ struct nixos_container c = {};
	_cleanup_buf_ struct buf own = {}, really = {};
	struct place real;
	int r = differ_real_place(place, &real, &state_dir, &runtime_dir, err);

	if (r == 0)
		r = nixos_conf_own(place, spec, skep, &own, err);
	if (r == 0)
		r = nixos_conf_own(&real, spec, skep, &really, err);
	if (r == 0)
		r = nixos_look(spec->agent, &c, err);
	if (r < 0)
		return r;
	differ_files(&c, spec, buf_str(&own), list);
	r = differ_flags(state->nspawn_pid, buf_str(&own), buf_str(&c.conf), list, err);
	return r < 0 ? r : differ_own_mounts(state->leader, buf_str(&really), list, err);
}
