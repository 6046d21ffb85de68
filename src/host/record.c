#include "host/record.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MAX 65536

static char *record_path(const struct place *place, const char *agent)
{
	return str_format("%s/exec/%s.json", place->runtime, agent);
}

static int get_id(const json_t *object, const char *key, struct proc_id *ret, struct error *err)
{
	json_t *id = NULL;
	int64_t pid = 0, start = 0;
	int r = json_get_object(object, key, false, &id, err);

	if (r < 0 || !id)
		return r;
	r = json_get_int(id, "pid", true, 1, INT32_MAX, &pid, err);
	if (r == 0)
		r = json_get_int(id, "start", true, 0, INT64_MAX, &start, err);
	if (r == 0)
		*ret = (struct proc_id){.pid = (pid_t)pid, .start = (uint64_t)start};
	return r;
}

static int get_cgroups(const json_t *object, struct cgroups *ret, struct error *err)
{
	json_t *list = NULL, *item;
	size_t i;
	int r = json_get_array(object, "cgroups", false, &list, err);

	if (r < 0 || !list)
		return r;
	ret->items = mem_new(json_array_size(list) + 1, sizeof(*ret->items));
	json_array_foreach (list, i, item) {
		const char *dir = NULL;
		bool v2 = false;

		r = json_get_str(item, "dir", true, &dir, err);
		if (r == 0)
			r = json_get_bool(item, "v2", true, &v2, err);
		if (r < 0)
			return r;
		ret->items[ret->count++] = (struct cgroup){.dir = str_dup(dir), .v2 = v2};
	}
	return 0;
}

static int parse(const json_t *object, struct record *record, struct error *err)
{
	const char *text = "";
	int r = get_id(object, "nspawn", &record->nspawn, err);

	if (r == 0)
		r = get_id(object, "leader", &record->leader, err);
	if (r == 0)
		r = get_cgroups(object, &record->cgroups, err);
	if (r == 0)
		r = json_get_int(object, "since_boot_ms", true, 0, INT64_MAX,
				 &record->since_boot_ms, err);
	if (r == 0)
		r = json_get_bool(object, "ended", true, &record->ended, err);
	if (r == 0)
		r = json_get_bool(object, "clean", true, &record->clean, err);
	if (r == 0)
		r = json_get_str(object, "exit", true, &text, err);
	if (r == 0)
		snprintf(record->exit, sizeof(record->exit), "%s", text);
	return r;
}

int record_read(const struct place *place, const char *agent, struct record *ret,
		struct error *err)
{
	_cleanup_free_ char *path = record_path(place, agent);
	_cleanup_record_ struct record record = {};
	_cleanup_buf_ struct buf text = {};
	char boot[BOOT_ID_SIZE];
	const char *recorded = NULL;
	json_t *object = NULL;
	int r = file_read(AT_FDCWD, path, RECORD_MAX, &text, err);

	if (r == 0)
		r = proc_boot_id(boot, err);
	if (r == 0)
		r = json_parse(buf_str(&text), text.size, &object, err);
	if (r < 0)
		return r;
	r = json_get_str(object, "boot", true, &recorded, err);
	if (r == 0 && strcmp(recorded, boot) != 0)
		r = error_set(err, ENOENT, "'%s' is from before this machine's last start",
			      path);
	if (r == 0)
		r = parse(object, &record, err);
	json_decref(object);
	if (r < 0)
		return r;
	record_release(ret);
	*ret = record;
	record = (struct record){};
	return 0;
}

static void put_id(json_t *object, const char *key, const struct proc_id *id)
{
	if (id->pid > 0)
		json_object_set_new(object, key,
				    json_pack("{s:i, s:I}", "pid", (int)id->pid, "start",
					      (json_int_t)id->start));
}

int record_write(const struct place *place, const char *agent, const struct record *record,
		 struct error *err)
{
	_cleanup_free_ char *path = record_path(place, agent), *line = NULL;
	json_t *object, *list = json_array();
	char boot[BOOT_ID_SIZE];
	int r = proc_boot_id(boot, err);

	if (r < 0) {
		json_decref(list);
		return r;
	}
	for (size_t i = 0; i < record->cgroups.count; i++)
		json_array_append_new(list, json_pack("{s:s, s:b}", "dir",
						      record->cgroups.items[i].dir, "v2",
						      record->cgroups.items[i].v2));
	object = json_pack("{s:s, s:o, s:I, s:b, s:b, s:s}", "boot", boot, "cgroups", list,
			   "since_boot_ms", (json_int_t)record->since_boot_ms, "ended",
			   record->ended, "clean", record->clean, "exit", record->exit);
	put_id(object, "nspawn", &record->nspawn);
	put_id(object, "leader", &record->leader);
	line = json_line(object);
	json_decref(object);
	return file_write_atomic(AT_FDCWD, path, line, strlen(line), 0600, err);
}

int record_remove(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_free_ char *path = record_path(place, agent);

	if (unlink(path) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot remove '%s'", path);
	return 0;
}

void record_release(struct record *record)
{
	cgroups_release(&record->cgroups);
}
