/* Foreign text: UTF-8 checks, cleaning and escaping before it is stored or shown. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes one code point of strict UTF-8 (RFC 3629: no surrogates, no overlong forms). Returns
 * the number of bytes it took (1 to 4), or 0 when the bytes are not valid.
 */
size_t text_decode(const char *s, size_t size, uint32_t *ret_codepoint);

/* Whether all of it is strict UTF-8. */
bool text_is_utf8(const char *s, size_t size);

/*
 * Whether a code point can hide or reorder its neighbours: bidi controls, zero-width and other
 * invisible characters, tag characters, variation selectors, interlinear marks (Unicode TR 36
 * and TR 39). U+FEFF counts.
 */
bool text_is_deceptive(uint32_t codepoint);

/*
 * Adds s as plain one-encoding text, safe to store and to send: invalid bytes and C0, C1, DEL
 * and deceptive code points become visible escapes (\x1b, U+202E). Tab passes; newline passes
 * when keep_newlines, else becomes a space. At most max bytes of output are added; what was cut
 * is marked with "…".
 */
void text_clean(struct buf *out, const char *s, size_t size, size_t max, bool keep_newlines);

/*
 * Adds s as valid UTF-8 for a reader who shows every character as what it is: control and
 * deceptive characters stay, only bytes that are no characters, and NUL, become visible escapes
 * (\xff).
 */
void text_keep(struct buf *out, const char *s, size_t size);

/* How many bytes at the end of s may be the beginning of a character that has not come whole: 0
 * to 3. */
size_t text_cut_short(const char *s, size_t size);

/* text_clean() into a new string the caller frees. */
char *text_clean_dup(const char *s, size_t max, bool keep_newlines);

/*
 * Reads a whole decimal number from min to max: digits alone, with a '-' before them where min
 * is below 0. Returns false, and leaves *ret, for everything else.
 */
bool text_to_number(const char *s, int64_t min, int64_t max, int64_t *ret);

/* Lower-case hexadecimal of size bytes; out has room for 2 * size + 1. */
void text_hex(char *out, const void *data, size_t size);

/* Whether s is exactly n lower-case hexadecimal digits. */
bool text_is_hex(const char *s, size_t n);

/* Edit distance of two short words; of a long one it is merely large. */
size_t text_distance(const char *a, const char *b);

/* The word of a NULL-terminated list that this one was probably meant to be; NULL when none is
 * near. */
const char *text_nearest(const char *word, const char *const *words);
