/* TCP ports: who listens on one, and whether one answers inside a container. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One line of /proc/net/tcp or tcp6 (man proc). */
struct port_line {
	uint16_t port; /* the local one */
	bool listening;
	uid_t uid; /* of the socket's maker, seen from the reader's user namespace */
	uint64_t inode;
};

/* All listeners of a network. */
struct port_lines {
	bool known; /* read already */
	struct port_line *items;
	size_t count;
};

struct listener {
	uid_t uid;
	pid_t pid;     /* 0 when no process could be found that holds it */
	char name[16]; /* its command name, cleaned; "" when unknown */
};

/* False for the heading and for anything that is not such a line. */
bool port_parse_line(const char *line, struct port_line *ret);

/* Those of the network namespace of that process; the caller releases *ret. */
int port_lines_read(pid_t pid, struct port_lines *ret, struct error *err);
void port_lines_release(struct port_lines *lines);

/* One on that port whose socket was made under none of the ids base to base + 65535, or NULL.
 */
const struct port_line *port_lines_foreign(const struct port_lines *lines, uint16_t port,
					   uid_t base);

/*
 * Whether somebody listens on a port in the network namespace of that process; sockets made
 * under one of the ids except_base to except_base + 65535 are passed over (0: none). 1: yes; 0:
 * no.
 */
int port_is_taken(pid_t pid, uint16_t port, uid_t except_base, struct error *err);

/*
 * Who listens on a port, in the network namespace of this process; sockets made under one of
 * the ids except_base to except_base + 65535 are passed over (0: none). Returns 1 and fills
 * *ret, 0 when nobody does. Whose process it is takes CAP_SYS_PTRACE to find out.
 */
int port_find_listener(uint16_t port, uid_t except_base, struct listener *ret,
		       struct error *err);

/*
 * Whether a connection to the port on the container's loopback (IPv4, then IPv6) is accepted,
 * by a socket made under one of the ids uid_base to uid_base + 65535: with the host's network
 * shared, anybody else's answer must not count. Moves the calling process into the container's
 * network namespace for good.
 */
int port_is_open(pid_t leader, uint16_t port, uid_t uid_base, bool *ret, struct error *err);
