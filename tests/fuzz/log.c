/*
 * Hostile text on its way to a person: logs of containers and builds, journal entries, what a
 * terminal inside prints. What comes out acts on nothing, and does not depend on how the bytes
 * were cut.
 */
#include "fuzz.h"

#include "nix/report.h"
#include "skep/filter.h"
#include "skep/journal_lines.h"

static void try_clean(const char *data, size_t size, bool newlines)
{
	_cleanup_buf_ struct buf out = {}, again = {}, cut = {}, kept = {};

	text_clean(&out, data, size, SIZE_MAX / 2, newlines);
	must(fuzz_is_clean(buf_str(&out), out.size, newlines));
	text_clean(&again, buf_str(&out), out.size, SIZE_MAX / 2, newlines);
	must(again.size == out.size && strcmp(buf_str(&again), buf_str(&out)) == 0);
	text_clean(&cut, data, size, 20, newlines);
	must(fuzz_is_clean(buf_str(&cut), cut.size, newlines) && cut.size <= 20 + strlen("…"));
	text_keep(&kept, data, size);
	must(text_is_utf8(buf_str(&kept), kept.size) && strlen(buf_str(&kept)) == kept.size);
}

static void feed(filter_fn fn, void *state, const char *data, size_t size, size_t chunk,
		 struct buf *out)
{
	for (size_t at = 0; at < size; at += chunk)
		fn(state, data + at, size - at < chunk ? size - at : chunk, out);
	fn(state, "", 0, out);
}

static void try_text(const char *data, size_t size, size_t chunk)
{
	struct filter_text whole = {}, pieces = {};
	_cleanup_buf_ struct buf a = {}, b = {};

	feed(filter_text, &whole, data, size, size + 1, &a);
	feed(filter_text, &pieces, data, size, chunk, &b);
	must(fuzz_is_clean(buf_str(&a), a.size, true));
	must(strcmp(buf_str(&a), buf_str(&b)) == 0);
}

/* Where a sequence that reaches past the screen would begin. */
static bool reaches_out(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\033' && i + 1 < size && strchr("]P_^X", text[i + 1]) &&
		    text[i + 1])
			return true;
		if ((unsigned char)text[i] == 0xc2 && i + 1 < size &&
		    (unsigned char)text[i + 1] >= 0x80 && (unsigned char)text[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static void try_terminal(const char *data, size_t size, size_t chunk)
{
	struct filter_terminal whole = {}, pieces = {};
	_cleanup_buf_ struct buf a = {}, b = {};

	feed(filter_terminal, &whole, data, size, size + 1, &a);
	feed(filter_terminal, &pieces, data, size, chunk, &b);
	must(a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0));
	must(!reaches_out(buf_str(&a), a.size));
}

static void try_journal(const char *data, size_t size, size_t chunk, bool json)
{
	struct journal_lines whole = {.json = json}, pieces = {.json = json};
	_cleanup_buf_ struct buf a = {}, b = {};

	feed(journal_lines_filter, &whole, data, size, size + 1, &a);
	feed(journal_lines_filter, &pieces, data, size, chunk, &b);
	must(strcmp(buf_str(&a), buf_str(&b)) == 0);
	must(a.size == strlen(buf_str(&a)) && text_is_utf8(buf_str(&a), a.size));
	must(json || fuzz_is_clean(buf_str(&a), a.size, true));
	journal_lines_release(&whole);
	journal_lines_release(&pieces);
}

static void try_report(const char *data, size_t size, size_t chunk)
{
	struct report whole = {}, pieces = {};
	_cleanup_buf_ struct buf a = {}, b = {};

	report_take(&whole, data, size, &a);
	report_end(&whole, &a);
	for (size_t at = 0; at < size; at += chunk)
		report_take(&pieces, data + at, size - at < chunk ? size - at : chunk, &b);
	report_end(&pieces, &b);
	must(strcmp(buf_str(&a), buf_str(&b)) == 0);
	must(strcmp(report_error(&whole), report_error(&pieces)) == 0);
	must(a.size == strlen(buf_str(&a)) && fuzz_is_clean(buf_str(&a), a.size, true));
	must(fuzz_is_clean(report_error(&whole), strlen(report_error(&whole)), true));
	must(a.size == 0 || a.data[a.size - 1] == '\n');
	report_release(&whole);
	report_release(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	size_t chunk;

	if (size < 1)
		return 0;
	chunk = data[0] % 31 + 1;
	size--;
	try_clean(text, size, true);
	try_clean(text, size, false);
	try_text(text, size, chunk);
	try_terminal(text, size, chunk);
	try_journal(text, size, chunk, false);
	try_journal(text, size, chunk, true);
	try_report(text, size, chunk);
	return 0;
}
