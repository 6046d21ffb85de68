/* What belongs to the hive: its sockets, its state and what others keep. */
#include "attack/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int connected(const void *arg)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r = -ENOENT;

	/* skep-exec's is of packets */
	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET && r < 0;
	     type += SOCK_SEQPACKET - SOCK_STREAM) {
		int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		snprintf(address.sun_path, sizeof(address.sun_path), "%s", (const char *)arg);
		r = done(connect(fd, (struct sockaddr *)&address, sizeof(address)));
		close(fd);
	}
	return r;
}

static int listed(const void *arg)
{
	return done(open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int read_file(const void *arg)
{
	return done(open(arg, O_RDONLY | O_CLOEXEC));
}

static int canary(const void *arg)
{
	return is_canary(AT_FDCWD, arg);
}

static int planted(const void *arg)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/attack", (const char *)arg);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	unlink(path);
	return 0;
}

/* A link to the host's file, followed by whom follows it: inside it leads inside. */
static int followed(const void *arg)
{
	unlink("/state/attack-link");
	if (symlink(arg, "/state/attack-link") < 0)
		return -errno;
	return is_canary(AT_FDCWD, "/state/attack-link");
}

static const struct attack rows[] = {
	{"T15", "connect to the operator's socket", connected, "/run/skep/operator.sock", NULL},
	{"T15", "connect to the readers' socket", connected, "/run/skep/read.sock", NULL},
	{"T15", "connect to the socket of root's hands", connected, "/run/skep/exec.sock",
	 NULL},
	{"T15", "connect to another agent's socket", connected,
	 "/run/skep/agents/hm1nd/agent.sock", NULL},
	{"T2", "connect to the Nix daemon", connected, "/nix/var/nix/daemon-socket/socket",
	 NULL},
	{"T1", "connect to systemd of the host", connected, "/run/host-systemd/private", NULL},
	{"T22", "list the record", listed, "/var/lib/skep/meta/.git", NULL},
	{"T22", "list what was applied", listed, "/var/lib/skep/applied", NULL},
	{"T22", "list the audit", listed, "/var/lib/skep/audit", NULL},
	{"T22", "write into the audit", planted, "/var/lib/skep/audit", NULL},
	{"T22", "write into the record", planted, "/var/lib/skep/meta/.git", NULL},
	{"T3", "write into what was built", planted, "/var/lib/skep/systems", NULL},
	{"T3", "write into the roots of containers", planted, "/var/lib/skep/roots", NULL},
	{"T14", "list another agent's state", listed, "/var/lib/skep/agents/hm1nd/state", NULL},
	{"T14", "list proposed repositories", listed, "/var/lib/skep/proposed", NULL},
	{"T14", "write a proposed repository", planted, "/var/lib/skep/proposed/hm1nd", NULL},
	{"T15", "read a container's specification", read_file, "/run/skep/spec/hm1nd.json",
	 NULL},
	{"T15", "write into the sockets' directory", planted, "/run/skep", NULL},
	{"T23", "the host's accounts", read_file, "/host/etc/shadow", NULL},
	{"T14", "the host's file by a link", followed, "/host" CANARY_FILE, NULL},
	{"T1", "the host's file by its name", canary, "/host" CANARY_FILE, NULL},
};

const struct attack_list attacks_on_files = {rows, sizeof(rows) / sizeof(*rows)};
