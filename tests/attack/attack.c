/*
 * attack list: each attempt, with the threat it belongs to and what a kernel may lack for it.
 * attack run: makes them all, each in a process and a mount namespace of its own, and prints
 * "worked NAME" or "refused NAME REASON". The same program runs in an agent's container, where
 * all is refused, and where nothing defends the host, where it shows that it bites.
 */
#include "attack/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATTEMPT_S 10
#define HUNG 255

static const struct attack_list *const lists[] = {
	&attacks_on_devices, &attacks_on_files,     &attacks_on_kernel,
	&attacks_on_network, &attacks_on_processes, &attacks_on_settings,
};
#define N_LISTS (sizeof(lists) / sizeof(*lists))

int done(long r)
{
	return r < 0 ? -errno : 0;
}

/* The error goes through the exit status: each is below HUNG. */
static void attempt(const struct attack *attack)
{
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	alarm(ATTEMPT_S);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(errno);
	r = attack->run(attack->arg);
	_exit(r <= 0 && -r < HUNG ? -r : EINVAL);
}

static int tried(const struct attack *attack)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		attempt(attack);
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		perror("attack");
		return -1;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		printf("worked %s\n", attack->name);
	else if (WIFEXITED(status))
		printf("refused %s %s\n", attack->name, strerror(WEXITSTATUS(status)));
	else
		printf("refused %s %s\n", attack->name, strsignal(WTERMSIG(status)));
	return 0;
}

int main(int argc, char **argv)
{
	int runs = argc == 2 && !strcmp(argv[1], "run");

	if (!runs && (argc != 2 || strcmp(argv[1], "list"))) {
		fprintf(stderr, "usage: attack list | run\n");
		return 2;
	}
	for (size_t i = 0; i < N_LISTS; i++)
		for (size_t k = 0; k < lists[i]->count; k++) {
			const struct attack *attack = &lists[i]->rows[k];

			if (!runs)
				printf("%s %s %s\n", attack->threat, attack->name,
				       attack->lacks ? attack->lacks : "-");
			else if (tried(attack) < 0)
				return 1;
		}
	return 0;
}
