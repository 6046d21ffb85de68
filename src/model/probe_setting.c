#include "model/probe_setting.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "model/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 60

int probe_setting_check(const json_t *setting, struct error *err)
{
	struct manifest manifest;
	int r;

	manifest_init(&manifest);
	r = probe_lay_over(&manifest.probe, setting, err);
	manifest_release(&manifest);
	return r;
}

static int read_number(const char *key, const char *text, json_t *setting, const char *name,
		       struct error *err)
{
	_cleanup_free_ char *shown = text_clean_dup(text, SHOWN_MAX, false);

	/* more digits than any of these may have */
	if (!text[0] || strlen(text) > 6 || strspn(text, "0123456789") != strlen(text))
		return error_set(err, EINVAL, "'%s' takes a number, not '%s'", key, shown);
	json_object_set_new(setting, name, json_integer(atoll(text)));
	return 0;
}

static void put_words(json_t *setting, const char *text)
{
	json_t *words = json_array();

	while (*(text += strspn(text, " "))) {
		size_t size = strcspn(text, " ");

		json_array_append_new(words, json_stringn(text, size));
		text += size;
	}
	json_object_set_new(setting, "command", words);
}

static int change_kind(json_t *setting, const char *value, struct error *err)
{
	const char *rest = strchr(value, ':');
	size_t size = rest ? (size_t)(rest - value) : strlen(value);

	json_object_del(setting, "kind");
	json_object_del(setting, "port");
	json_object_del(setting, "command");
	if (!value[0])
		return 0;
	json_object_set_new(setting, "kind", json_stringn(value, size));
	if (!json_object_get(setting, "kind"))
		return error_set(err, EINVAL, "'probe' is not text");
	if (rest && strncmp(value, "command:", 8) == 0)
		put_words(setting, rest + 1);
	else if (rest && strncmp(value, "tcp:", 4) == 0)
		return read_number("probe=tcp", rest + 1, setting, "port", err);
	else if (rest)
		return error_set(err, EINVAL, "only tcp and command take something after ':'");
	return 0;
}

static int change_time(json_t *setting, const char *key, const char *name, const char *value,
		       struct error *err)
{
	if (value[0])
		return read_number(key, value, setting, name, err);
	json_object_del(setting, name);
	return 0;
}

int probe_setting_change(json_t **setting, const char *key, const char *value,
			 struct error *err)
{
	json_t *wanted;
	int r;

	if (strcmp(key, "probe") != 0 && strcmp(key, "probe.grace") != 0 &&
	    strcmp(key, "probe.soak") != 0)
		return -ENOKEY;
	wanted = *setting ? json_deep_copy(*setting) : json_object();
	if (strcmp(key, "probe") == 0)
		r = change_kind(wanted, value, err);
	else
		r = change_time(wanted, key, key + strlen("probe."), value, err);
	if (r == 0)
		r = probe_setting_check(wanted, err);
	if (r < 0) {
		json_decref(wanted);
		return r;
	}
	json_decref(*setting);
	*setting = wanted;
	if (json_object_size(wanted) == 0) {
		json_decref(wanted);
		*setting = NULL;
	}
	return 0;
}

static void put_kind(const json_t *setting, const char *kind, json_t *texts)
{
	json_t *words = json_object_get(setting, "command"), *word;
	json_int_t port = json_integer_value(json_object_get(setting, "port"));
	_cleanup_buf_ struct buf text = {};
	size_t i;

	buf_add_str(&text, kind);
	if (port > 0)
		buf_addf(&text, ":%lld", (long long)port);
	json_array_foreach (words, i, word)
		buf_addf(&text, "%s%s", i == 0 ? ":" : " ", json_string_value(word));
	json_object_set_new(texts, "probe", json_string(buf_str(&text)));
}

void probe_setting_to_text(const json_t *setting, json_t *texts)
{
	static const char *const times[][2] = {{"grace", "probe.grace"},
					       {"soak", "probe.soak"}};
	const char *kind = json_string_value(json_object_get(setting, "kind"));
	json_t *value;

	if (kind)
		put_kind(setting, kind, texts);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		if ((value = json_object_get(setting, times[i][0])))
			json_object_set_new(texts, times[i][1],
					    json_sprintf("%lld",
							 (long long)json_integer_value(value)));
}
