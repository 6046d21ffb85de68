#include "control/audit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "control/chain.h"
#include "control/op.h"
#include "model/entry.h"
#include "git/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUDIT_FILE "audit/log.jsonl"
#define NOTE_MAX 2048
#define LAST_LINE_MAX (256 << 10)
#define LIST_MAX_BYTES (4 << 20) /* of the newest lines; `verify` reads all */

struct audit {
	struct hive *hive;
	int fd;
	off_t size;
	int64_t seq;
	char prev[OID_HEX_SIZE]; /* hash of the newest line, without its newline; "" before the
				    first */
};

/* ---- the file ---- */

static int open_log(const struct hive *hive, int flags, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/" AUDIT_FILE, hive->config->state_dir);
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0640);

	return fd < 0 ? error_set_errno(err, errno, "cannot open '%s'", path) : fd;
}

/* The last max bytes, from the beginning of a line on: the log grows for as long as a hive
 * lives. */
static int read_end(int fd, size_t max, struct buf *ret, off_t *ret_size, struct error *err)
{
	off_t size = lseek(fd, 0, SEEK_END);
	off_t at = size > (off_t)max ? size - (off_t)max : 0;
	const char *newline;
	char chunk[65536];
	ssize_t n;

	if (size < 0)
		return error_set_errno(err, errno, "cannot read the audit log");
	for (off_t from = at; from < size; from += n) {
		n = pread(fd, chunk, sizeof(chunk), from);
		if (n < 0)
			return error_set_errno(err, errno, "cannot read the audit log");
		if (n == 0)
			break;
		buf_add(ret, chunk, (size_t)n);
	}
	newline = at > 0 ? memchr(buf_str(ret), '\n', ret->size) : NULL;
	if (newline) {
		size_t skip = (size_t)(newline - ret->data) + 1;

		memmove(ret->data, ret->data + skip, ret->size - skip);
		buf_truncate(ret, ret->size - skip);
	}
	*ret_size = size;
	return 0;
}

/* A line that a crash cut short was never answered for: it goes. */
static int cut_torn_line(struct audit *a, struct buf *text, struct error *err)
{
	const char *last = text->size ? memrchr(text->data, '\n', text->size) : NULL;
	size_t good = last ? (size_t)(last - text->data) + 1 : 0;

	if (good == text->size)
		return 0;
	log_line(LOG_WARNING, "the audit log ended in half a line, which was removed");
	a->size -= (off_t)(text->size - good);
	buf_truncate(text, good);
	if (ftruncate(a->fd, a->size) < 0)
		return error_set_errno(err, errno, "cannot mend the audit log");
	return 0;
}

static void find_end(struct audit *a, const struct buf *text)
{
	const char *end = text->size ? text->data + text->size - 1 : NULL;
	const char *start = end ? memrchr(text->data, '\n', (size_t)(end - text->data)) : NULL;
	json_t *line = NULL;

	if (!end)
		return;
	start = start ? start + 1 : text->data;
	hash_blob(start, (size_t)(end - start), a->prev);
	if (json_parse(start, (size_t)(end - start), &line, NULL) == 0)
		a->seq = json_integer_value(json_object_get(line, "seq"));
	json_decref(line);
}

int audit_open(struct hive *hive, struct audit **ret, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	struct audit *a = mem_new(1, sizeof(*a));
	int r;

	a->hive = hive;
	a->fd = open_log(hive, O_RDWR | O_APPEND | O_CREAT, err);
	if ((r = a->fd) < 0 || (r = read_end(a->fd, LAST_LINE_MAX, &text, &a->size, err)) < 0 ||
	    (r = cut_torn_line(a, &text, err)) < 0) {
		audit_close(a);
		return r;
	}
	find_end(a, &text);
	*ret = a;
	return 0;
}

void audit_close(struct audit *a)
{
	if (!a)
		return;
	closep(&a->fd);
	free(a);
}

