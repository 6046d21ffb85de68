#include "declare/chimera_parts.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "model/declare.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#define NOTES_MAX 1000

void chimera_note(json_t *notes, const char *file, const char *key, const char *format, ...)
{
	_cleanup_free_ char *text = NULL, *line = NULL, *clean = NULL;
	va_list args;

	va_start(args, format);
	text = str_vformat(format, args);
	va_end(args);
	line = str_format("%s: %s: %s", file, key, text);
	clean = text_clean_dup(line, 400, false);
	if (json_array_size(notes) < NOTES_MAX)
		json_array_append_new(notes, json_string(clean));
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- files ---- */

void chimera_put_file(json_t *files, const char *path, const char *data, bool symlink,
		      bool executable)
{
	json_t *file = json_pack("{s:s,s:s}", "path", path, "data", data), *other;
	size_t i;

	if (symlink)
		json_object_set_new(file, "symlink", json_true());
	else if (executable)
		json_object_set_new(file, "executable", json_true());
	json_array_foreach (files, i, other)
		if (strcmp(text_of(other, "path"), path) == 0)
			break;
	if (i < json_array_size(files))
		json_array_set_new(files, i, file);
	else
		json_array_append_new(files, file);
}

/* "/etc/motd" in the container is rootfs/etc/motd in the image. */
static char *path_of(const char *inside)
{
	while (*inside == '/')
		inside++;
	return str_format("rootfs/%s", inside);
}

static void lay_custom_file(const json_t *custom, const char *file, json_t *files,
			    json_t *notes)
{
	const char *path = text_of(custom, "path"), *ensure = text_of(custom, "ensure"),
		   *target = text_of(custom, "target");
	_cleanup_free_ char *inside = path ? path_of(path) : NULL;

	if (inside && ensure && strcmp(ensure, "present") == 0)
		chimera_put_file(files, inside, "", false, false);
	else if (inside && target && ensure && strcmp(ensure, "link") == 0)
		chimera_put_file(files, inside, target, true, false);
	else
		chimera_note(notes, file, "custom_files", "'%s' is not carried over: %s",
			     path ? path : "?",
			     ensure && strcmp(ensure, "absent") == 0
				     ? "nothing is taken away from a base"
				     : "it is neither a file nor a link");
}

/* The kernel's words to an init: units that are masked are links to nothing. */
static void lay_parameter(const char *word, const char *file, json_t *files, json_t *notes)
{
	static const char mask[] = "systemd.mask=";
	_cleanup_free_ char *path = NULL;

	if (!word || strncmp(word, mask, strlen(mask)) != 0 || strchr(word, '/')) {
		chimera_note(notes, file, "nspawn_parameters", "'%s' is not carried over",
			     word ? word : "?");
		return;
	}
	path = str_format("rootfs/etc/systemd/system/%s", word + strlen(mask));
	chimera_put_file(files, path, "/dev/null", true, false);
}

void chimera_lay_image(const json_t *image, const char *file, json_t *files, json_t *notes)
{
	const char *key;
	json_t *value, *each;
	size_t i;

	json_object_foreach ((json_t *)image, key, value) {
		if (strcmp(key, "custom_files") == 0) {
			json_array_foreach (value, i, each)
				lay_custom_file(each, file, files, notes);
		} else if (strcmp(key, "nspawn_parameters") == 0) {
			json_array_foreach (value, i, each)
				lay_parameter(json_string_value(each), file, files, notes);
		} else if (strcmp(key, "type") != 0 && strcmp(key, "verify") != 0) {
			chimera_note(notes, file, key,
				     strcmp(key, "source") == 0
					     ? "is not carried over: the base is this "
					       "machine's /usr"
					     : "is not carried over");
		}
	}
}

/* ---- profiles ---- */

static bool is_yes(const char *value)
{
	static const char *const yes[] = {"yes", "true", "1", "on"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (strcasecmp(value, yes[i]) == 0)
			return true;
	return false;
}

/* One assignment of a unit file or nspawn file. */
typedef void (*assign_fn)(const char *section, const char *key, const char *value,
			  const char *file, json_t *settings, json_t *notes);

static void put_limit(json_t *settings, const char *key, const char *value)
{
	json_t *limits = json_object_get(settings, "limits");

	if (!limits) {
		limits = json_object();
		json_object_set_new(settings, "limits", limits);
	}
	json_object_set_new(limits, key, json_string(value));
}

static void assign_unit(const char *section, const char *key, const char *value,
			const char *file, json_t *settings, json_t *notes)
{
	static const struct {
		const char *unit, *limit;
	} limits[] = {{"MemoryMax", "memory_max"},
		      {"CPUQuota", "cpu_quota"},
		      {"TasksMax", "tasks_max"}};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		json_auto_t *one = NULL;
		struct error err = {};

		if (strcmp(section, "Service") != 0 || strcmp(key, limits[i].unit) != 0)
			continue;
		one = json_pack("{s:{s:s}}", "limits", limits[i].limit, value);
		if (declare_check(one, &err) == 0)
			put_limit(settings, limits[i].limit, value);
		else
			chimera_note(notes, file, "systemd_override_content",
				     "%s is not carried over: %s", key, error_text(&err));
		return;
	}
	chimera_note(notes, file, "systemd_override_content", "[%s] %s=%s is not carried over",
		     section, key, value);
}

static void assign_nspawn(const char *section, const char *key, const char *value,
			  const char *file, json_t *settings, json_t *notes)
{
	bool network = strcmp(section, "Network") == 0, exec = strcmp(section, "Exec") == 0;

	if (network && (strcmp(key, "Private") == 0 || strcmp(key, "VirtualEthernet") == 0)) {
		if (is_yes(value) || !json_object_get(settings, "network"))
			json_object_set_new(settings, "network",
					    json_string(is_yes(value) ? "private" : "host"));
		if (is_yes(value) && strcmp(key, "Private") != 0)
			chimera_note(notes, file, "nspawn_config_content",
				     "[Network] %s is not carried over: a private network "
				     "has no link to others",
				     key);
	} else if (exec && strcmp(key, "PrivateUsers") == 0 && !is_yes(value) &&
		   strcmp(value, "pick") != 0) {
		chimera_note(notes, file, "nspawn_config_content",
			     "[Exec] PrivateUsers=%s is not carried over: every agent has a "
			     "range of ids of its own",
			     value);
	} else if (!exec || (strcmp(key, "Boot") != 0 && strcmp(key, "NotifyReady") != 0 &&
			     strcmp(key, "PrivateUsers") != 0)) {
		chimera_note(notes, file, "nspawn_config_content",
			     "[%s] %s=%s is not carried over", section, key, value);
	}
}

static char *trimmed(const char *start, size_t size)
{
	while (size > 0 && isspace((unsigned char)*start)) {
		start++;
		size--;
	}
	while (size > 0 && isspace((unsigned char)start[size - 1]))
		size--;
	return str_format("%.*s", (int)size, start);
}

static void read_ini(const char *text, assign_fn fn, const char *file, json_t *settings,
		     json_t *notes)
{
	_cleanup_free_ char *section = str_dup("");

	while (text && *text) {
		size_t size = strcspn(text, "\n");
		_cleanup_free_ char *line = trimmed(text, size);
		char *equals = strchr(line, '=');
		size_t n = strlen(line);

		text += size + (text[size] == '\n');
		if (n == 0 || line[0] == '#' || line[0] == ';')
			continue;
		if (line[0] == '[' && line[n - 1] == ']') {
			free(section);
			section = trimmed(line + 1, n - 2);
		} else if (equals) {
			_cleanup_free_ char *key = trimmed(line, (size_t)(equals - line)),
					    *value = trimmed(equals + 1, strlen(equals + 1));

			fn(section, key, value, file, settings, notes);
		}
	}
}

void chimera_lay_profile(const json_t *profile, const char *file, json_t *settings,
			 json_t *notes)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)profile, key, value) {
		const char *text = json_string_value(value);

		if (text && strcmp(key, "nspawn_config_content") == 0)
			read_ini(text, assign_nspawn, file, settings, notes);
		else if (text && strcmp(key, "systemd_override_content") == 0)
			read_ini(text, assign_unit, file, settings, notes);
		else if (strcmp(key, "description") != 0)
			chimera_note(notes, file, key, "is not carried over");
	}
}

