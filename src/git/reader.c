/*
 * The answering end. Everything it reads may be crafted to break libgit2, and some of it can:
 * that is why it runs in a process of its own that owns nothing, and why nothing it says is
 * believed.
 */
#include "git/reader.h"

#include "git/checkout.h"
#include "git/internal.h"
#include "git/reader_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <git2/sys/odb_backend.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define OBJECTS_DIR ".git/objects"
#define BACKEND_PRIORITY 1
/* A pack is mapped in windows, so that a large one fits the address space the jail leaves. */
#define MAP_WINDOW_BYTES (16u << 20)
#define MAP_TOTAL_BYTES (256u << 20)
#define REFS_MAX_BYTES (4u << 20)

/* Reads exactly size bytes. 0 at a clean end of file, size otherwise, -errno. */
static ssize_t receive(int fd, unsigned char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = recv(fd, data + done, size - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return done == 0 ? 0 : -EPROTO;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int answer(int fd, enum reader_status status, git_object_t type, const void *data,
		  size_t size)
{
	unsigned char head[READER_ANSWER_SIZE];
	struct iovec parts[2] = {{head, sizeof(head)}, {(void *)data, size}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1};

	reader_pack_answer(head, status, (unsigned char)type, size);
	while (message.msg_iovlen > 0) {
		ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		while (message.msg_iovlen > 0 && (size_t)n >= message.msg_iov->iov_len) {
			n -= (ssize_t)message.msg_iov->iov_len;
			message.msg_iov++;
			message.msg_iovlen--;
		}
		if (message.msg_iovlen > 0) {
			message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
			message.msg_iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int refuse(int fd, int r)
{
	enum reader_status status = READER_CORRUPT;

	if (r == GIT_ENOTFOUND)
		status = READER_MISSING;
	if (r == GIT_EAMBIGUOUS)
		status = READER_AMBIGUOUS;
	return answer(fd, status, 0, NULL, 0);
}

static int answer_object(int fd, git_odb *odb, const git_oid *id, uint64_t max_bytes)
{
	_cleanup_(git_odb_object_freep) git_odb_object *object = NULL;
	git_object_t type;
	size_t size;
	int r;

	/* The size is asked first: nothing large is read, and nothing is allocated for it. */
	r = git_odb_read_header(&size, &type, odb, id);
	if (r < 0)
		return refuse(fd, r);
	if (size > max_bytes)
		return answer(fd, READER_TOO_LARGE, type, NULL, 0);
	r = git_odb_read(&object, odb, id);
	if (r < 0)
		return refuse(fd, r);
	if (git_odb_object_size(object) > max_bytes)
		return answer(fd, READER_TOO_LARGE, type, NULL, 0);
	return answer(fd, READER_OK, git_odb_object_type(object), git_odb_object_data(object),
		      git_odb_object_size(object));
}

static int answer_prefix(int fd, git_odb *odb, const git_oid *prefix, size_t digits)
{
	git_oid found;
	int r;

	if (digits > GIT_OID_HEXSZ)
		return refuse(fd, GIT_EINVALID);
	r = git_odb_exists_prefix(&found, odb, prefix, digits);
	if (r < 0)
		return refuse(fd, r);
	return answer(fd, READER_OK, 0, found.id, sizeof(found.id));
}

static int answer_refs(int fd)
{
	_cleanup_buf_ struct buf lines = {};
	int r = reader_refs(REFS_MAX_BYTES, &lines, NULL);

	if (r == -E2BIG)
		return answer(fd, READER_TOO_LARGE, 0, NULL, 0);
	return r < 0 ? answer(fd, READER_CORRUPT, 0, NULL, 0)
		     : answer(fd, READER_OK, 0, buf_str(&lines), lines.size);
}

static int answer_work(int fd)
{
	struct checkout_count count;
	char hex[OID_HEX_SIZE];
	git_oid id;
	int r = checkout_hash_work(AT_FDCWD, hex, &count, NULL);

	if (r == 0)
		r = oid_to_git(&id, hex, NULL);
	return r < 0 ? answer(fd, READER_CORRUPT, 0, NULL, 0)
		     : answer(fd, READER_OK, 0, id.id, sizeof(id.id));
}

/* Only these two backends: alternates, gitfiles and configuration are things a repository
 * object reads. */
static int open_objects(git_odb **ret, struct error *err)
{
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	git_odb_backend *loose, *pack;
	int r;

	r = git_odb_new(&odb);
	if (r == 0)
		r = git_odb_backend_loose(&loose, OBJECTS_DIR, -1, 0, 0, 0);
	if (r == 0)
		r = git_odb_add_backend(odb, loose, BACKEND_PRIORITY);
	if (r == 0)
		r = git_odb_backend_pack(&pack, OBJECTS_DIR);
	if (r == 0)
		r = git_odb_add_backend(odb, pack, BACKEND_PRIORITY);
	if (r < 0)
		return git_fail(r, err, "cannot open the object store");
	*ret = TAKE_PTR(odb);
	return 0;
}

/* Who asks hashes what it gets, and asks for an object once: checking and caching here would be
 * twice the work. */
static int set_options(struct error *err)
{
	int r;

	r = git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
	if (r == 0)
		r = git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0);
	if (r == 0)
		r = git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)MAP_WINDOW_BYTES);
	if (r == 0)
		r = git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)MAP_TOTAL_BYTES);
	return r < 0 ? git_fail(r, err, "cannot set up libgit2") : 0;
}

int reader_serve(int fd, const struct reader_limits *limits, struct error *err)
{
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	int r;

	r = set_options(err);
	if (r < 0)
		return r;
	r = open_objects(&odb, err);
	if (r < 0)
		return r;
	for (;;) {
		unsigned char request[READER_REQUEST_SIZE];
		git_oid id;
		ssize_t n = receive(fd, request, sizeof(request));

		if (n == 0 || n == -ECONNRESET)
			return 0;
		if (n < 0)
			return error_set_errno(err, (int)-n, "cannot receive a request");
		memcpy(id.id, request + 1, sizeof(id.id));
		if (request[0] == READER_VERB_OBJECT)
			r = answer_object(fd, odb, &id, limits->max_object_bytes);
		else if (request[0] == READER_VERB_PREFIX)
			r = answer_prefix(fd, odb, &id, request[1 + sizeof(id.id)]);
		else if (request[0] == READER_VERB_REFS)
			r = answer_refs(fd);
		else if (request[0] == READER_VERB_WORK)
			r = answer_work(fd);
		else
			return error_set(err, EPROTO, "unknown request %u", request[0]);
		if (r == -EPIPE || r == -ECONNRESET)
			return 0;
		if (r < 0)
			return error_set_errno(err, -r, "cannot send an answer");
	}
}