void audit_add(struct audit *a, const struct actor *actor, const char *verb, const char *object,
	       const char *result, const char *note)
{
	_cleanup_free_ char *text = NULL, *line = NULL, *clean = NULL;
	char at[CLOCK_TEXT_SIZE];
	json_t *entry;
	int r;

	if (!a)
		return;
	entry = json_pack("{s:I,s:s,s:s,s:s,s:s}", "seq", (json_int_t)(a->seq + 1), "at",
			  clock_format(at, a->hive->wall_s()), "actor",
			  actor ? actor->name : "skepd", "channel",
			  actor ? actor->channel : "controller", "verb", verb);
	json_put_str(entry, "object", object);
	json_put_str(entry, "result", result);
	if (note) {
		clean = text_clean_dup(note, NOTE_MAX, false);
		json_put_str(entry, "note", clean);
	}
	json_object_set_new(entry, "prev", json_string(a->prev[0] ? a->prev : "none"));
	text = json_line(entry);
	json_decref(entry);
	line = str_format("%s\n", text);
	r = file_write_all(a->fd, line, strlen(line));
	if (r == 0 && fdatasync(a->fd) < 0)
		r = -errno;
	if (r < 0) {
		log_line(LOG_ERR, "the audit log cannot be written: %s", strerror(-r));
		/* half a line would be the beginning of the next one */
		(void)!ftruncate(a->fd, a->size);
		return;
	}
	a->size += (off_t)strlen(line);
	a->seq++;
	hash_blob(text, strlen(text), a->prev);
}

void audit_op(struct audit *a, const struct op *op, int r)
{
	audit_add(a, op->has_actor ? &op->actor : NULL, op->verb, op->agent->settings.name,
		  r == 0 ? "ok" : error_text(&op->err), NULL);
}

/* ---- one story ---- */

/* A tag, or a line of the log; both borrowed. */
struct item {
	char at[CLOCK_TEXT_SIZE];
	int64_t seq;
	const struct chain_entry *tag; /* NULL: a line */
	const char *line;
	size_t size;
};

struct items {
	struct item *items;
	size_t count, room;
};

static void items_release(struct items *list)
{
	free(list->items);
}

static struct item *items_add(struct items *list, int64_t seq)
{
	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 256;
		list->items = mem_grow(list->items, list->room, sizeof(*list->items));
	}
	list->items[list->count] = (struct item){.seq = seq};
	return &list->items[list->count++];
}

/* Newest first; within a second the higher sequence number. */
static int by_time(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = strcmp(y->at, x->at);

	return order ? order : (x->seq < y->seq) - (x->seq > y->seq);
}

/* Only what they are sorted by is kept of them: there are many more than will be shown. */
static void add_lines(const struct buf *text, struct items *list)
{
	for (const char *at = buf_str(text), *end; (end = strchr(at, '\n')); at = end + 1) {
		json_t *line = NULL;
		const char *when = NULL;
		struct item *item;

		if (json_parse(at, (size_t)(end - at), &line, NULL) == 0)
			when = json_string_value(json_object_get(line, "at"));
		if (when) {
			item = items_add(list,
					 json_integer_value(json_object_get(line, "seq")));
			snprintf(item->at, sizeof(item->at), "%s", when);
			item->line = at;
			item->size = (size_t)(end - at);
		}
		json_decref(line);
	}
}

static void add_tags(const struct chain *chain, struct items *list)
{
	for (size_t i = 0; i < chain->count; i++) {
		struct item *item = items_add(list, chain->entries[i].seq);

		item->tag = &chain->entries[i];
		clock_format(item->at, item->tag->wall_s);
	}
}

static json_t *show_tag(const struct item *item)
{
	const struct chain_entry *e = item->tag;
	_cleanup_free_ char *actor = entry_get(e->message, "Skep-Actor", 0);
	_cleanup_free_ char *channel = entry_get(e->message, "Skep-Channel", 0);
	json_t *entry = json_pack("{s:I,s:s,s:s,s:s,s:s}", "seq", (json_int_t)e->seq, "at",
				  item->at, "kind", "tag", "verb",
				  proposal_tag_family(e->state), "agent", e->agent);

	json_object_set_new(entry, "id", json_integer(e->id));
	json_put_str(entry, "actor", actor);
	json_put_str(entry, "channel", channel);
	json_put_str(entry, "commit", e->target);
	return entry;
}

