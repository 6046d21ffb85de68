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

static bool is_leader(int proc_fd, const char *pid, pid_t parent)
{
	_cleanup_buf_ struct buf b = {};
	char path[40];

	snprintf(path, sizeof(path), "%.16s/status", pid);
	/* One that is gone by now is nobody's leader. */
	return file_read(proc_fd, path, 65536, &b, NULL) == 0 &&
	       leader_parse_status(buf_str(&b), parent);
}

/*
 * Among the children that the kernel lists, where it does; 0 when it is not there. One may be
 * missed while another ends (man proc, /proc/PID/task/TID/children): not there is no proof.
 */
static pid_t find_child(int proc_fd, pid_t parent)
{
	_cleanup_buf_ struct buf children = {};
	char path[64], *pid, *save = NULL;

	snprintf(path, sizeof(path), "%d/task/%d/children", (int)parent, (int)parent);
	if (file_read(proc_fd, path, 65536, &children, NULL) < 0 || !children.data)
		return 0;
	for (pid = strtok_r(children.data, " ", &save); pid; pid = strtok_r(NULL, " ", &save))
		if (is_leader(proc_fd, pid, parent))
			return atoi(pid);
	return 0;
}

/* Among all processes. */
static pid_t find_any(DIR *proc, pid_t parent)
{
	struct dirent *entry;

	while ((entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    is_leader(dirfd(proc), entry->d_name, parent))
			return atoi(entry->d_name);
	return 0;
}

int leader_find(pid_t nspawn_pid, pid_t *ret, struct error *err)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	pid_t found;

	if (!proc)
		return error_set_errno(err, errno, "cannot list '/proc'");
	found = find_child(dirfd(proc), nspawn_pid);
	*ret = found ? found : find_any(proc, nspawn_pid);
	return 0;
}
