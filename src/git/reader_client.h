/* The asking end of the object reader: requests and answers in order, each step before one
 * absolute deadline. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "git/reader.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Requests that may wait for an answer. They fit the socket's buffer many times over, so
 * neither side ever waits for the other to read.
 */
#define READER_MAX_OUTSTANDING 64

struct reader_client {
	int fd;              /* the caller's */
	int64_t end_ms;      /* clock_boot_ms() past which every call fails with -ETIMEDOUT */
	struct buf requests; /* asked for, not sent yet */
	unsigned char *input;
	size_t input_start, input_end;
};

void reader_client_init(struct reader_client *client, int fd, int64_t end_ms);
void reader_client_release(struct reader_client *client);

/* Queues a request: the object called id, or the id that begins with the first digits of id. */
void reader_client_ask_object(struct reader_client *client, const unsigned char *id);
void reader_client_ask_prefix(struct reader_client *client, const unsigned char *id,
			      unsigned digits);

/* The same for all references, and for the tree of the work tree. */
void reader_client_ask_refs(struct reader_client *client);
void reader_client_ask_work(struct reader_client *client);

struct reader_answer {
	enum reader_status status;
	unsigned char type;
	uint64_t size; /* bytes that follow; 0 unless the status is READER_OK */
};

/*
 * Sends what is queued and waits for the next answer. Its bytes must be fetched (or the client
 * given up) before the next one. -EPIPE: the reader is gone; -EPROTO: it talks nonsense.
 */
int reader_client_next(struct reader_client *client, struct reader_answer *ret,
		       struct error *err);

/* The size bytes of the answer just received. */
int reader_client_fetch(struct reader_client *client, void *data, size_t size,
			struct error *err);
