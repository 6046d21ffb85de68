/* A hive that lives in a directory: skepd, traced, as systemd would start it, beside the
 * stand-in for skep-exec, and what is asked of it. */
#pragma once

#include "trace.h"

#include "base/buf.h"

struct sweep;

struct hive {
	const struct sweep *sweep; /* whose it is; not looked into here */
	const char *skepd, *oracle;
	char dir[96], rest[96];
	pid_t exec, tracer;
	struct trace *trace;
	char problem[4096]; /* "": none */
};

/* What went wrong first. */
void blame(struct hive *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the test: this is nothing that a hive has done. */
_Noreturn void give_up(const char *what);

/* Copies a tree without its sockets; replace_tree() over what is there. */
void copy_tree(const char *from, const char *to);
void replace_tree(const char *from, const char *to);

/* Runs a script in a directory; all that it says is added to out. Returns its exit status. */
int run_script(const char *dir, const char *script, struct buf *out);

/*
 * Starts it, to die at a call, counted from now on where it is armed. rest: a copy of its
 * directory as it is now; NULL: there is none, and one is made where the machine is to lose its
 * power.
 */
void hive_start(struct hive *h, const char *rest, long at, bool armed, enum death how,
		uint64_t chance);

/* Kills what is left of it and waits for the end of all that belongs to it. */
void hive_kill(struct hive *h);

/*
 * One line of an answer, or what there is of it at the daemon's end; the caller frees it.
 * document: goes along, sealed; NULL: none.
 */
char *ask(struct hive *h, const char *request, const char *document, bool *ret_whole);

/* Whether it serves; not, when it died in its start. */
bool hive_serves(struct hive *h);

/*
 * Waits until everything that is on its way has ended; what the oracle says then, for the
 * caller to free, or NULL, and who is to blame. quick: without git fsck.
 */
char *come_to_rest(struct hive *h, const char *when, bool quick);
