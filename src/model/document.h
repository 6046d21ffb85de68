/*
 * A declared hive as one object, which is what travels to skepd: {"version":1,"hive":"prod",
 * "source":"git 1f2e…","agents":{"alice":{"image":"web",…declare_keys}},"images":{"web":
 * {"builder":"overlay","files":[{"path","data","executable"?,"symlink"?}]}}}.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>

#define DOCUMENT_MAX_BYTES (16u << 20)
#define DOCUMENT_MAX_AGENTS 1000
#define DOCUMENT_MAX_IMAGES 64
/* Of one image, as JSON: what skep-exec takes in one message, and room for the rest of it. */
#define IMAGE_MAX_BYTES (192u << 10)
#define IMAGE_MAX_FILES 256

/* Checks all of it. The error names the agent or image, and the key. */
int document_check(const json_t *document, struct error *err);

/* Checks a list of files: paths that stay inside, each once; text; agent.json as it must be. */
int document_check_files(const json_t *files, struct error *err);
