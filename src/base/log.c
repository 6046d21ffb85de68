#include "base/log.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define MAX_FIELDS 24
#define MAX_VALUE 8192

/*
 * Where lines go is a fact of the process, found once; there is nothing else this file keeps.
 */
static struct {
	const char *program;
	int level;
	bool journal;
} sink = {.program = "skep", .level = LOG_INFO};

void log_open(const char *program)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	sink.program = program;
	sink.journal = false;
	if (stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	    fstat(STDERR_FILENO, &st) == 0)
		sink.journal = st.st_dev == dev && st.st_ino == ino;
}

void log_set_level(int level)
{
	sink.level = level;
}

static void add_field(struct iovec *iov, int *n, char *text)
{
	iov[*n].iov_base = text;
	iov[*n].iov_len = strlen(text);
	(*n)++;
}

static void send_journal(int priority, const char *message, va_list args)
{
	struct iovec iov[MAX_FIELDS];
	const char *name;
	int n = 0;

	add_field(iov, &n, str_format("MESSAGE=%s", message));
	add_field(iov, &n, str_format("PRIORITY=%d", priority));
	add_field(iov, &n, str_format("SYSLOG_IDENTIFIER=%s", sink.program));
	while (n < MAX_FIELDS && (name = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		if (value)
			add_field(iov, &n, str_format("%s=%.*s", name, MAX_VALUE, value));
	}
	(void)sd_journal_sendv(iov, n);
	for (int i = 0; i < n; i++)
		free(iov[i].iov_base);
}

static void send_stderr(int priority, const char *message, va_list args)
{
	_cleanup_buf_ struct buf line = {};
	const char *name;

	buf_addf(&line, "%s: %s", sink.program, priority <= LOG_ERR ? "error: " : "");
	text_clean(&line, message, strlen(message), MAX_VALUE, false);
	while ((name = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		if (!value || strcmp(name, "MESSAGE_ID") == 0)
			continue;
		if (strncmp(name, "SKEP_", 5) == 0)
			name += 5;
		buf_add_char(&line, ' ');
		for (const char *c = name; *c; c++)
			buf_add_char(&line,
				     *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
		buf_add_char(&line, '=');
		text_clean(&line, value, strlen(value), 256, false);
	}
	buf_add_char(&line, '\n');
	(void)fwrite(line.data, 1, line.size, stderr);
}

void log_event(int priority, const char *message, ...)
{
	va_list args;

	if (priority > sink.level)
		return;
	va_start(args, message);
	if (sink.journal)
		send_journal(priority, message, args);
	else
		send_stderr(priority, message, args);
	va_end(args);
}

void log_line(int priority, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	if (priority > sink.level)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (text)
		log_event(priority, text, NULL);
}
