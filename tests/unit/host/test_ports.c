/* Listeners: lines of /proc/net/tcp and a socket of our own. */
#include "unit.h"

#include "base/cleanup.h"
#include "host/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static void test_lines(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		struct port_line line;
	} cases[] = {
		{"   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 "
		 "1310720        0 84311 1 0000000000000000 100 0 0 10 0\n",
		 true,
		 {8000, true, 1310720, 84311}},
		{"  12: 00000000000000000000000001000000:0050 "
		 "00000000000000000000000000000000:0000 "
		 "0A 00000000:00000000 00:00000000 00000000     0        0 4294967297 1 0 "
		 "100\n",
		 true,
		 {80, true, 0, 4294967297}},
		{"   1: 0100007F:ABCD 0100007F:1F40 01 00000000:00000000 02:000001A2 00000000  "
		 "1000        0 77 2 0 20 4 30 10 -1\n",
		 true,
		 {0xabcd, false, 1000, 77}},
		{"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt  "
		 " "
		 "uid  timeout inode\n",
		 false,
		 {}},
		{"", false, {}},
		{"   0: 0100007F:1F40\n", false, {}},
		{"   0: 0100007F 00000000:0000 0A\n", false, {}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_line line = {};

		assert_int_equal(port_parse_line(cases[i].text, &line), cases[i].ok);
		if (!cases[i].ok)
			continue;
		assert_int_equal(line.port, cases[i].line.port);
		assert_int_equal(line.listening, cases[i].line.listening);
		assert_int_equal(line.uid, cases[i].line.uid);
		assert_int_equal(line.inode, cases[i].line.inode);
	}
}

static int listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
	*ret_port = ntohs(sa.sin_port);
	return fd;
}

static void test_our_own(void **state)
{
	struct listener found = {};
	struct error err = {};
	uint16_t port;
	int fd = listen_somewhere(&port);

	(void)state;
	assert_int_equal(port_find_listener(port, 0, &found, &err), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(port_find_listener(port, 0, &found, &err), 1);
	assert_int_equal(found.pid, getpid());
	assert_int_equal(found.uid, geteuid());
	assert_string_equal(found.name, "test_ports");
	/* nobody's range but the one that is passed over */
	assert_int_equal(port_find_listener(port, geteuid() + 1, &found, &err), 1);
	if (geteuid() > 0)
		assert_int_equal(port_find_listener(port, geteuid(), &found, &err), 0);
	close(fd);
	assert_int_equal(port_find_listener(port, 0, &found, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
