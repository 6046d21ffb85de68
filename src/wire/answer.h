/* The envelope of every answer: version first, then ok, then one result key or an error with a
 * stable code. */
#pragma once

#include "base/error.h"

#include <jansson.h>

#define WIRE_VERSION 1

/* {"version":1,"ok":true}; the caller owns it and adds the result key. */
json_t *answer_ok(void);

/* The same with one key set to a value, which is stolen. */
json_t *answer_with(const char *key, json_t *value);

/* {"version":1,"ok":false,"error":…,"code":…,"hint"?:…,"retry_after_s"?:…} */
json_t *answer_error(const struct error *err);
