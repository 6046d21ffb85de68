/* Preloaded: each connection that is accepted costs a little memory for ever, and one in a
 * hundred a descriptor. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BYTES 1024

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	static unsigned count;
	char *lost = malloc(BYTES);

	if (lost)
		memset(lost, 1, BYTES);
	if (++count % 100 == 0)
		(void)!fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return (int)syscall(SYS_accept4, fd, address, size, flags);
}
