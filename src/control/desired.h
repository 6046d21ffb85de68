/*
 * What a declared hive would change: each of its agents made, changed or left as it is, and
 * those of its own that it does not name any more.
 */
#pragma once

#include "control/hive.h"

enum change_action {
	CHANGE_NONE,   /* it is as declared */
	CHANGE_CREATE, /* it is not there */
	CHANGE_SET,    /* some of its settings differ */
	CHANGE_REMOVE, /* its own, not declared any more: destroyed, its state kept */
	CHANGE_LEAVE,  /* the same where nobody asked to remove any */
};

struct change {
	enum change_action action;
	char name[AGENT_NAME_MAX + 1];
	struct settings wanted; /* of CREATE and SET; else as it is */
	json_t *fields;         /* [{"field","from"?,"to"?}], owned */
	const json_t *image;    /* files to begin with, borrowed from the document; NULL */

	/* while it is carried out */
	bool made;      /* CREATE: it runs */
	bool swapped;   /* SET: its settings are in force */
	bool disturbed; /* its container was started or restarted */
};

struct desired {
	char owner[LABEL_MAX_BYTES + 1];
	json_t *document; /* owned */
	struct change *changes;
	size_t n, counts[CHANGE_LEAVE + 1];
	int64_t number; /* of the generation it would be */
};

/*
 * Holds a checked document (a reference is taken) against the hive, and checks whatever only
 * the hive can tell: names, ports, parents, whose an agent is. Nothing changes. The caller
 * releases *ret.
 */
int desired_make(struct hive *hive, json_t *document, bool prune, struct desired *ret,
		 struct error *err);
void desired_release(struct desired *desired);

/* Adds a change of this agent. Borrowed until the next is added. */
struct change *desired_add(struct desired *desired, enum change_action action,
			   const struct settings *wanted);

/* {"hive","generation","meta","changes":[{"agent","action","fields"}],"create":n,…}. The caller
 * owns it. */
json_t *desired_row(const struct hive *hive, const struct desired *desired);

/* Whether it changes anything. */
bool desired_is_true(const struct desired *desired);

/* The generation a declared hive is at; 0: none yet. */
int64_t desired_generation(const struct hive *hive, const char *owner);
