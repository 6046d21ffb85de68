/* Unix sockets: listening, connecting, peers, and messages that carry descriptors. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SOCK_MAX_FDS 8

/*
 * Binds path (a stale socket there is replaced) with mode and owner, listening. type is
 * SOCK_STREAM or SOCK_SEQPACKET. Returns the descriptor.
 */
int sock_listen(const char *path, int type, mode_t mode, uid_t uid, gid_t gid,
		struct error *err);

/*
 * Connects; -ENOENT or -ECONNREFUSED with code "unavailable" when nobody listens. Returns the
 * descriptor.
 */
int sock_connect(const char *path, int type, struct error *err);

/* A connected pair of the given type, both ends close-on-exec. */
int sock_pair(int type, int ret[2], struct error *err);

/* Who connected (SO_PEERCRED). */
int sock_peer(int fd, uid_t *ret_uid, gid_t *ret_gid, pid_t *ret_pid, struct error *err);

/* Whether gid is the peer's primary or one of its supplementary groups (SO_PEERGROUPS). */
bool sock_peer_in_group(int fd, gid_t gid);

/*
 * One sendmsg() of all bytes with up to SOCK_MAX_FDS descriptors attached. Returns the bytes
 * sent or -errno
 * (-EAGAIN when the socket is full).
 */
ssize_t sock_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds);

/*
 * One recvmsg(). Descriptors that come along are close-on-exec and owned by the caller: *ret_n
 * of them in ret_fds, which has room for SOCK_MAX_FDS. Returns bytes, 0 at the end, or -errno
 * (-EMSGSIZE: a message was cut).
 */
ssize_t sock_recv(int fd, void *data, size_t size, int *ret_fds, size_t *ret_n);
