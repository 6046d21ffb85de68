/*
 * Conf files of nixos-container, /etc/nixos-containers/<container>.conf: a systemd
 * EnvironmentFile (man systemd.exec) that container@.service reads at every start. skep owns
 * some of its lines and keeps the others.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "host/place.h"
#include "host/spec.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * The lines skep owns, for a specification. -EINVAL: a path has a character that the unit would
 * split, expand or end the value at. skep is the static client.
 */
int nixos_conf_own(const struct place *place, const struct container_spec *spec,
		   const char *skep, struct buf *out, struct error *err);

/* The text without any line skep owns, then those given. Doing it again changes nothing. */
void nixos_conf_rewrite(const char *text, const char *own, struct buf *out);

/*
 * In which of the lines skep owns a text differs from those it should have, as rows of
 * host/differ.h: "conf KEY". Of nspawn's flags only those that one of the two lacks. Pure.
 */
void nixos_conf_differ(const char *text, const char *own, json_t *list);

/* The value of the last line of a key, without its quotes; "" when there is none. The caller
 * frees it. */
char *nixos_conf_value(const char *text, const char *key);

/* The words of one text that another has not, for people; "nothing" when there are none. */
char *nixos_words_without(const char *words, const char *others);

/* Whether two texts differ in nothing but the system: then the unit need not be restarted. */
bool nixos_conf_same_host(const char *a, const char *b);

/* The value of the last SYSTEM_PATH= line; false when there is none that is a store path. */
bool nixos_conf_system(const char *text, char ret[SYSTEM_SIZE]);
