/* What several attempts need: mounts of their own, the host's canary, files written with what
 * they hold. */
#include "attack/attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

const char *mounted(const char *type, const char *source, const char *data)
{
	static char at[] = "/tmp/attack-XXXXXX";

	if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0)
		return NULL;
	strcpy(at, "/tmp/attack-XXXXXX");
	if (!mkdtemp(at) || mount(source, at, type, 0, data) < 0)
		return NULL;
	return at;
}

int is_canary(int dir_fd, const char *path)
{
	char bytes[sizeof(CANARY)] = "";
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, bytes, sizeof(bytes) - 1);
	close(fd);
	if (n < 0)
		return -errno;
	return !strcmp(bytes, CANARY) ? 0 : -ENOENT;
}

static int is_victim(const char *pid)
{
	char path[300], bytes[4096] = "";
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(bytes, 1, sizeof(bytes) - 1, f);
	fclose(f);
	return memmem(bytes, n, CANARY, sizeof(CANARY) - 1) != NULL;
}

pid_t victim(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	pid_t pid = 0;

	if (!proc)
		return 0;
	while (!pid && (e = readdir(proc)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && is_victim(e->d_name))
			pid = atoi(e->d_name);
	closedir(proc);
	return pid;
}

int rewrite(const char *path)
{
	char bytes[4096];
	int r, fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, bytes, sizeof(bytes));
	r = n < 0 || pwrite(fd, bytes, (size_t)n, 0) < 0 ? -errno : 0;
	close(fd);
	return r;
}
