#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void
set_text(struct error *err, int errnum, const char *code, const char *format, va_list args)
{
	err->err = -abs(errnum);
	err->code = code;
	err->hint[0] = '\0';
	vsnprintf(err->text, sizeof(err->text), format, args);
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
	size_t used;

	if (err) {
		va_start(args, format);
		set_text(err, errnum, NULL, format, args);
		va_end(args);
		used = strlen(err->text);
		snprintf(err->text + used, sizeof(err->text) - used, ": %s",
			 strerror(abs(errnum)));
	}
	return -abs(errnum);
}

void error_hint(struct error *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	vsnprintf(err->hint, sizeof(err->hint), format, args);
	va_end(args);
}

int error_prefix(struct error *err, const char *format, ...)
{
	char context[sizeof(err->text)], joined[sizeof(err->text)];
	va_list args;

	if (!err)
		return -EIO;
	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	if (snprintf(joined, sizeof(joined), "%s: %s", context, err->text) < 0)
		return err->err;
	memcpy(err->text, joined, sizeof(err->text));
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

const char *error_text(const struct error *err)
{
	return err->text[0] ? err->text : "unknown error";
}
