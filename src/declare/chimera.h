/*
 * A Chimera Spawn configs/ tree (images, profiles, cloud-init, nodes, main configuration) made
 * into the same document as skep's own files. What cannot be carried over is noted, one line
 * each with file and key.
 */
#pragma once

#include "declare/source.h"

#include <jansson.h>

/*
 * The source is the configs directory. A node's containers are for the host of its file's name.
 * *ret_document passes document_check(); texts are added to notes.
 */
int chimera_read(const struct source *source, const char *host, json_t **ret_document,
		 json_t *notes, struct error *err);
