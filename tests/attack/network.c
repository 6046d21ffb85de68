/* The host's network: its sockets, its interfaces, what goes over them. */
#include "attack/attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int sock(int family, int type, int protocol)
{
	return socket(family, type | SOCK_CLOEXEC, protocol);
}

static int abstract(const void *arg)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = strlen(arg);
	int fd = sock(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path + 1, arg, n);
	return done(connect(fd, (struct sockaddr *)&address,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)));
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int tcp(const void *arg)
{
	struct sockaddr_in to = loopback(CANARY_PORT);

	(void)arg;
	return done(connect(sock(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to)));
}

static int tcp6(const void *arg)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_port = htons(CANARY_PORT),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	(void)arg;
	return done(
		connect(sock(AF_INET6, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to)));
}

/* Takes a share of the connections to somebody's port: only where that somebody is. */
static int shared_port(const void *arg)
{
	struct sockaddr_in at = loopback(CANARY_PORT);
	int on = 1, fd = sock(AF_INET, SOCK_STREAM, 0), r = tcp(arg);

	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	return done(listen(fd, 1));
}

/* Of the host's own, where the host is. */
static int low_port(const void *arg)
{
	struct sockaddr_in at = loopback(81);
	int r = tcp(arg);

	return r < 0 ? r
		     : done(bind(sock(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&at,
				 sizeof(at)));
}

static int packets(const void *arg)
{
	(void)arg;
	return done(sock(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
}

static int raw(const void *arg)
{
	(void)arg;
	return done(sock(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int raw6(const void *arg)
{
	(void)arg;
	return done(sock(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
}

static int interface_flags(const void *arg)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = sock(AF_INET, SOCK_DGRAM, 0);

	(void)arg;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	return done(ioctl(fd, SIOCSIFFLAGS, &request));
}

static int mark(const void *arg)
{
	int value = 1;

	(void)arg;
	return done(setsockopt(sock(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_MARK, &value,
			       sizeof(value)));
}

static int audit(const void *arg)
{
	struct {
		struct nlmsghdr header;
		struct audit_status status;
	} ask = {{.nlmsg_len = sizeof(ask.header),
		  .nlmsg_type = AUDIT_GET,
		  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		 {}};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	char answer[1024];
	struct nlmsghdr *first = (struct nlmsghdr *)answer;
	int fd = sock(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), error;

	(void)arg;
	if (fd < 0 ||
	    sendto(fd, &ask, ask.header.nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0 ||
	    recv(fd, answer, sizeof(answer), 0) < (ssize_t)sizeof(*first))
		return -errno;
	if (first->nlmsg_type != NLMSG_ERROR)
		return 0;
	memcpy(&error, answer + sizeof(*first), sizeof(error));
	return error;
}

/* A forged event of a device, which udev of the same network namespace would hear. */
static int device_event(const void *arg)
{
	struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 4};
	int fd = sock(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);

	(void)arg;
	if (fd < 0)
		return -errno;
	return done(sendto(fd, "attack", 6, 0, (struct sockaddr *)&all, sizeof(all)));
}

static const struct attack rows[] = {
	{"T15", "connect to the host's abstract socket", abstract, CANARY, NULL},
	{"T15", "connect to the host's loopback", tcp, NULL, NULL},
	{"T15", "connect to the host's loopback, IPv6", tcp6, NULL, "IPv6"},
	{"T15", "share the host's port", shared_port, NULL, NULL},
	{"T15", "a port below 1024", low_port, NULL, NULL},
	{"T16", "all packets", packets, NULL, NULL},
	{"T16", "raw packets", raw, NULL, NULL},
	{"T16", "raw packets, IPv6", raw6, NULL, "IPv6"},
	{"T16", "flags of an interface", interface_flags, NULL, NULL},
	{"T16", "marked packets", mark, NULL, NULL},
	{"T21", "the audit of the kernel", audit, NULL,
	 "auditing, which is the first namespace's"},
	{"T21", "a forged event of a device", device_event, NULL, NULL},
};

const struct attack_list attacks_on_network = {rows, sizeof(rows) / sizeof(*rows)};
