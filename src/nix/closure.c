#include "nix/closure.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define STORE "/nix/store/"
#define HASH_SIZE 33 /* of a name in the store, with its '-' */
#define LIST_MAX 100
#define SIZE_MOST (INT64_C(1) << 50)
#define UNITS_MAX 2000
#define UNIT_MAX_BYTES 65536

/* ---- paths ---- */

/* A size as Nix prints it; nonsense is as good as nothing. */
static int64_t read_size(const char *text)
{
	int64_t bytes = strtoll(text, NULL, 10);

	return bytes < 0 || bytes > SIZE_MOST ? 0 : bytes;
}

/* {path: bytes}, and the sum. */
static json_t *read_paths(const char *text, int64_t *ret_sum)
{
	json_t *paths = json_object();

	*ret_sum = 0;
	while (*text) {
		size_t n = strcspn(text, "\n"), path = strcspn(text, " \t\n");

		if (strncmp(text, STORE, strlen(STORE)) == 0 && path < n &&
		    path > strlen(STORE) + HASH_SIZE) {
			_cleanup_free_ char *name = str_dup_n(text, path);
			int64_t bytes = read_size(text + path);

			json_object_set_new(paths, name, json_integer(bytes));
			if (*ret_sum <= INT64_MAX - bytes)
				*ret_sum += bytes;
		}
		text += n + (text[n] == '\n');
	}
	return paths;
}

/* "openssl" of "/nix/store/<hash>-openssl-3.0.14": what stays when the version changes. */
static char *base_name(const char *path)
{
	const char *name = path + strlen(STORE) + HASH_SIZE, *end = name;

	while (*end && !(end[0] == '-' && end[1] >= '0' && end[1] <= '9'))
		end++;
	return str_dup_n(name, (size_t)(end - name));
}

/* The paths that only one side has, by name: a name may have several. */
static json_t *only_in(const json_t *paths, const json_t *others)
{
	json_t *names = json_object(), *bytes;
	const char *path;

	json_object_foreach ((json_t *)paths, path, bytes) {
		_cleanup_free_ char *name = base_name(path);
		json_t *list = json_object_get(names, name);

		if (json_object_get(others, path))
			continue;
		if (!list) {
			list = json_array();
			json_object_set_new(names, name, list);
		}
		json_array_append_new(list, json_pack("{s:s,s:s,s:O}", "name", name, "path",
						      path, "bytes", bytes));
	}
	return names;
}

static void append_up_to(json_t *closure, const char *key, json_t *row)
{
	json_t *list = json_object_get(closure, key);

	if (json_array_size(list) < LIST_MAX)
		json_array_append(list, row);
	else
		json_object_set_new(closure, "truncated", json_true());
}

static void pair_up(json_t *closure, json_t *gone, json_t *come)
{
	json_t *old, *new, *row;
	const char *name;
	size_t i;

	json_object_foreach (come, name, new) {
		old = json_object_get(gone, name);
		json_array_foreach (new, i, row) {
			json_t *was = json_array_get(old, i), *both;

			if (!was) {
				append_up_to(closure, "added", row);
				continue;
			}
			both = json_pack("{s:s,s:O,s:O,s:O,s:O}", "name", name, "from",
					 json_object_get(was, "path"), "to",
					 json_object_get(row, "path"), "bytes_before",
					 json_object_get(was, "bytes"), "bytes",
					 json_object_get(row, "bytes"));
			append_up_to(closure, "changed", both);
			json_decref(both);
		}
	}
	json_object_foreach (gone, name, old) {
		size_t kept = json_array_size(json_object_get(come, name));

		for (i = kept; i < json_array_size(old); i++)
			append_up_to(closure, "removed", json_array_get(old, i));
	}
}

void closure_compare(const char *before, const char *after, json_t *effect)
{
	int64_t sum_before, sum_after;
	json_t *old = read_paths(before, &sum_before), *new = read_paths(after, &sum_after);
	json_t *gone = only_in(old, new), *come = only_in(new, old);
	json_t *closure = json_pack("{s:[],s:[],s:[],s:I,s:I}", "added", "removed", "changed",
				    "bytes_before", (json_int_t)sum_before, "bytes",
				    (json_int_t)sum_after);

	pair_up(closure, gone, come);
	json_object_set_new(effect, "closure", closure);
	json_decref(old);
	json_decref(new);
	json_decref(gone);
	json_decref(come);
}

/* ---- units ---- */

