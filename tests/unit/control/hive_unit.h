/*
 * A whole controller for a test: the real control layer on a loop in a process of its own, real
 * repositories in a scratch directory, and a stand-in for skep-exec that hive_fake.h says how
 * to make fail. With the file "tidy-soon" it tidies often and keeps two of each. The file
 * "clock" says how many seconds the hive's clock is ahead.
 */
#pragma once

#include "hive_fake.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/sock.h"
#include "base/zygote.h"
#include "control/server.h"
#include "control/start.h"
#include "git/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct hive_unit {
	char dir[64];
	pid_t daemon, exec;
	char socket_path[128];
};

/* ---- the daemon ---- */

static int hive_ready_fd;
static void (*hive_prepare)(
	struct hive *hive); /* what a test does with it first; NULL: nothing */
static char hive_clock_path[128];
static const char *hive_place = "/tmp"; /* where it has its directory */

static int64_t hive_wall_s(void)
{
	_cleanup_buf_ struct buf text = {};

	return file_read(AT_FDCWD, hive_clock_path, 32, &text, NULL) < 0
		       ? clock_wall_s()
		       : clock_wall_s() + atoll(buf_str(&text));
}

static void hive_on_ready(struct hive *hive, const struct error *err)
{
	(void)hive;
	(void)!write(hive_ready_fd, err ? "n" : "y", 1);
}

static void hive_on_gone(void *data)
{
	(void)data;
	_exit(3);
}

static void hive_on_down(struct hive *hive)
{
	(void)hive;
	_exit(0);
}

static void hive_on_term(int signum, void *data)
{
	(void)signum;
	start_stop(data, false, hive_on_down);
}

static void hive_daemon_main(struct hive_unit *u, int channel, int ready)
{
	_cleanup_free_ char *here = file_program_dir(), *crash_file = NULL, *tidy_file = NULL,
			    *web_path = NULL, *worker_path = NULL;
	struct error err = {};
	struct config config;
	struct loop *loop = loop_new();
	struct hive *hive;
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	crash_file = str_format("%s/crash", u->dir);
	(void)setenv("SKEP_CRASH_FILE", crash_file, 1);
	config_init(&config);
	free(config.state_dir);
	free(config.runtime_dir);
	config.state_dir = str_dup(u->dir);
	config.runtime_dir = str_dup(u->dir);
	config.proposals_per_hour = 1000;
	config.nixpkgs = str_dup("path:/nixpkgs");
	config.base = str_dup("path:/base");
	config.templates_dir = str_format("%s/../../templates", here);
	tidy_file = str_format("%s/tidy-soon", u->dir);
	if (access(tidy_file, F_OK) == 0) {
		config.tidy_interval_ms = 200;
		config.keep_logs = config.keep_systems = 2;
	}
	snprintf(hive_clock_path, sizeof(hive_clock_path), "%s/clock", u->dir);
	hive = hive_new(loop, &config, hive_wall_s);
	zygote_free(hive->workers);
	worker_path = str_format("%s/../../skepd", here);
	hive->workers = zygote_new(worker_path, "skepd");
	hive_ready_fd = ready;
	if (hive_prepare)
		hive_prepare(hive);
	if (git_setup(true, &err) < 0 || start_load(hive, &err) < 0) {
		fprintf(stderr, "the hive does not load: %s\n", error_text(&err));
		_exit(1);
	}
	fd = sock_listen(u->socket_path, SOCK_STREAM, 0600, getuid(), getgid(), &err);
	if (fd < 0)
		_exit(1);
	server_listen(hive->server, fd, PRINCIPAL_OPERATOR, (int64_t)getgid());
	web_path = str_format("%s/web.sock", u->dir);
	fd = sock_listen(web_path, SOCK_STREAM, 0600, getuid(), getgid(), &err);
	if (fd < 0)
		_exit(1);
	server_listen_web(hive->server, fd, getuid());
	hive->executor = executor_new(loop, channel, start_on_event, hive_on_gone, hive);
	(void)loop_signal(loop, SIGTERM, hive_on_term, hive);
	start_serve(hive, hive_on_ready);
	(void)loop_run(loop);
	_exit(0);
}

/* Whether it serves. */
static bool hive_launch(struct hive_unit *u)
{
	int channel[2], ready[2];
	char byte = 0;

	assert_int_equal(sock_pair(SOCK_SEQPACKET, channel, NULL), 0);
	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	u->exec = fork();
	if (u->exec == 0) {
		(void)close(channel[1]);
		fake_main(u->dir, channel[0]);
	}
	u->daemon = fork();
	if (u->daemon == 0) {
		(void)close(channel[0]);
		hive_daemon_main(u, channel[1], ready[1]);
	}
	(void)close(channel[0]);
	(void)close(channel[1]);
	(void)close(ready[1]);
	(void)!read(ready[0], &byte, 1);
	(void)close(ready[0]);
	return byte == 'y';
}

static void hive_start(struct hive_unit *u)
{
	assert_true(hive_launch(u));
}

/* kill -9 of both, as if the machine had lost them. */
static void hive_crash(struct hive_unit *u)
{
	const pid_t pids[] = {u->daemon, u->exec};

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		if (pids[i] <= 0)
			continue; /* it has ended already */
		(void)kill(pids[i], SIGKILL);
		(void)waitpid(pids[i], NULL, 0);
	}
}

static void hive_up(struct hive_unit *u)
{
	static const char *const dirs[] = {"applied", "meta", "logs", "audit", "proposed"};

	(void)signal(SIGPIPE, SIG_IGN);
	snprintf(u->dir, sizeof(u->dir), "%s/skep-hive-XXXXXX", hive_place);
	assert_non_null(mkdtemp(u->dir));
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", u->dir, dirs[i]);

		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(u->socket_path, sizeof(u->socket_path), "%s/operator.sock", u->dir);
	hive_start(u);
}

static void hive_down(struct hive_unit *u)
{
	hive_crash(u);
	(void)file_remove_tree(AT_FDCWD, u->dir, NULL);
}
