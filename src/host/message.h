/* The messages between skepd and skep-exec: one JSON object each, over SOCK_SEQPACKET. */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAX_BYTES (256u * 1024)

/* Gives a socket of ours room for the largest message; the kernel's default has not. */
void message_prepare(int fd);

/* {"id":id,"ok":false,"errno":…,"code":…,"error":…,"hint":…}. The caller owns it. */
json_t *message_failure(uint64_t id, const struct error *err);

/* Reads an answer: 0 when it says ok, else its negative errno, with err as the other side
 * filled it. */
int message_result(const json_t *answer, struct error *err);

/*
 * Sends one object with descriptors, waiting while the socket is full. Returns 0 or -errno
 * (-E2BIG: too large for a message). Blocks on a blocking socket; on another it may be -EAGAIN.
 */
int message_send(int fd, const json_t *object, const int *fds, size_t n_fds);

/*
 * Receives one object and its descriptors (room for SOCK_MAX_FDS, the caller owns them). 1:
 * *ret is the caller's; 0: the other end is closed; -EAGAIN; -EBADMSG with err filled when it
 * is not an object, its descriptors then being closed.
 */
int message_receive(int fd, json_t **ret, int *ret_fds, size_t *ret_n, struct error *err);

/* Messages waiting until a socket takes them, in order. */
struct outbox;
struct outbox *outbox_new(void);
void outbox_free(struct outbox *outbox);

/* Adds one. Takes the object over and duplicates the descriptors; -errno when those cannot be
 * kept. */
int outbox_add(struct outbox *outbox, json_t *object, const int *fds, size_t n_fds);

/*
 * Sends what the socket takes. A message that cannot be sent is handed to on_fail (errno, the
 * object borrowed) and dropped. Returns whether messages are left.
 */
bool outbox_flush(struct outbox *outbox, int fd,
		  void (*on_fail)(const json_t *object, int errnum, void *data), void *data);
