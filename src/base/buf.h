/* A growing run of bytes, always followed by a NUL that is not counted. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* NULL while nothing was ever added */
	size_t size;
	size_t room;
};

/* Releases what it holds and leaves it empty and usable. */
void buf_release(struct buf *b);

/* Adds bytes. Memory exhaustion ends the process: no caller could go on without the text. */
void buf_add(struct buf *b, const void *data, size_t size);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops everything past size bytes. */
void buf_truncate(struct buf *b, size_t size);

/* The bytes as a NUL-terminated string, "" when empty. Borrowed until the next change. */
const char *buf_str(const struct buf *b);

/* Hands the string over to the caller, who frees it; the buffer is empty afterwards. */
char *buf_take(struct buf *b);

/* A formatted string the caller frees. Never NULL. */
char *str_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *str_vformat(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/*
 * strdup() and calloc() that end the process when memory is exhausted. str_dup(NULL) is NULL.
 * The libraries that the daemons build on get the same (json.c, loop.c): a process that has no
 * memory left ends as if it had been killed, and the next one goes on from the record.
 */
char *str_dup(const char *s);
char *str_dup_n(const char *s, size_t n);
void *mem_alloc(size_t size);
void *mem_resize(void *p, size_t size);
void *mem_new(size_t count, size_t size);

/* realloc() for count elements, same rule. */
void *mem_grow(void *p, size_t count, size_t size);

#define _cleanup_buf_ __attribute__((cleanup(buf_release)))
