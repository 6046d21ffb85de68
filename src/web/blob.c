#include "web/blob.h"

#include "base/buf.h"

#include <event2/buffer.h>

#include <stdlib.h>
#include <string.h>

static struct blob *make(struct buf *text)
{
	struct blob *blob = mem_new(1, sizeof(*blob) + text->size);

	blob->refs = 1;
	blob->size = text->size;
	memcpy(blob->data, buf_str(text), text->size);
	buf_release(text);
	return blob;
}

struct blob *blob_event(int64_t id, const char *name, const char *line, size_t size)
{
	struct buf text = {};

	if (id >= 0)
		buf_addf(&text, "id: %lld\n", (long long)id);
	if (name[0])
		buf_addf(&text, "event: %s\n", name);
	buf_add_str(&text, "data: ");
	buf_add(&text, line, size);
	buf_add_str(&text, "\n\n");
	return make(&text);
}

struct blob *blob_beat(void)
{
	struct buf text = {};

	buf_add_str(&text, ":\n\n");
	return make(&text);
}

struct blob *blob_ref(struct blob *blob)
{
	blob->refs++;
	return blob;
}

void blob_unref(struct blob *blob)
{
	if (blob && --blob->refs == 0)
		free(blob);
}

static void on_out(const void *bytes, size_t size, void *data)
{
	(void)bytes;
	(void)size;
	blob_unref(data);
}

void blob_add(struct blob *blob, struct evbuffer *buffer)
{
	if (evbuffer_add_reference(buffer, blob->data, blob->size, on_out, blob_ref(blob)) < 0)
		blob_unref(blob);
}