static json_t *show_line(const struct item *item)
{
	json_t *line = NULL;

	(void)json_parse(item->line, item->size, &line, NULL); /* it was one a moment ago */
	json_object_set_new(line, "kind", json_string("log"));
	json_object_set(line, "agent", json_object_get(line, "object"));
	json_object_del(line, "object");
	json_object_del(line, "prev");
	return line;
}

int audit_list(struct hive *hive, int64_t limit, int64_t before, json_t **ret,
	       struct error *err)
{
	_cleanup_free_ char *path = hive_tagbook_path(hive);
	_cleanup_(tagbook_closep) struct tagbook *book = tagbook_open(path);
	_cleanup_(chain_release) struct chain chain = {};
	_cleanup_(items_release) struct items all = {};
	_cleanup_buf_ struct buf text = {};
	_cleanup_close_ int fd = open_log(hive, O_RDONLY, err);
	size_t skip = before > 0 ? (size_t)before : 0;
	json_t *list;
	off_t size;
	int r = fd;

	if (r < 0 || (r = read_end(fd, LIST_MAX_BYTES, &text, &size, err)) < 0 ||
	    (r = chain_read(hive, book, &chain, err)) < 0)
		return r;
	add_lines(&text, &all);
	add_tags(&chain, &all);
	if (all.count)
		qsort(all.items, all.count, sizeof(*all.items), by_time);
	list = json_array();
	for (size_t i = skip; i < all.count && i < skip + (size_t)limit; i++)
		json_array_append_new(list, all.items[i].tag ? show_tag(&all.items[i])
							     : show_line(&all.items[i]));
	*ret = list;
	return 0;
}

