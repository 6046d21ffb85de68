#include "hive.h"

#include "control/hive_fake.h"

#include "base/clock.h"

#include <dirent.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>

#define REST_MS 15000 /* what is on its way after a start has come to an end */
#define ANSWER_MS 30000

void blame(struct hive *h, const char *format, ...)
{
	va_list args;

	if (h->problem[0])
		return;
	va_start(args, format);
	(void)vsnprintf(h->problem, sizeof(h->problem), format, args);
	va_end(args);
}

_Noreturn void give_up(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- trees ---- */

static void copy_entry(const char *from, const char *to)
{
	_cleanup_buf_ struct buf data = {};
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (lstat(from, &st) < 0)
		give_up(from);
	if (S_ISDIR(st.st_mode)) {
		copy_tree(from, to);
		return;
	}
	if (!S_ISREG(st.st_mode))
		return; /* sockets */
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || file_read(AT_FDCWD, from, 64 << 20, &data, NULL) < 0 ||
	    file_write_all(fd, buf_str(&data), data.size) < 0 ||
	    fchmod(fd, st.st_mode & 07777) < 0)
		give_up(to);
}

void copy_tree(const char *from, const char *to)
{
	_cleanup_closedir_ DIR *dir = opendir(from);
	struct dirent *entry;
	struct stat st;

	if (!dir || lstat(from, &st) < 0 || mkdir(to, 0700) < 0)
		give_up(to);
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *a = str_format("%s/%s", from, entry->d_name);
		_cleanup_free_ char *b = str_format("%s/%s", to, entry->d_name);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			copy_entry(a, b);
	}
	if (chmod(to, st.st_mode & 07777) < 0)
		give_up(to);
}

void replace_tree(const char *from, const char *to)
{
	(void)file_remove_tree(AT_FDCWD, to, NULL);
	copy_tree(from, to);
}

int run_script(const char *dir, const char *script, struct buf *out)
{
	_cleanup_free_ char *command =
		str_format("cd %s && export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 "
			   "GIT_AUTHOR_NAME=m GIT_AUTHOR_EMAIL=m@x GIT_COMMITTER_NAME=m "
			   "GIT_COMMITTER_EMAIL=m@x; { %s\n} 2>&1",
			   dir, script);
	FILE *f = popen(command, "re");
	char chunk[4096];
	size_t n;

	if (!f)
		give_up("popen");
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	return pclose(f);
}

/* ---- the daemon and the stand-in for skep-exec ---- */

static void play_exec(const char *dir, int listen_fd)
{
	struct pollfd asked = {.fd = listen_fd, .events = POLLIN};
	int channel;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)poll(&asked, 1, -1);
	channel = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	(void)close(listen_fd);
	if (channel >= 0)
		fake_main(dir, channel);
	_exit(0);
}

void hive_start(struct hive *h, const char *rest, long at, bool armed, enum death how,
		uint64_t chance)
{
	_cleanup_free_ char *exec_path = str_format("%s/exec.sock", h->dir);
	_cleanup_free_ char *operator_path = str_format("%s/operator.sock", h->dir);
	_cleanup_free_ char *log_path = str_format("%s/skepd.log", h->dir);
	const char *argv[] = {h->skepd, "--state", h->dir, "--runtime", h->dir, NULL};
	const char *env[] = {"LISTEN_FDS=1", "LISTEN_FDNAMES=operator", NULL};
	int exec_fd = sock_listen(exec_path, SOCK_SEQPACKET, 0600, getuid(), getgid(), NULL);
	int operator_fd =
		sock_listen(operator_path, SOCK_STREAM, 0600, getuid(), getgid(), NULL);
	struct traced traced = {.argv = argv,
				.env = env,
				.fd = operator_fd,
				.log = log_path,
				.top = h->dir,
				.rest = rest};

	if (exec_fd < 0 || operator_fd < 0)
		give_up("sock_listen");
	if (!rest && how >= DEATH_LOSING) {
		replace_tree(h->dir, h->rest);
		traced.rest = h->rest;
	}
	(void)fflush(NULL);
	h->exec = fork();
	if (h->exec == 0) {
		(void)close(operator_fd);
		play_exec(h->dir, exec_fd);
	}
	h->trace->at = at;
	h->trace->how = how;
	h->trace->chance = chance;
	h->trace->armed = armed;
	h->tracer = trace_start(h->trace, &traced);
	(void)close(exec_fd);
	(void)close(operator_fd);
	if (h->exec < 0 || h->tracer < 0)
		give_up("fork");
}

/* A machine that lost its power runs no container. */
static void stop_world(const struct hive *h)
{
	_cleanup_buf_ struct buf out = {};

	(void)run_script(h->dir,
			 "[ ! -e world ] || sed -i -E 's/^(\\S+ \\S+) 1 /\\1 0 /' world", &out);
}

