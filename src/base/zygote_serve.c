/* The forking end. It is linked without what a zygote is asked by, the loop above all. */
#include "base/zygote.h"

#include "base/cleanup.h"
#include "base/isolate.h"
#include "base/sock.h"
#include "base/zygote_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct job {
	struct zygote_job head;
	char **argv;
	int fds[SOCK_MAX_FDS];
	size_t n_fds;
};

/*
 * What ps shows is where the arguments of the first exec lie, and goes on into the environment
 * behind them where no NUL is between the two (man proc_pid_cmdline).
 */
struct title {
	char *text;
	size_t args, room;
};

static struct title find_title(int argc, char **argv)
{
	struct title title = {.text = argv[0], .args = strlen(argv[0]) + 1};
	char **copies;
	size_t n = 0;

	for (int i = 1; i < argc && argv[i] == title.text + title.args; i++)
		title.args += strlen(argv[i]) + 1;
	title.room = title.args;
	while (environ[n])
		n++;
	copies = mem_new(n + 1, sizeof(*copies));
	for (size_t i = 0; i < n; i++) {
		if (environ[i] == title.text + title.room)
			title.room += strlen(environ[i]) + 1;
		copies[i] = str_dup(environ[i]);
	}
	environ = copies;
	return title;
}

static void set_title(const struct title *title, char **argv)
{
	_cleanup_buf_ struct buf words = {};
	const char *name = strrchr(argv[0], '/');

	for (size_t i = 0; argv[i]; i++)
		buf_addf(&words, "%s%s", i ? " " : "", argv[i]);
	while (words.size < title->args)
		buf_add_char(&words, ' ');
	memset(title->text, 0, title->room);
	memcpy(title->text, words.data,
	       words.size < title->room ? words.size : title->room - 1);
	(void)prctl(PR_SET_NAME, name ? name + 1 : argv[0]);
}

/* Only who started us sends these. */
static bool receive(struct job *job)
{
	static char text[ZYGOTE_MESSAGE_MAX + 1];
	ssize_t n = sock_recv(ZYGOTE_FD, text, ZYGOTE_MESSAGE_MAX, job->fds, &job->n_fds);
	char *at = text + sizeof(job->head);

	if (n < (ssize_t)sizeof(job->head))
		return false;
	text[n] = '\0';
	memcpy(&job->head, text, sizeof(job->head));
	if (job->head.argc == 0 || job->head.argc > ZYGOTE_MESSAGE_MAX ||
	    job->head.n_fds != job->n_fds)
		return false;
	job->argv = mem_new(job->head.argc + 1, sizeof(*job->argv));
	for (uint32_t i = 0; i < job->head.argc && at < text + n; i++) {
		job->argv[i] = at;
		at += strlen(at) + 1;
	}
	return true;
}

static void done(struct job *job)
{
	for (size_t i = 0; i < job->n_fds; i++)
		(void)close(job->fds[i]);
	free(job->argv);
}

/* As the child of a child_spawn() has them: those that were named and no other. */
static bool put_fds(const struct job *job)
{
	bool taken[ZYGOTE_TARGET_MAX] = {true, true, true};
	int lifted[SOCK_MAX_FDS];

	for (size_t i = 0; i < job->n_fds; i++) {
		lifted[i] = fcntl(job->fds[i], F_DUPFD, ZYGOTE_TARGET_MAX);
		if (lifted[i] < 0)
			return false;
	}
	for (size_t i = 0; i < job->n_fds; i++) {
		int target = job->head.targets[i];

		if (target < 0 || target >= ZYGOTE_TARGET_MAX || dup2(lifted[i], target) < 0)
			return false;
		taken[target] = true;
	}
	for (int fd = 0; fd < ZYGOTE_TARGET_MAX; fd++)
		if (!taken[fd])
			(void)close(fd);
	return close_range(ZYGOTE_TARGET_MAX, ISOLATE_LAST_FD, 0) == 0;
}

/* fork(2), but for whose child it is. Of what the C library's fork() does on top, a process of
 * one thread needs nothing. */
static pid_t fork_sibling(void)
{
#ifdef __s390x__
	return (pid_t)syscall(SYS_clone, 0, CLONE_PARENT | SIGCHLD, 0, 0, 0);
#else
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
#endif
}

void zygote_serve(int *argc, char ***argv)
{
	static struct job job; /* a child's arguments, as long as it lives */
	struct title title = find_title(*argc, *argv);
	int32_t answer;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)prctl(PR_SET_NAME, ZYGOTE_WORD);
	for (;;) {
		if (!receive(&job))
			exit(EXIT_SUCCESS);
		answer = fork_sibling();
		if (answer == 0)
			break;
		if (answer < 0)
			answer = -errno;
		done(&job);
		if (sock_send(ZYGOTE_FD, &answer, sizeof(answer), NULL, 0) < 0)
			exit(EXIT_SUCCESS);
	}
	if (!put_fds(&job) || (job.head.new_session && setsid() < 0))
		_exit(EXIT_FAILURE);
	set_title(&title, job.argv);
	*argc = (int)job.head.argc;
	*argv = job.argv;
}
