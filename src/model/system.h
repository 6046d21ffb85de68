/*
 * What a build makes and a container boots, as text: 40 hexadecimal digits (a tree, for the
 * overlay builder) or a path in the Nix store.
 */
#pragma once

#include <stdbool.h>

#define SYSTEM_STORE_DIR "/nix/store/"
#define SYSTEM_SIZE 256 /* the longest path: 11 + 32 + 1 + 211, and a NUL */

/* Whether s is either of both, and exactly that. */
bool system_is_valid(const char *s);

/* Whether s is a path directly below /nix/store, as Nix names them (nix: libstore, path.cc). */
bool system_is_store(const char *s);

/* One path component: the digits, or the name in the store. Borrowed from s. */
const char *system_name(const char *s);

/* For people: the first digits of a tree, or the name in the store. Returns out. */
char *system_show(char out[SYSTEM_SIZE], const char *s);

/* The system of that name; false when there can be none. */
bool system_from_name(const char *name, char ret[SYSTEM_SIZE]);
