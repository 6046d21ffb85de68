#include "unit.h"

#include "base/cleanup.h"
#include "base/sock.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void test_listen_and_connect(void **state)
{
	char path[256];
	struct error err = {};
	struct stat st;
	mode_t mask = umask(0), after;
	_cleanup_close_ int server = sock_listen(unit_path(path, state, "s"), SOCK_STREAM, 0600,
						 getuid(), getgid(), &err);
	_cleanup_close_ int client = -1, accepted = -1;
	uid_t uid = 0;
	gid_t gid = 0;
	pid_t pid = 0;

	after = umask(mask);
	assert_int_equal(after, 0);
	assert_true(server >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	client = sock_connect(path, SOCK_STREAM, &err);
	assert_true(client >= 0);
	accepted = accept(server, NULL, NULL);
	assert_true(accepted >= 0);
	assert_int_equal(sock_peer(accepted, &uid, &gid, &pid, &err), 0);
	assert_int_equal(uid, getuid());
	assert_int_equal(gid, getgid());
	assert_int_equal(pid, getpid());
	assert_true(fcntl(server, F_GETFD) & fcntl(client, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(server, F_GETFL) & O_NONBLOCK);
}

static void test_listen_replaces_only_sockets(void **state)
{
	char path[256];
	struct error err = {};
	int fd = sock_listen(unit_path(path, state, "s"), SOCK_SEQPACKET, 0600, getuid(),
			     getgid(), &err);
	_cleanup_close_ int file = -1;

	assert_true(fd >= 0);
	close(fd);
	fd = sock_listen(path, SOCK_SEQPACKET, 0660, getuid(), getgid(), &err);
	assert_true(fd >= 0);
	close(fd);
	file = open(unit_path(path, state, "f"), O_WRONLY | O_CREAT, 0600);
	assert_true(file >= 0);
	assert_int_equal(sock_listen(path, SOCK_STREAM, 0600, getuid(), getgid(), &err),
			 -EEXIST);
	assert_text(&err, "is not a socket");
	assert_int_equal(symlink("f", unit_path(path, state, "l")), 0);
	assert_int_equal(sock_listen(path, SOCK_STREAM, 0600, getuid(), getgid(), &err),
			 -EEXIST);
}

static void test_refusals(void **state)
{
	char path[256], longest[200];
	struct error err = {};
	int before = unit_count_fds(), fd;

	assert_int_equal(sock_connect(unit_path(path, state, "none"), SOCK_STREAM, &err),
			 -ENOENT);
	assert_string_equal(error_code(&err), "unavailable");
	assert_text(&err, path);
	fd = sock_listen(unit_path(path, state, "s"), SOCK_STREAM, 0600, getuid(), getgid(),
			 &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sock_connect(path, SOCK_STREAM, &err), -ECONNREFUSED);
	assert_string_equal(error_code(&err), "unavailable");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(sock_connect(longest, SOCK_STREAM, &err), -ENAMETOOLONG);
	assert_int_equal(sock_listen(longest, SOCK_STREAM, 0600, 0, 0, &err), -ENAMETOOLONG);
	assert_int_equal(sock_listen(unit_path(path, state, "no/s"), SOCK_STREAM, 0600, 0, 0,
				     &err),
			 -ENOENT);
	assert_int_equal(unit_count_fds(), before);
}

static void make_pair(int type, int fds[2])
{
	struct error err = {};

	assert_int_equal(sock_pair(type, fds, &err), 0);
	assert_true(fcntl(fds[0], F_GETFD) & fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
}

static void test_peer_groups(void **state)
{
	gid_t groups[256];
	int n = getgroups(256, groups), fds[2];
	gid_t foreign = 54321;

	(void)state;
	make_pair(SOCK_STREAM, fds);
	assert_true(sock_peer_in_group(fds[0], getgid()));
	for (int i = 0; i < n; i++) {
		assert_true(sock_peer_in_group(fds[0], groups[i]));
		if (groups[i] == foreign)
			foreign++;
	}
	assert_false(sock_peer_in_group(fds[0], foreign));
	assert_false(sock_peer_in_group(-1, foreign));
	close(fds[0]);
	close(fds[1]);
}

static void test_descriptors_travel(void **state)
{
	int fds[2], sent[SOCK_MAX_FDS], got[SOCK_MAX_FDS], before;
	size_t n = 99;
	char data[16];

	(void)state;
	for (int i = 0; i < SOCK_MAX_FDS; i++)
		sent[i] = STDERR_FILENO;
	make_pair(SOCK_SEQPACKET, fds);
	before = unit_count_fds();
	assert_int_equal(sock_send(fds[0], "hello", 5, sent, SOCK_MAX_FDS), 5);
	assert_int_equal(sock_recv(fds[1], data, sizeof(data), got, &n), 5);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(n, SOCK_MAX_FDS);
	for (size_t i = 0; i < n; i++) {
		assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
		close(got[i]);
	}
	assert_int_equal(sock_send(fds[0], "x", 1, NULL, 0), 1);
	assert_int_equal(sock_recv(fds[1], data, sizeof(data), got, &n), 1);
	assert_int_equal(n, 0);
	assert_int_equal(sock_send(fds[0], "x", 1, sent, SOCK_MAX_FDS + 1), -EINVAL);
	assert_int_equal(unit_count_fds(), before);
	close(fds[0]);
	close(fds[1]);
}

/* More descriptors than there is room for: the kernel cuts them off, and none may stay with us.
 */
static void send_many(int fd, size_t n)
{
	char space[CMSG_SPACE(64 * sizeof(int))] = {};
	struct iovec iov = {.iov_base = (char[]){"x"}, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = space,
			     .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fds[64];

	for (size_t i = 0; i < n; i++)
		fds[i] = STDERR_FILENO;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	assert_int_equal(sendmsg(fd, &msg, 0), 1);
}

static void test_too_many_descriptors(void **state)
{
	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET;
	     type += SOCK_SEQPACKET - SOCK_STREAM) {
		int fds[2], got[SOCK_MAX_FDS], before;
		size_t n = 99;
		char data[16];

		(void)state;
		make_pair(type, fds);
		before = unit_count_fds();
		send_many(fds[0], SOCK_MAX_FDS + 1);
		assert_int_equal(sock_recv(fds[1], data, sizeof(data), got, &n), -EMSGSIZE);
		assert_int_equal(n, 0);
		send_many(fds[0], 64);
		assert_int_equal(sock_recv(fds[1], data, sizeof(data), got, &n), -EMSGSIZE);
		assert_int_equal(unit_count_fds(), before);
		close(fds[0]);
		close(fds[1]);
	}
}

static void test_message_cut(void **state)
{
	int fds[2], got[SOCK_MAX_FDS], sent = STDERR_FILENO, before;
	size_t n = 0;
	char data[4];

	(void)state;
	make_pair(SOCK_SEQPACKET, fds);
	before = unit_count_fds();
	assert_int_equal(sock_send(fds[0], "hello", 5, &sent, 1), 5);
	assert_int_equal(sock_recv(fds[1], data, sizeof(data), got, &n), -EMSGSIZE);
	assert_int_equal(unit_count_fds(), before);
	/* the next message is whole again */
	assert_int_equal(sock_send(fds[0], "four", 4, NULL, 0), 4);
	assert_int_equal(sock_recv(fds[1], data, sizeof(data), got, &n), 4);
	close(fds[0]);
	assert_int_equal(sock_recv(fds[1], data, sizeof(data), got, &n), 0);
	close(fds[1]);
}

static void test_full_and_gone(void **state)
{
	int fds[2];
	char block[4096] = {};
	ssize_t n;

	(void)state;
	make_pair(SOCK_STREAM, fds);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	do
		n = sock_send(fds[0], block, sizeof(block), NULL, 0);
	while (n > 0);
	assert_int_equal(n, -EAGAIN);
	close(fds[1]);
	/* no SIGPIPE */
	assert_int_equal(sock_send(fds[0], block, 1, NULL, 0), -EPIPE);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_dir_test(test_listen_and_connect),
		unit_dir_test(test_listen_replaces_only_sockets),
		unit_dir_test(test_refusals),
		cmocka_unit_test(test_peer_groups),
		cmocka_unit_test(test_descriptors_travel),
		cmocka_unit_test(test_too_many_descriptors),
		cmocka_unit_test(test_message_cut),
		cmocka_unit_test(test_full_and_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
