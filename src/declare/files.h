/*
 * A hive's files, skep-hive(5), made into one document: includes followed, agents of other
 * hosts left out, profiles merged, every key checked. Errors name file and key.
 */
#pragma once

#include "declare/source.h"

#include <jansson.h>

/*
 * host: for which machine. *ret_document passes document_check() and is the caller's.
 */
int files_read(const struct source *source, const char *host, json_t **ret_document,
	       struct error *err);
