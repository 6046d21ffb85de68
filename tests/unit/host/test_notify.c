#include "unit.h"

#include "base/cleanup.h"
#include "host/notify.h"

#include <errno.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		bool ready;
		pid_t leader;
	} cases[] = {
		{"READY=1\nX_NSPAWN_LEADER_PID=4711\n", true, 4711},
		{"X_NSPAWN_LEADER_PID=4711", false, 4711},
		{"STATUS=Startup finished.\nREADY=1", true, 0},
		{"READY=0\nREADY=11\nNOT_READY=1\n", false, 0},
		{"X_NSPAWN_LEADER_PID=4711x\nX_NSPAWN_LEADER_PID=-5\n", false, 0},
		{"X_NSPAWN_LEADER_PID=99999999999\nX_NSPAWN_LEADER_PID=1\n", false, 0},
		{"\n\n", false, 0},
		{"", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool ready = false;
		pid_t leader = 0;

		notify_parse(cases[i].text, &ready, &leader);
		if (ready != cases[i].ready || leader != cases[i].leader)
			fail_msg("'%s': %d %d", cases[i].text, ready, (int)leader);
	}
}

static void say(const char *path, const char *text)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	strcpy(sa.sun_path, path);
	assert_int_equal(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&sa, sizeof(sa)),
			 strlen(text));
}

static void test_wait(void **state)
{
	_cleanup_close_ int fd = -1, own = pidfd_open(getpid(), 0);
	struct error err = {};
	char path[256];
	pid_t leader = 0;

	fd = notify_listen(unit_path(path, state, "notify"), &err);
	assert_true(fd >= 0);
	say(path, "X_NSPAWN_LEADER_PID=77");
	assert_int_equal(notify_wait(fd, own, 0, &leader, &err), -ETIMEDOUT);
	say(path, "X_NSPAWN_LEADER_PID=77");
	say(path, "READY=1");
	assert_int_equal(notify_wait(fd, own, 10000, &leader, &err), 0);
	assert_int_equal(leader, 77);
}

/* What was said before the end still counts; silence then is the end. */
static void test_sender_ends(void **state)
{
	_cleanup_close_ int fd = -1, child_fd = -1;
	struct error err = {};
	char path[256];
	pid_t leader = 0, child = fork();

	if (child == 0)
		_exit(0);
	child_fd = pidfd_open(child, 0);
	fd = notify_listen(unit_path(path, state, "notify"), &err);
	assert_int_equal(notify_wait(fd, child_fd, 10000, &leader, &err), -ECHILD);
	say(path, "READY=1");
	assert_int_equal(notify_wait(fd, child_fd, 10000, &leader, &err), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		unit_dir_test(test_wait),
		unit_dir_test(test_sender_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
