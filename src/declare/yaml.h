/*
 * YAML as the JSON it stands for (YAML 1.2, core schema): mappings of strings, lists, strings,
 * whole numbers, true, false, null. No aliases, no tags, no second document, no key twice.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>

/* The error names the line. An empty document is null. The caller owns *ret. */
int yaml_parse(const char *data, size_t size, json_t **ret, struct error *err);
