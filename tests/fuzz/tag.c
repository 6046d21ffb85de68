/*
 * The record's tags: a message made of foreign text says in its trailers what the controller
 * put there and nothing else, and any bytes can be read as one.
 */
#include "fuzz.h"

#include "git/tag.h"
#include "model/entry.h"

static unsigned count(const char *message, const char *key)
{
	unsigned n = 0;

	for (;; n++) {
		_cleanup_free_ char *value = entry_get(message, key, n);

		if (!value)
			return n;
		must(!strchr(value, '\n'));
	}
}

/* subject, body and value are foreign; the number is ours. */
static void try_message(const char *subject, const char *body, const char *value)
{
	_cleanup_(entry_release) struct entry entry = {};
	_cleanup_free_ char *got = NULL, *clean = text_clean_dup(value, 8192, false),
			    *free_text = NULL;
	const char *text;
	int64_t seq = 0;

	entry_begin(&entry, subject, body);
	entry_put(&entry, "Skep-Note", value);
	entry_put_int(&entry, "Skep-Seq", 42);
	text = entry_text(&entry);
	must(fuzz_is_clean(text, strlen(text), true));
	must(count(text, "Skep-Seq") == 1 && entry_get_int(text, "Skep-Seq", &seq) == 0 &&
	     seq == 42);
	must(count(text, "Skep-Note") == 1 && count(text, "Skep-Prev") == 0);
	got = entry_get(text, "Skep-Note", 0);
	must(strcmp(got, clean) == 0);
	free_text = entry_body(text);
	must(strlen(free_text) <= strlen(text));
}

/* What was made into a tag object is read out of it whole. */
static void try_object(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = mem_new(size + 1, 1);
	_cleanup_free_ char *body = NULL;
	struct tag tag = {};
	struct error err = {};
	int64_t n;

	if (size > 0)
		memcpy(copy, data, size);
	if (tag_parse(copy, size, &tag, &err) == 0) {
		must(text_is_hex(tag.target, 40) && strlen(tag.name) < sizeof(tag.name));
		must(tag.message.size <= size);
		(void)entry_get_int(buf_str(&tag.message), "Skep-Seq", &n);
		(void)count(buf_str(&tag.message), "Skep-Flag");
		body = entry_body(buf_str(&tag.message));
	}
	tag_release(&tag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *subject = NULL, *body = NULL, *value = NULL;

	try_object(data, size);
	subject = fuzz_field(&data, &size);
	body = fuzz_field(&data, &size);
	value = fuzz_field(&data, &size);
	try_message(subject, body, value);
	return 0;
}
