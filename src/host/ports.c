#include "host/ports.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "host/spec.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 2000
#define LINE_MAX_BYTES 512

bool port_parse_line(const char *line, struct port_line *ret)
{
	unsigned port, state, uid;
	uint64_t inode;

	/* sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode */
	if (sscanf(line,
		   " %*u: %*[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*4x %2x %*8x:%*8x %*2x:%*8x %*8x %u "
		   "%*d "
		   "%" SCNu64,
		   &port, &state, &uid, &inode) != 4)
		return false;
	*ret = (struct port_line){
		.port = (uint16_t)port,
		.listening = state == TCP_LISTEN,
		.uid = uid,
		.inode = inode,
	};
	return true;
}

typedef bool (*line_fn)(const struct port_line *line, void *data);

/* Calls fn for each listener in the process's network until it says true. Returns 1 then, else
 * 0. The kernel goes through all its connections for it, which takes milliseconds. */
static int each_listener(pid_t pid, line_fn fn, void *data, struct error *err)
{
	static const char *const tables[] = {"tcp", "tcp6"};
	char path[64], text[LINE_MAX_BYTES];
	struct port_line line;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		_cleanup_fclose_ FILE *f = NULL;

		snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, tables[i]);
		f = fopen(path, "re");
		if (!f && errno == ENOENT && i > 0)
			continue; /* a kernel without IPv6 */
		if (!f)
			return error_set_errno(err, errno, "cannot read '%s'", path);
		while (fgets(text, sizeof(text), f))
			if (port_parse_line(text, &line) && line.listening && fn(&line, data))
				return 1;
		if (ferror(f))
			return error_set(err, EIO, "cannot read '%s'", path);
	}
	return 0;
}

/* Whether the process has a descriptor that leads to target ("socket:[123]"). */
static bool holds(int proc_fd, const char *pid, const char *target)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[32], link[64];
	int fd;

	snprintf(path, sizeof(path), "%.16s/fd", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		ssize_t n = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		if (!strcmp(link, target))
			return true;
	}
	return false;
}

static void read_name(int proc_fd, const char *pid, char out[16])
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *clean = NULL;
	char path[32];

	snprintf(path, sizeof(path), "%.16s/comm", pid);
	if (file_read(proc_fd, path, 64, &b, NULL) < 0)
		return;
	while (b.size > 0 && b.data[b.size - 1] == '\n')
		buf_truncate(&b, b.size - 1);
	clean = text_clean_dup(buf_str(&b), 15, false);
	snprintf(out, 16, "%s", clean);
}

static int find_holder(uint64_t inode, struct listener *ret, struct error *err)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *entry;
	char target[40];

	if (!proc)
		return error_set_errno(err, errno, "cannot list '/proc'");
	snprintf(target, sizeof(target), "socket:[%" PRIu64 "]", inode);
	while ((entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !holds(dirfd(proc), entry->d_name, target))
			continue;
		ret->pid = atoi(entry->d_name);
		read_name(dirfd(proc), entry->d_name, ret->name);
		return 0;
	}
	return 0;
}

static bool is_in_range(const struct port_line *line, uid_t base)
{
	return line->uid >= base && line->uid - base < UID_RANGE;
}

struct search {
	uint16_t port;
	uid_t base; /* of those who are looked for, or of those who are passed over */
	struct port_line found;
};

static bool take_own(const struct port_line *line, void *data)
{
	const struct search *search = data;

	return line->port == search->port && is_in_range(line, search->base);
}

static bool take_foreign(const struct port_line *line, void *data)
{
	struct search *search = data;

	if (line->port != search->port || (search->base && is_in_range(line, search->base)))
		return false;
	search->found = *line;
	return true;
}

static bool add_line(const struct port_line *line, void *data)
{
	struct port_lines *lines = data;

	lines->items = mem_grow(lines->items, lines->count + 1, sizeof(*lines->items));
	lines->items[lines->count++] = *line;
	return false;
}

int port_lines_read(pid_t pid, struct port_lines *ret, struct error *err)
{
	struct port_lines lines = {.known = true};
	int r = each_listener(pid, add_line, &lines, err);

	if (r < 0)
		port_lines_release(&lines);
	else
		*ret = lines;
	return r;
}

void port_lines_release(struct port_lines *lines)
{
	free(lines->items);
	*lines = (struct port_lines){};
}

const struct port_line *port_lines_foreign(const struct port_lines *lines, uint16_t port,
					   uid_t base)
{
	for (size_t i = 0; i < lines->count; i++)
		if (lines->items[i].port == port && !is_in_range(&lines->items[i], base))
			return &lines->items[i];
	return NULL;
}

int port_is_taken(pid_t pid, uint16_t port, uid_t except_base, struct error *err)
{
	struct search search = {.port = port, .base = except_base};

	return each_listener(pid, take_foreign, &search, err);
}

int port_find_listener(uint16_t port, uid_t except_base, struct listener *ret,
		       struct error *err)
{
	struct search search = {.port = port, .base = except_base};
	struct listener found = {};
	int r = each_listener(getpid(), take_foreign, &search, err);

	if (r <= 0)
		return r;
	found.uid = search.found.uid;
	r = find_holder(search.found.inode, &found, err);
	if (r < 0)
		return r;
	*ret = found;
	return 1;
}

static bool answers(const struct sockaddr *address, socklen_t size)
{
	_cleanup_close_ int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int failure = 0;
	socklen_t room = sizeof(failure);

	if (fd < 0)
		return false;
	if (connect(fd, address, size) == 0)
		return true;
	if (errno != EINPROGRESS || poll(&p, 1, CONNECT_MS) != 1)
		return false;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &room) == 0 && failure == 0;
}

static int enter_network(pid_t leader, struct error *err)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)leader);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return error_set_errno(err, errno, "cannot enter the container's network");
	return 0;
}

int port_is_open(pid_t leader, uint16_t port, uid_t uid_base, bool *ret, struct error *err)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(port),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct search search = {.port = port, .base = uid_base};
	int r = enter_network(leader, err);

	if (r < 0)
		return r;
	r = each_listener(getpid(), take_own, &search, err);
	if (r < 0)
		return r;
	*ret = r > 0 && (answers((struct sockaddr *)&v4, sizeof(v4)) ||
			 answers((struct sockaddr *)&v6, sizeof(v6)));
	return 0;
}