static void problem(json_t *problems, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void problem(json_t *problems, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	va_start(args, format);
	text = str_vformat(format, args);
	va_end(args);
	if (json_array_size(problems) < 100)
		json_array_append_new(problems, json_string(text));
}

/* How many lines there are; head receives the hash of the last one. */
static int64_t verify_lines(FILE *log, char head[OID_HEX_SIZE], json_t *problems)
{
	_cleanup_free_ char *text = NULL;
	size_t room = 0;
	int64_t seq = 0;
	ssize_t n;

	snprintf(head, OID_HEX_SIZE, "none");
	while ((n = getline(&text, &room, log)) > 0) {
		size_t size = (size_t)n - (text[n - 1] == '\n');
		json_t *line = NULL;
		const char *claimed;

		seq++;
		if (json_parse(text, size, &line, NULL) < 0) {
			problem(problems, "log line %lld is not JSON", (long long)seq);
		} else {
			claimed = json_string_value(json_object_get(line, "prev"));
			if (!claimed || strcmp(claimed, head) != 0)
				problem(problems,
					"log line %lld does not follow the line before it",
					(long long)seq);
			if (json_integer_value(json_object_get(line, "seq")) != seq)
				problem(problems, "log line %lld has another number",
					(long long)seq);
		}
		json_decref(line);
		hash_blob(text, size, head);
	}
	return seq;
}

static bool is_renamed(const struct chain_entry *e, char from[AGENT_NAME_MAX + 1])
{
	_cleanup_free_ char *kind = entry_get(e->message, "Skep-Kind", 0);
	_cleanup_free_ char *payload = entry_get(e->message, "Skep-Payload", 0);
	const char *name = NULL;
	json_t *object = NULL;

	if (e->state != PROPOSAL_APPROVED || !kind || strcmp(kind, "rename") != 0 || !payload ||
	    json_parse(payload, strlen(payload), &object, NULL) < 0)
		return false;
	if (json_get_str(object, "from", true, &name, NULL) == 0)
		snprintf(from, AGENT_NAME_MAX + 1, "%s", name);
	json_decref(object);
	return from[0];
}

static bool has_failed(const struct chain *chain, int64_t id)
{
	for (size_t i = 0; i < chain->count; i++)
		if (chain->entries[i].id == id && chain->entries[i].state == PROPOSAL_FAILED)
			return true;
	return false;
}

/* Whether a tag was written under the name its repository has now, or one that it had and that
 * was changed afterwards. */
static bool is_of(const struct chain *chain, const struct chain_entry *e, const char *claimed)
{
	char name[AGENT_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s", claimed);
	for (size_t i = 0; i < chain->count && strcmp(name, e->agent) != 0; i++) {
		const struct chain_entry *r = &chain->entries[i];
		char from[AGENT_NAME_MAX + 1] = "";

		if (r->seq > e->seq && is_renamed(r, from) && strcmp(from, name) == 0 &&
		    !has_failed(chain, r->id))
			snprintf(name, sizeof(name), "%s", r->agent);
	}
	return strcmp(name, e->agent) == 0;
}

static void verify_chain(const struct hive *hive, const struct chain *chain, json_t *problems)
{
	const char *prev = "none";

	for (size_t i = 0; i < chain->count; i++) {
		const struct chain_entry *e = &chain->entries[i];
		_cleanup_free_ char *claimed = entry_get(e->message, "Skep-Prev", 0);
		_cleanup_free_ char *agent = entry_get(e->message, "Skep-Agent", 0);

		if (e->seq != (int64_t)i + 1) {
			problem(problems,
				"tag %s/%lld of '%s' is number %lld where %zu was expected",
				proposal_tag_family(e->state), (long long)e->id, e->agent,
				(long long)e->seq, i + 1);
			return;
		}
		if (!claimed || strcmp(claimed, prev) != 0)
			problem(problems,
				"tag %s/%lld of '%s' does not follow the one before it",
				proposal_tag_family(e->state), (long long)e->id, e->agent);
		if (!e->is_named_so || !agent || !is_of(chain, e, agent))
			problem(problems, "tag %s/%lld of '%s' was written under another name",
				proposal_tag_family(e->state), (long long)e->id, e->agent);
		prev = e->oid;
	}
	if (hive->chain_seq != (int64_t)chain->count)
		problem(problems, "%lld tags are known, %zu are on disk",
			(long long)hive->chain_seq, chain->count);
	else if (chain->count > 0 && strcmp(hive->chain_head, prev) != 0)
		problem(problems, "the newest tag is not the one that was written");
}

int audit_verify(struct hive *hive, json_t **ret, struct error *err)
{
	_cleanup_(chain_release) struct chain chain = {};
	_cleanup_fclose_ FILE *log = NULL;
	char head[OID_HEX_SIZE];
	struct error unreadable = {};
	json_t *problems;
	int64_t lines;
	int fd = open_log(hive, O_RDONLY, err);

	if (fd < 0)
		return fd;
	log = fdopen(fd, "r");
	if (!log) {
		(void)close(fd);
		return error_set(err, ENOMEM, "cannot read the audit log");
	}
	problems = json_array();
	if (chain_read(hive, NULL, &chain, &unreadable) < 0)
		problem(problems, "the tags cannot be read: %s", error_text(&unreadable));
	else
		verify_chain(hive, &chain, problems);
	lines = verify_lines(log, head, problems);
	if (hive->audit && lines != hive->audit->seq)
		problem(problems, "%lld log lines are known, %lld are on disk",
			(long long)hive->audit->seq, (long long)lines);
	else if (hive->audit && lines > 0 && strcmp(head, hive->audit->prev) != 0)
		problem(problems, "the last log line is not the one that was written");
	*ret = json_pack("{s:b,s:I,s:I,s:s,s:o}", "valid", json_array_size(problems) == 0,
			 "entries", (json_int_t)chain.count, "lines", (json_int_t)lines, "head",
			 hive->chain_head[0] ? hive->chain_head : "none", "problems", problems);
	return 0;
}