/* ---- cloud-init ---- */

static void lay_written(const json_t *written, const char *file, json_t *files, json_t *notes)
{
	const char *path = text_of(written, "path"), *content = text_of(written, "content"),
		   *permissions = text_of(written, "permissions");
	_cleanup_free_ char *inside = path ? path_of(path) : NULL;

	if (!inside || !content || json_object_get(written, "encoding") ||
	    json_object_get(written, "append") || json_object_get(written, "source")) {
		chimera_note(notes, file, "user_data.write_files",
			     "'%s' is not carried over: only plain content is",
			     path ? path : "?");
		return;
	}
	chimera_put_file(files, inside, content, false,
			 permissions && strpbrk(permissions, "157"));
	if (json_object_get(written, "owner"))
		chimera_note(notes, file, "user_data.write_files",
			     "the owner of '%s' is not carried over", path);
}

void chimera_lay_user_data(const json_t *user_data, const char *file, json_t *files,
			   json_t *notes)
{
	const char *key;
	json_t *value, *each;
	size_t i;

	json_object_foreach ((json_t *)user_data, key, value) {
		_cleanup_free_ char *where = str_format("user_data.%s", key);

		if (strcmp(key, "write_files") == 0 && json_is_array(value)) {
			json_array_foreach (value, i, each)
				lay_written(each, file, files, notes);
		} else if (strcmp(key, "hostname") != 0) {
			chimera_note(notes, file, where, "is not carried over");
		}
	}
}

void chimera_lay_meta_data(const json_t *meta_data, const char *file, json_t *settings,
			   json_t *notes)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)meta_data, key, value) {
		json_auto_t *one = json_pack("{s:{s:O}}", "labels", key, value);
		_cleanup_free_ char *where = str_format("meta_data.%s", key);

		if (json_is_string(value) && declare_check(one, NULL) == 0)
			declare_merge(settings, one);
		else
			chimera_note(notes, file, where, "is not carried over: it is no label");
	}
}
