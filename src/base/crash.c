#include "base/crash.h"

#include "base/buf.h"
#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64
#define HOLD " hold"

void crash_point(const char *name)
{
	const char *path = getenv("SKEP_CRASH_FILE");
	_cleanup_buf_ struct buf wanted = {};
	bool hold;

	if (!path || file_read(AT_FDCWD, path, NAME_MAX_BYTES, &wanted, NULL) < 0)
		return;
	if (wanted.size > 0 && wanted.data[wanted.size - 1] == '\n')
		buf_truncate(&wanted, wanted.size - 1);
	hold = wanted.size > strlen(HOLD) &&
	       strcmp(buf_str(&wanted) + wanted.size - strlen(HOLD), HOLD) == 0;
	if (hold)
		buf_truncate(&wanted, wanted.size - strlen(HOLD));
	if (strcmp(buf_str(&wanted), name) == 0 && unlink(path) == 0)
		(void)raise(hold ? SIGSTOP : SIGKILL);
}
