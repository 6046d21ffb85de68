#include "control/desired.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "control/lifecycle.h"
#include "control/plan.h"
#include "model/declare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {
	[CHANGE_NONE] = "none",     [CHANGE_CREATE] = "create", [CHANGE_SET] = "change",
	[CHANGE_REMOVE] = "remove", [CHANGE_LEAVE] = "leave",
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int64_t desired_generation(const struct hive *hive, const char *owner)
{
	return json_integer_value(
		json_object_get(json_object_get(hive->declared, owner), "generation"));
}

void desired_release(struct desired *d)
{
	for (size_t i = 0; i < d->n; i++) {
		settings_release(&d->changes[i].wanted);
		json_decref(d->changes[i].fields);
	}
	free(d->changes);
	json_decref(d->document);
	*d = (struct desired){};
}

struct change *desired_add(struct desired *d, enum change_action action,
			   const struct settings *wanted)
{
	struct change *c;

	d->changes = mem_grow(d->changes, d->n + 1, sizeof(*d->changes));
	c = &d->changes[d->n++];
	*c = (struct change){.action = action};
	settings_copy(&c->wanted, wanted);
	memcpy(c->name, wanted->name, sizeof(c->name));
	d->counts[action]++;
	return c;
}

/* ---- from what to what ---- */

/* As `set` takes them, and what start, stop and pause change. */
static json_t *texts_of(const struct settings *s)
{
	json_t *texts = settings_to_text(s);

	json_object_set_new(texts, "desired", json_string(s->running ? "running" : "stopped"));
	json_object_set_new(texts, "paused", json_string(s->paused ? "true" : "false"));
	return texts;
}

static void add_field(json_t *fields, const char *key, json_t *from, json_t *to)
{
	json_t *field;

	if (from && to && json_equal(from, to))
		return;
	field = json_pack("{s:s}", "field", key);
	if (from)
		json_object_set(field, "from", from);
	if (to)
		json_object_set(field, "to", to);
	json_array_append_new(fields, field);
}

/* from NULL: nothing was there */
static json_t *fields_between(const struct settings *from, const struct settings *to)
{
	json_auto_t *old = from ? texts_of(from) : json_object(), *now = texts_of(to);
	json_t *fields = json_array(), *value;
	const char *key;

	json_object_foreach (old, key, value)
		add_field(fields, key, value, json_object_get(now, key));
	json_object_foreach (now, key, value)
		if (!json_object_get(old, key))
			add_field(fields, key, NULL, value);
	return fields;
}

/* ---- one agent ---- */

static const json_t *image_of(const json_t *document, const json_t *agent)
{
	const char *image = text_of(agent, "image");

	return image ? json_object_get(json_object_get(document, "images"), image) : NULL;
}

/* What an agent is made of is not changed under it. */
static int check_image(const struct settings *s, const json_t *image, struct error *err)
{
	const char *builder = text_of(image, "builder"), *driver = text_of(image, "driver");

	if (builder && strcmp(builder, builder_kind_name(s->builder)) != 0)
		return error_set(err, EEXIST,
				 "its image is for the builder %s, and it is there and built "
				 "by %s",
				 builder, builder_kind_name(s->builder));
	if (driver && strcmp(driver, driver_kind_name(s->driver)) != 0)
		return error_set(
			err, EEXIST,
			"its image is for the driver %s, and it is there and run by %s", driver,
			driver_kind_name(s->driver));
	return 0;
}

static int check_owner(const struct desired *d, const struct agent *agent, struct error *err)
{
	const char *owner = text_of(agent->settings.labels, OWNER_LABEL);

	if (!owner || strcmp(owner, d->owner) == 0)
		return 0;
	error_set(err, EEXIST, "it belongs to the declared hive '%s'", owner);
	error_hint(err, "skep set %s label." OWNER_LABEL "= lets it go", agent->settings.name);
	return -EEXIST;
}

static int want_change(struct desired *d, const struct agent *agent, const json_t *declared,
		       struct error *err)
{
	struct settings wanted;
	struct change *c;
	json_t *fields;
	int r;

	if ((r = lifecycle_refuse_dying(agent, err)) < 0 ||
	    (r = check_owner(d, agent, err)) < 0 ||
	    (r = check_image(&agent->settings, image_of(d->document, declared), err)) < 0)
		return r;
	settings_copy(&wanted, &agent->settings);
	r = declare_settings(declared, d->owner, &wanted, err);
	if (r == 0) {
		fields = fields_between(&agent->settings, &wanted);
		c = desired_add(d, json_array_size(fields) > 0 ? CHANGE_SET : CHANGE_NONE,
				&wanted);
		c->fields = fields;
	}
	settings_release(&wanted);
	return r;
}

