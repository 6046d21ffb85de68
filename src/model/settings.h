/* What is wanted of one agent: an entry of agents.json in the meta repository. */
#pragma once

#include "base/error.h"
#include "model/builder.h"
#include "model/driver.h"
#include "model/limits.h"
#include "model/names.h"
#include "model/oid.h"
#include "model/policy.h"
#include "model/system.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LABELS_MAX 32
#define LABEL_MAX_BYTES 63

struct settings {
	char name[AGENT_NAME_MAX + 1];
	char parent[AGENT_NAME_MAX + 1]; /* "" at the root of the tree */
	enum driver_kind driver;
	enum builder_kind builder;
	uint16_t port;
	uid_t uid_base;
	bool private_network;
	bool running; /* the power state wanted */
	bool paused;
	enum policy reconcile;
	struct limits limits; /* LIMIT_UNSET where the operator did not say */
	json_t *labels;       /* object of strings, owned */
	json_t *probe;    /* what is set of it (model/probe_setting.h), owned; NULL: nothing */
	int64_t deployed; /* highest deployed/N the meta log has seen; −1 before the first */
	char revision[OID_HEX_SIZE];
	char system[SYSTEM_SIZE]; /* what Nix made of it since; "": what deployed/N says */
};

void settings_init(struct settings *settings, const char *name);
void settings_release(struct settings *settings);

/* Copies all of it; the copy is released on its own. */
void settings_copy(struct settings *to, const struct settings *from);

/* The same under another name, of which nothing is built yet. */
void settings_rename(struct settings *to, const struct settings *from, const char *name);

/* Reads an entry; anything unknown or malformed is -EINVAL naming the key. */
int settings_from_json(const char *name, const json_t *object, struct settings *ret,
		       struct error *err);

/* The entry as it is written, keys in a fixed order. The caller owns it. */
json_t *settings_to_json(const struct settings *settings);

/*
 * Changes one setting from text: memory_max, cpu_quota, tasks_max ("" = back to the default),
 * network (host|private), parent ("" = root), reconcile (report|apply; "" = as the hive),
 * label.KEY ("" removes it), probe, probe.grace, probe.soak. *ret_restart is set when a running
 * container must be restarted for it. -EINVAL naming key and value.
 */
int settings_change(struct settings *settings, const char *key, const char *value,
		    bool *ret_restart, struct error *err);

/* Every setting that is set, as settings_change() takes it:
 * {"memory_max":"2G","label.team":"red"}. The caller owns it. */
json_t *settings_to_text(const struct settings *settings);

/* Checks KEY and VALUE of a label: [a-z0-9._-]{1,63} each, value may be empty only to remove.
 */
int settings_check_label(const char *key, const char *value, struct error *err);
