#include "control/rename_nix.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/dirlist.h"
#include "base/json.h"
#include "control/rename.h"
#include "control/systems.h"
#include "git/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENTS_FILE "agents.json"
#define AGENTS_MAX_BYTES (16 << 20)
#define LOG_MAX 100000

/* ---- two names for one repository ---- */

static int open_applied(const struct hive *hive, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/applied", hive->config->state_dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? error_set_errno(err, errno, "cannot open '%s'", path) : fd;
}

static int end_loan(int applied, const char *name, struct error *err)
{
	struct stat st;

	if (fstatat(applied, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode))
		return 0;
	if (unlinkat(applied, name, 0) < 0)
		return error_set_errno(err, errno, "cannot remove 'applied/%s'", name);
	return 0;
}

int rename_end_loan(const struct hive *hive, const char *name, struct error *err)
{
	_cleanup_close_ int applied = open_applied(hive, err);

	return applied < 0 ? applied : end_loan(applied, name, err);
}

int rename_lend_name(const struct hive *hive, const char *from, const char *to,
		     struct error *err)
{
	_cleanup_close_ int applied = open_applied(hive, err);
	int r = applied < 0 ? applied : end_loan(applied, to, err);

	if (r == 0 && symlinkat(from, applied, to) < 0)
		r = error_set_errno(err, errno, "cannot call 'applied/%s' '%s' too", from, to);
	return r;
}

int rename_end_loans(const struct hive *hive, struct error *err)
{
	_cleanup_close_ int applied = open_applied(hive, err);
	struct dirlist list;
	const char *name;
	unsigned char type;
	int r;

	if (applied < 0)
		return applied;
	dirlist_begin(&list, applied);
	while ((r = dirlist_next(&list, &name, &type)) > 0)
		if ((r = end_loan(applied, name, err)) < 0)
			return r;
	return r < 0 ? error_set_errno(err, -r, "cannot list 'applied'") : 0;
}

/* ---- what ran before ---- */

struct search {
	const char *message;
	bool is_next; /* the commit was seen: the one before it is next */
	char before[OID_HEX_SIZE];
};

static int on_commit(const char *oid, int64_t wall_s, const char *message, void *data)
{
	struct search *s = data;

	(void)wall_s;
	if (s->is_next)
		snprintf(s->before, sizeof(s->before), "%s", oid);
	else
		s->is_next = strcmp(message, s->message) == 0;
	return s->before[0] != '\0';
}

/* An agent's entry in a commit of meta. */
static int read_entry(struct repo *meta, const char *commit, const char *name,
		      struct settings *ret, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	json_auto_t *top = NULL;
	json_t *agents = NULL;
	int r = commit_read_file(meta, commit, AGENTS_FILE, AGENTS_MAX_BYTES, &text, err);

	if (r == 0)
		r = json_parse(text.data, text.size, &top, err);
	if (r == 0)
		r = json_get_object(top, "agents", true, &agents, err);
	if (r < 0)
		return r;
	if (!json_object_get(agents, name))
		return error_set(err, ENOENT, "meta %.12s has no agent '%s'", commit, name);
	return settings_from_json(name, json_object_get(agents, name), ret, err);
}

/* The entry it had before the commit of meta that gave it its new name. */
static int find_before(const struct hive *hive, const char *from, const char *to,
		       struct settings *ret, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive), *message = rename_message(from, to);
	_cleanup_(repo_freep) struct repo *meta = NULL;
	struct search search = {.message = message};
	int r = repo_open(dir, &meta, err);

	if (r == 0)
		r = commit_log(meta, hive->meta_head, LOG_MAX, on_commit, &search, err);
	if (r < 0)
		return r;
	if (!search.before[0])
		return error_set(err, ENOENT, "meta does not say when '%s' became '%s'", from,
				 to);
	return read_entry(meta, search.before, from, ret, err);
}

int rename_find_old(struct op *op, const char *from, const char *to)
{
	struct settings before;
	int r;

	if (strcmp(op->agent->settings.name, from) == 0)
		return systems_find_old(op);
	r = find_before(op->hive, from, to, &before, &op->err);
	if (r < 0)
		return r;
	memcpy(op->old_system, before.system, sizeof(op->old_system));
	r = before.system[0] ? 0
			     : systems_recorded(op->hive, op->agent, before.deployed,
						op->old_system, &op->err);
	settings_release(&before);
	return r;
}