static bool is_unit(const char *name)
{
	static const char *const suffixes[] = {".service", ".socket", ".timer", ".mount",
					       ".path",    ".target", ".slice"};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && dot != name && i < ARRAY_SIZE(suffixes); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return true;
	return false;
}

/* {name: content} */
static json_t *read_units(const char *system)
{
	_cleanup_free_ char *path = system ? str_format("%s/etc/systemd/system", system) : NULL;
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	json_t *units = json_object();
	struct dirent *entry;

	while (dir && json_object_size(units) < UNITS_MAX && (entry = readdir(dir))) {
		_cleanup_free_ char *file = NULL, *real = NULL, *clean = NULL;
		_cleanup_buf_ struct buf text = {};

		if (!is_unit(entry->d_name) ||
		    !text_is_utf8(entry->d_name, strlen(entry->d_name)))
			continue;
		/* a link leads to a store path of its own; /dev/null masks */
		file = str_format("%s/%s", path, entry->d_name);
		real = realpath(file, NULL);
		if (!real || strncmp(real, STORE, strlen(STORE)) != 0 ||
		    file_read(AT_FDCWD, real, UNIT_MAX_BYTES, &text, NULL) < 0)
			buf_add_str(&text, real ? real : "");
		clean = text_clean_dup(buf_str(&text), UNIT_MAX_BYTES, true);
		json_object_set_new(units, entry->d_name, json_string(clean));
	}
	return units;
}

/* Store paths in a unit change with everything they are made of: only what else is said counts.
 */
static char *without_hashes(const char *text)
{
	struct buf out = {};

	while (*text) {
		if (strncmp(text, STORE, strlen(STORE)) == 0 &&
		    strnlen(text, strlen(STORE) + HASH_SIZE) == strlen(STORE) + HASH_SIZE) {
			buf_add_str(&out, STORE);
			text += strlen(STORE) + HASH_SIZE;
			continue;
		}
		buf_add_char(&out, *text++);
	}
	return buf_take(&out);
}

static void add_change(json_t *list, const char *key, const char *name, const char *change)
{
	if (json_array_size(list) < LIST_MAX)
		json_array_append_new(list,
				      json_pack("{s:s,s:s}", key, name, "change", change));
}

static void compare_units(const json_t *old, const json_t *new, json_t *list)
{
	const char *name;
	json_t *text;

	json_object_foreach ((json_t *)new, name, text) {
		const char *was = json_string_value(json_object_get(old, name));
		_cleanup_free_ char *before = was ? without_hashes(was) : NULL;
		_cleanup_free_ char *after = without_hashes(json_string_value(text));

		if (!before)
			add_change(list, "name", name, "added");
		else if (strcmp(before, after) != 0)
			add_change(list, "name", name, "changed");
	}
	json_object_foreach ((json_t *)old, name, text)
		if (!json_object_get(new, name))
			add_change(list, "name", name, "removed");
}

/* {what a socket unit listens on: true} */
static json_t *listening(const json_t *units)
{
	json_t *ports = json_object(), *text;
	const char *name;

	json_object_foreach ((json_t *)units, name, text) {
		for (const char *line = json_string_value(text); line && *line;) {
			size_t n = strcspn(line, "\n");

			if (strncmp(line, "ListenStream=", 13) == 0 ||
			    strncmp(line, "ListenDatagram=", 15) == 0) {
				const char *value = strchr(line, '=') + 1;
				_cleanup_free_ char *port =
					str_dup_n(value, n - (size_t)(value - line));

				json_object_set_new(ports, port, json_true());
			}
			line += n + (line[n] == '\n');
		}
	}
	return ports;
}

static void compare_ports(const json_t *old, const json_t *new, json_t *list)
{
	json_t *before = listening(old), *after = listening(new), *ignored;
	const char *port;

	json_object_foreach (after, port, ignored)
		if (!json_object_get(before, port))
			add_change(list, "port", port, "added");
	json_object_foreach (before, port, ignored)
		if (!json_object_get(after, port))
			add_change(list, "port", port, "removed");
	json_decref(before);
	json_decref(after);
}

void closure_compare_units(const char *before, const char *after, json_t *effect)
{
	json_t *old = read_units(before), *new = read_units(after);
	json_t *units = json_array(), *ports = json_array();

	compare_units(old, new, units);
	compare_ports(old, new, ports);
	json_object_set_new(effect, "units", units);
	json_object_set_new(effect, "ports", ports);
	json_decref(old);
	json_decref(new);
}