/* Waits for its end, which has come. */
static void hive_ended(struct hive *h)
{
	_cleanup_free_ char *path = str_format("%s/exec.sock", h->dir);
	int fd;

	(void)waitpid(h->tracer, NULL, 0);
	/* where nobody came, it waits still */
	fd = sock_connect(path, SOCK_SEQPACKET, NULL);
	closep(&fd);
	(void)waitpid(h->exec, NULL, 0);
	h->tracer = h->exec = 0;
	if (h->trace->failed)
		blame(h, "tracing: %s", strerror(h->trace->failed));
	if (h->trace->how >= DEATH_LOSING)
		stop_world(h);
}

void hive_kill(struct hive *h)
{
	if (h->tracer <= 0)
		return;
	while (h->trace->main == 0)
		usleep(1000);
	(void)kill(h->trace->main, SIGKILL);
	hive_ended(h);
}

/* ---- requests ---- */

char *ask(struct hive *h, const char *request, const char *document, bool *ret_whole)
{
	_cleanup_free_ char *path = str_format("%s/operator.sock", h->dir);
	_cleanup_free_ char *line = str_format("%s\n", request);
	_cleanup_close_ int fd = sock_connect(path, SOCK_STREAM, NULL);
	_cleanup_close_ int gone = pidfd_open(h->tracer, 0);
	int64_t end = clock_boot_ms() + ANSWER_MS;
	struct buf text = {};
	int document_fd = -1;

	*ret_whole = false;
	for (char *q = line; *q; q++)
		if (*q == '\'')
			*q = '"';
	if (document) {
		_cleanup_free_ char *json = str_dup(document);

		for (char *q = json; *q; q++)
			if (*q == '\'')
				*q = '"';
		document_fd = memfd_create("document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (file_write_all(document_fd, json, strlen(json)) < 0 ||
		    fcntl(document_fd, F_ADD_SEALS,
			  F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
			give_up("memfd");
	}
	if (fd >= 0)
		(void)sock_send(fd, line, strlen(line), &document_fd, document_fd >= 0);
	closep(&document_fd);
	while (fd >= 0 && !*ret_whole) {
		struct pollfd both[] = {{.fd = fd, .events = POLLIN},
					{.fd = gone, .events = POLLIN}};
		char chunk[4096];
		ssize_t n;

		if (poll(both, 2, (int)(end - clock_boot_ms())) <= 0) {
			blame(h, "no answer within %d s: %.200s", ANSWER_MS / 1000, request);
			break;
		}
		if (!both[0].revents)
			break;
		n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n <= 0)
			break;
		buf_add(&text, chunk, (size_t)n);
		*ret_whole = text.data[text.size - 1] == '\n';
	}
	buf_add_str(&text, "");
	return buf_take(&text);
}

bool hive_serves(struct hive *h)
{
	bool whole;

	free(ask(h, "{'cmd':'hello'}", NULL, &whole));
	return whole;
}

static bool is_busy(struct hive *h)
{
	static const char *const busy[] = {"\"state\":\"approved\"", "\"state\":\"building\"",
					   "\"state\":\"deploying\""};
	bool whole;
	_cleanup_free_ char *answer =
		ask(h, "{'cmd':'pending','status':['approved','building','deploying']}", NULL,
		    &whole);

	for (size_t i = 0; i < ARRAY_SIZE(busy); i++)
		if (strstr(answer, busy[i]))
			return true;
	return false;
}

/* What the oracle says of the record: NULL when it is not whole, and why in why. */
static char *consult(struct hive *h, bool quick, struct buf *why)
{
	_cleanup_free_ char *script =
		str_format("exec %s --tell %s .", h->oracle, quick ? "--quick" : "");
	struct buf out = {};

	if (run_script(h->dir, script, &out) != 0) {
		buf_add(why, out.data, out.size);
		buf_release(&out);
		return NULL;
	}
	buf_add_str(&out, "");
	return buf_take(&out);
}

char *come_to_rest(struct hive *h, const char *when, bool quick)
{
	int64_t end = clock_boot_ms() + REST_MS, pause_ms = 10;

	for (;;) {
		_cleanup_buf_ struct buf why = {};
		bool late = clock_boot_ms() >= end;
		char *told = !late && is_busy(h) ? NULL : consult(h, quick, &why);

		if (told || h->problem[0])
			return told;
		if (late) {
			blame(h, "%s: it does not come to rest: %.3000s", when, buf_str(&why));
			return NULL;
		}
		usleep((useconds_t)pause_ms * 1000);
		pause_ms += pause_ms / 2;
	}
}
