#include "host/leader.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

bool leader_parse_status(const char *text, pid_t parent)
{
	const char *ppid = strstr(text, "\nPPid:\t"), *ids = strstr(text, "\nNSpid:\t");
	const char *end, *last;

	if (!ppid || !ids || atoi(ppid + 7) != parent)
		return false;
	ids += 8;
	end = ids + strcspn(ids, "\n");
	/* "NSpid: 4711 1": its id in each namespace, outermost first. */
	last = memrchr(ids, '\t', (size_t)(end - ids));
	return last && end - last == 2 && last[1] == '1';
}

int leader_find(pid_t nspawn_pid, pid_t *ret, struct error *err)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return error_set_errno(err, errno, "cannot list '/proc'");
	while ((entry = readdir(proc))) {
		_cleanup_buf_ struct buf b = {};
		char path[40];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "%.16s/status", entry->d_name);
		/* One that is gone by now is nobody's leader. */
		if (file_read(dirfd(proc), path, 65536, &b, NULL) == 0 &&
		    leader_parse_status(buf_str(&b), nspawn_pid)) {
			*ret = atoi(entry->d_name);
			return 0;
		}
	}
	*ret = 0;
	return 0;
}
