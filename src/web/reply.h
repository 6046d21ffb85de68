/* Answers: each ends the exchange. The headers that keep a page's origin to itself are on every
 * one. */
#pragma once

#include "base/error.h"
#include "web/assets.h"
#include "web/exchange.h"

/* Sets what every answer carries, and type. cache NULL: no-store. For streams, which answer by
 * themselves. */
void reply_headers(struct exchange *x, const char *type, const char *cache);

/* Copies the bytes. */
void reply_bytes(struct exchange *x, int status, const char *type, const char *data,
		 size_t size);

/* An object of the protocol, stolen; its status comes from its code. */
void reply_json(struct exchange *x, json_t *answer);

/* skepd's own line, as it is. */
void reply_line(struct exchange *x, const char *line, size_t size);
void reply_error(struct exchange *x, const struct error *err);
void reply_refusal(struct exchange *x, const struct refusal *why);
void reply_asset(struct exchange *x, const struct asset *asset);

/* Adds a header to the answer to come. */
void reply_add(struct exchange *x, const char *name, const char *value);

/* Whether a line of skepd's says ok; *ret_code (may be NULL) is else its code, copied into size
 * bytes. */
bool reply_line_ok(const char *line, size_t size, char *code, size_t code_size);
