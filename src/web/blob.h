/* One event as bytes, shared by everybody it is sent to. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct blob {
	size_t refs, size;
	char data[];
};

/* "id: ID\nevent: NAME\ndata: LINE\n\n"; an id below 0 and an empty name are left out. line has
 * no newline. One reference is the caller's. */
struct blob *blob_event(int64_t id, const char *name, const char *line, size_t size);

/* A comment: keeps a connection from looking idle. */
struct blob *blob_beat(void);

struct blob *blob_ref(struct blob *blob);

/* NULL is fine. */
void blob_unref(struct blob *blob);

struct evbuffer;

/* Adds the bytes without copying; they are kept until they are out. */
void blob_add(struct blob *blob, struct evbuffer *buffer);
