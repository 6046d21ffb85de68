#include "base/error.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Texts travel in JSON and end on terminals, and what was formatted into them may come from
 * anywhere: control characters and bytes that are not UTF-8 become '?', a text that did not fit
 * ends in "…". In place, because nothing is allocated where an error is made.
 */
static void tidy(char *text, size_t size, int wanted)
{
	static const char mark[] = "…";
	bool cut = wanted >= (int)size;
	size_t end = cut ? size - sizeof(mark) : wanted < 0 ? 0 : (size_t)wanted;
	size_t at = 0;

	while (at < end) {
		uint32_t c = 0;
		size_t n = text_decode(text + at, end - at, &c);

		if (n == 0 && cut && end - at < 4)
			break; /* the cut went through a character */
		if (c == '\n' || c == '\t')
			text[at] = ' ';
		else if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
			memset(text + at, '?', n ? n : 1);
		at += n ? n : 1;
	}
	memcpy(text + at, cut ? mark : "", cut ? sizeof(mark) : 1);
}

__attribute__((format(printf, 3, 0))) static void format_text(char *text, size_t size,
							      const char *format, va_list args)
{
	tidy(text, size, vsnprintf(text, size, format, args));
}

__attribute__((format(printf, 4, 0))) static void
set_text(struct error *err, int errnum, const char *code, const char *format, va_list args)
{
	err->err = -abs(errnum);
	err->code = code;
	err->retry_after_s = 0;
	err->hint[0] = '\0';
	format_text(err->text, sizeof(err->text), format, args);
}

/* "context: text"; neither may lie in err. */
static void join(struct error *err, const char *context, const char *text)
{
	tidy(err->text, sizeof(err->text),
	     snprintf(err->text, sizeof(err->text), "%s: %s", context, text));
}

int error_set(struct error *err, int errnum, const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		set_text(err, errnum, NULL, format, args);
		va_end(args);
	}
	return -abs(errnum);
}

int error_set_code(struct error *err, int errnum, const char *code, const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		set_text(err, errnum, code, format, args);
		va_end(args);
	}
	return -abs(errnum);
}

int error_set_errno(struct error *err, int errnum, const char *format, ...)
{
	va_list args;
	char context[sizeof(err->text)];

	if (err) {
		va_start(args, format);
		set_text(err, errnum, NULL, format, args);
		va_end(args);
		memcpy(context, err->text, sizeof(context));
		join(err, context, strerror(abs(errnum)));
	}
	return -abs(errnum);
}

void error_hint(struct error *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	format_text(err->hint, sizeof(err->hint), format, args);
	va_end(args);
}

void error_retry(struct error *err, int after_s)
{
	if (err)
		err->retry_after_s = after_s;
}

int error_prefix(struct error *err, const char *format, ...)
{
	char context[sizeof(err->text)], text[sizeof(err->text)];
	va_list args;

	if (!err)
		return -EIO;
	va_start(args, format);
	format_text(context, sizeof(context), format, args);
	va_end(args);
	memcpy(text, err->text, sizeof(text));
	join(err, context, text);
	return err->err;
}

const char *error_code(const struct error *err)
{
	if (err->code)
		return err->code;
	switch (-err->err) {
	case EINVAL:
	case EBADMSG:
		return "bad_request";
	case E2BIG:
	case EMSGSIZE:
		return "too_large";
	case ENOENT:
	case ESRCH:
		return "not_found";
	case EPERM:
	case EACCES:
		return "forbidden";
	case EEXIST:
		return "exists";
	case ESTALE:
		return "stale";
	case EBUSY:
		return "busy";
	case EAGAIN:
	case ECONNREFUSED:
		return "unavailable";
	case EOPNOTSUPP:
		return "unsupported";
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case EIO:
		return "storage";
	default:
		return "internal";
	}
}

bool error_passes(const struct error *err)
{
	const char *code = error_code(err);

	return strcmp(code, "busy") == 0 || strcmp(code, "rate_limited") == 0 ||
	       strcmp(code, "unavailable") == 0;
}

const char *error_text(const struct error *err)
{
	return err->text[0] ? err->text : "unknown error";
}
