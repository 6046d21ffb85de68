/*
 * The floor under a figure: the same bytes in the same number of files, written and synced by
 * the least that can do it. Serves requests on standard input, so that starting it is not
 * measured:
 *
 *   floor DIR      then lines "FILES BYTES": so many new files of so many bytes, each synced,
 *                  then the directory; answers with the nanoseconds it took
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int write_one(int dir, const char *name, const char *data, size_t size)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	int r = fd < 0 || write(fd, data, size) != (ssize_t)size || fsync(fd) < 0 ? -1 : 0;

	if (fd >= 0)
		(void)close(fd);
	return r;
}

int main(int argc, char **argv)
{
	int dir = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	long files, bytes, made = 0;

	if (dir < 0) {
		fprintf(stderr, "usage: floor DIR\n");
		return 2;
	}
	while (scanf("%ld %ld", &files, &bytes) == 2) {
		char *data = malloc((size_t)bytes + 1);
		long long began;
		int r = data ? 0 : -1;

		if (data)
			memset(data, 'x', (size_t)bytes);
		began = now_ns();
		for (long i = 0; i < files && r == 0; i++) {
			char name[32];

			snprintf(name, sizeof(name), "%ld", made++);
			r = write_one(dir, name, data, (size_t)bytes);
		}
		if (r < 0 || fsync(dir) < 0) {
			perror("floor");
			return 1;
		}
		printf("%lld\n", now_ns() - began);
		(void)fflush(stdout);
		free(data);
	}
	return 0;
}