/* It stands among the others until the whole was looked at, so that no two take one port. */
static int want_new(struct hive *hive, struct desired *d, const char *name,
		    const json_t *declared, struct error *err)
{
	const json_t *image = image_of(d->document, declared);
	const char *builder = text_of(image, "builder"), *driver = text_of(image, "driver");
	struct spawn_request request = {.name = name,
					.limits = LIMITS_UNSET,
					.private_network = -1,
					.driver = hive->config->driver,
					.builder = hive->config->builder};
	struct settings wanted;
	struct change *c;
	int r;

	if ((builder && (r = builder_kind_parse(builder, &request.builder, err)) < 0) ||
	    (driver && (r = driver_kind_parse(driver, &request.driver, err)) < 0) ||
	    (r = plan_agent(hive, &request, &wanted, err)) < 0)
		return r;
	r = declare_settings(declared, d->owner, &wanted, err);
	if (r < 0) {
		settings_release(&wanted);
		return r;
	}
	c = desired_add(d, CHANGE_CREATE, &wanted);
	c->fields = fields_between(NULL, &wanted);
	c->image = json_object_get(image, "files");
	hive_add(hive, &wanted)->unborn = true;
	return 0;
}

static int want_all(struct hive *hive, struct desired *d, struct error *err)
{
	const char *name;
	json_t *declared;
	int r = 0;

	json_object_foreach (json_object_get(d->document, "agents"), name, declared) {
		const struct agent *agent = hive_find(hive, name);

		if (agent && agent->unborn)
			r = error_set_code(err, EBUSY, "wrong_state", "it is being made");
		else if (agent)
			r = want_change(d, agent, declared, err);
		else
			r = want_new(hive, d, name, declared, err);
		if (r < 0)
			return error_prefix(err, "'%s'", name);
	}
	return 0;
}

/* Those that carry this hive's label and that it does not name. */
static int want_gone(const struct hive *hive, struct desired *d, bool prune, struct error *err)
{
	const json_t *named = json_object_get(d->document, "agents");

	for (size_t i = 0; i < hive->n_agents; i++) {
		const struct agent *agent = hive->agents[i];
		const char *owner = text_of(agent->settings.labels, OWNER_LABEL);

		if (agent->unborn || !owner || strcmp(owner, d->owner) != 0 ||
		    json_object_get(named, agent->settings.name))
			continue;
		if (prune && lifecycle_refuse_dying(agent, err) < 0)
			return err->err;
		desired_add(d, prune ? CHANGE_REMOVE : CHANGE_LEAVE, &agent->settings)->fields =
			json_array();
	}
	return 0;
}

/* ---- the whole, put on and taken off again ---- */

static void swap(struct hive *hive, struct change *c)
{
	struct agent *agent = hive_find(hive, c->name);
	struct settings now = agent->settings;

	agent->settings = c->wanted;
	c->wanted = now;
}

static void swap_all(struct hive *hive, struct desired *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->changes[i].action == CHANGE_SET)
			swap(hive, &d->changes[i]);
}

static bool says_parent(const struct desired *d, const char *name)
{
	const json_t *declared = json_object_get(json_object_get(d->document, "agents"), name);

	return text_of(declared, "parent") != NULL;
}

static int check_parents(struct hive *hive, struct desired *d, struct error *err)
{
	int r = 0;

	swap_all(hive, d);
	for (size_t i = 0; r == 0 && i < d->n; i++) {
		const struct change *c = &d->changes[i];
		const struct settings *s;

		if (c->action != CHANGE_SET && c->action != CHANGE_CREATE)
			continue;
		s = &hive_find(hive, c->name)->settings;
		/* what is nobody's wish is not refused: a hive may have no manager yet */
		if (c->action == CHANGE_SET ? strcmp(s->parent, c->wanted.parent) != 0
					    : says_parent(d, c->name))
			r = lifecycle_check_parent(hive, s, err);
		if (r < 0)
			(void)error_prefix(err, "'%s'", c->name);
	}
	swap_all(hive, d);
	return r;
}

static void take_off(struct hive *hive, struct desired *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->changes[i].action == CHANGE_CREATE)
			hive_remove(hive, hive_find(hive, d->changes[i].name));
}

int desired_make(struct hive *hive, json_t *document, bool prune, struct desired *ret,
		 struct error *err)
{
	struct desired d = {.document = json_incref(document)};
	int r;

	snprintf(d.owner, sizeof(d.owner), "%s", text_of(document, "hive"));
	d.number = desired_generation(hive, d.owner) + 1;
	r = want_all(hive, &d, err);
	if (r == 0)
		r = check_parents(hive, &d, err);
	take_off(hive, &d);
	if (r == 0)
		r = want_gone(hive, &d, prune, err);
	if (r < 0) {
		desired_release(&d);
		return r;
	}
	*ret = d;
	return 0;
}

/* ---- shown ---- */

bool desired_is_true(const struct desired *d)
{
	return d->counts[CHANGE_CREATE] + d->counts[CHANGE_SET] + d->counts[CHANGE_REMOVE] == 0;
}

json_t *desired_row(const struct hive *hive, const struct desired *d)
{
	json_t *changes = json_array(), *row;

	for (size_t i = 0; i < d->n; i++) {
		const struct change *c = &d->changes[i];

		json_array_append_new(changes,
				      json_pack("{s:s,s:s,s:O}", "agent", c->name, "action",
						words[c->action], "fields", c->fields));
	}
	row = json_pack("{s:s,s:I,s:s,s:o}", "hive", d->owner, "generation",
			(json_int_t)d->number, "meta", hive->meta_head, "changes", changes);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		json_object_set_new(row, words[i], json_integer((json_int_t)d->counts[i]));
	return row;
}
