/* Drop-in files of a container's unit: its limits, as systemd reads them (man systemd.unit). */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "model/limits.h"

/* Where they live: /run/systemd/system, or another directory of the same layout in a test. */
#define DROPIN_ROOT "/run/systemd/system"

/* The file's text. unit: a foreign template, of nixos-container, is given what ours has. */
void dropin_render(const char *unit, const struct limits *limits, struct buf *out);

/* Writes <root>/<unit>.d/50-limits.conf, unless it says just this already. */
int dropin_write(const char *root, const char *unit, const struct limits *limits,
		 struct error *err);

/* 0: that file says just this; 1: it says something else; -ENOENT: there is none. */
int dropin_check(const char *root, const char *unit, const struct limits *limits,
		 struct error *err);

/*
 * Removes <root>/<unit>.d; of a foreign template's unit only our file in it, and the directory
 * when it is empty then. One that does not exist is success.
 */
int dropin_remove(const char *root, const char *unit, struct error *err);
