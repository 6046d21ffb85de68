#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
	if (!p) {
		static const char text[] = "out of memory\n";

		(void)fwrite(text, 1, sizeof(text) - 1, stderr);
		abort();
	}
	return p;
}

void buf_release(struct buf *b)
{
	free(b->data);
	*b = (struct buf){};
}

static void reserve(struct buf *b, size_t more)
{
	size_t room = b->room ? b->room : 64;

	if (b->room - b->size > more)
		return;
	while (room - b->size <= more) {
		if (room > SIZE_MAX / 2)
			must(NULL);
		room *= 2;
	}
	b->data = must(realloc(b->data, room));
	b->room = room;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
	reserve(b, size);
	if (size)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = '\0';
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		return;
	reserve(b, (size_t)n);
	va_start(args, format);
	vsnprintf(b->data + b->size, (size_t)n + 1, format, args);
	va_end(args);
	b->size += (size_t)n;
}

void buf_truncate(struct buf *b, size_t size)
{
	if (size >= b->size)
		return;
	b->size = size;
	b->data[size] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *s = b->data ? b->data : must(strdup(""));

	*b = (struct buf){};
	return s;
}

char *str_vformat(const char *format, va_list args)
{
	va_list again;
	size_t size;
	char *s;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	size = (size_t)(n < 0 ? 0 : n) + 1;
	s = must(malloc(size));
	s[0] = '\0';
	if (n > 0)
		vsnprintf(s, size, format, again);
	va_end(again);
	return s;
}

char *str_format(const char *format, ...)
{
	va_list args;
	char *s;

	va_start(args, format);
	s = str_vformat(format, args);
	va_end(args);
	return s;
}

char *str_dup(const char *s)
{
	return s ? must(strdup(s)) : NULL;
}

char *str_dup_n(const char *s, size_t n)
{
	return must(strndup(s, n));
}

void *mem_alloc(size_t size)
{
	return must(malloc(size ? size : 1));
}

void *mem_resize(void *p, size_t size)
{
	return must(realloc(p, size ? size : 1));
}

void *mem_new(size_t count, size_t size)
{
	return must(calloc(count ? count : 1, size));
}

void *mem_grow(void *p, size_t count, size_t size)
{
	return must(reallocarray(p, count ? count : 1, size));
}
