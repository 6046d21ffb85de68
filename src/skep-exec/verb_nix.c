/* build by Nix, lock, gcroots: systems in the Nix store. Nix itself is run by skep-build, under
 * its uid. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "host/checks_nix.h"
#include "host/gcroot.h"
#include "skep-exec/agent.h"
#include "skep-exec/nix.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REF_PREFIX "refs/skep/"
#define LOCK_MAX 131072 /* the base alone; it has to fit in a message */
#define EFFECT_MAX 131072
#define FNV_OFFSET 14695981039346656037ull
#define FNV_PRIME 1099511628211ull

static uint64_t fnv(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * FNV_PRIME;
	return hash;
}

/* What the agent is called in the flake; another one while it is being renamed. */
static const char *flake_name(const struct verb_request *request)
{
	const char *name = json_string_value(json_object_get(request->arguments, "name"));

	return name ? name : agent_of(request);
}

/* What a system was made of, as skepd says, and by which Nix. */
static int make_key(const char *memo, char **ret, struct error *err)
{
	_cleanup_free_ char *program = NULL, *file = NULL;
	uint64_t hash = FNV_OFFSET;
	struct stat st;
	int r = nix_program(&program, err);

	if (r < 0)
		return r;
	file = realpath(program, NULL);
	if (!file || stat(file, &st) < 0)
		return error_set_errno(err, errno, "cannot look at '%s'", program);
	hash = fnv(hash, file, strlen(file));
	hash = fnv(hash, &st.st_size, sizeof(st.st_size));
	hash = fnv(hash, &st.st_mtim.tv_sec, sizeof(st.st_mtim.tv_sec));
	*ret = str_format("%s-%016" PRIx64, memo, hash);
	return 0;
}

/* The link that Nix made: it may lead to nothing but a system in the store. */
static int read_result(const struct nix_run *run, char ret[SYSTEM_SIZE], struct error *err)
{
	ssize_t n = readlinkat(run->work_fd, "result", ret, SYSTEM_SIZE - 1);
	struct stat st;

	if (n <= 0)
		return error_set(err, EIO, "Nix has built nothing");
	ret[n] = '\0';
	if (!system_is_store(ret) || lstat(ret, &st) < 0 || !S_ISDIR(st.st_mode))
		return error_set(err, EIO, "what Nix has built is no system");
	return 0;
}

static int build(struct verb_request *request, const char *key, char ret[SYSTEM_SIZE],
		 struct error *err)
{
	const char *ref = json_string_value(json_object_get(request->arguments, "ref"));
	_cleanup_free_ char *meta = str_format("%s/meta", request->place->state);
	const char *const more[] = {
		"--meta",   meta,
		"--ref",    ref,
		"--commit", json_string_value(json_object_get(request->arguments, "commit")),
		"--agent",  flake_name(request),
		NULL,
	};
	struct nix_run run;
	int r = nix_run_begin(request, &run, err);

	if (r == 0)
		r = nix_run_do(&run, "nix", more, err);
	if (r == 0)
		r = read_result(&run, ret, err);
	/* while the link of the run keeps it, our own is made */
	if (r == 0)
		r = gcroot_add(request->place, agent_of(request), key, ret, err);
	nix_run_end(&run);
	return r;
}

static bool is_ref(const char *ref)
{
	return ref && strncmp(ref, REF_PREFIX, strlen(REF_PREFIX)) == 0 &&
	       strspn(ref, "abcdefghijklmnopqrstuvwxyz0123456789/-") == strlen(ref);
}

int verb_build_nix(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *memo = json_string_value(json_object_get(request->arguments, "memo"));
	_cleanup_free_ char *key = NULL;
	char system[SYSTEM_SIZE] = "";
	int r;

	if (!memo || !text_is_hex(memo, 64) ||
	    !is_ref(json_string_value(json_object_get(request->arguments, "ref"))))
		return error_set(err, EINVAL, "a build by Nix needs 'memo' and 'ref'");
	r = make_key(memo, &key, err);
	if (r == 0)
		r = gcroot_find(request->place, agent_of(request), key, system, err);
	/* a rename that was cut short has moved its roots already */
	if (r == 0)
		r = gcroot_find(request->place, flake_name(request), key, system, err);
	if (r < 0)
		return r;
	if (r == 1)
		json_object_set_new(answer, "reused", json_true());
	else
		r = build(request, key, system, err);
	json_put_str(answer, "system", system);
	return r < 0 ? r : 0;
}

/* ---- lock ---- */

static int write_input(const struct nix_run *run, const json_t *arguments, struct error *err)
{
	json_t *input =
		json_pack("{s:O?, s:O?}", "inputs", json_object_get(arguments, "inputs"),
			  "lock", json_object_get(arguments, "lock"));
	_cleanup_free_ char *text = json_line(input);

	json_decref(input);
	return file_write_atomic(run->dir_fd, "input.json", text, strlen(text), 0644, err);
}

int verb_lock(struct verb_request *request, json_t *answer, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	struct nix_run run;
	int r = nix_run_begin(request, &run, err);

	if (r == 0)
		r = write_input(&run, request->arguments, err);
	if (r == 0)
		r = nix_run_do(&run, "lock", NULL, err);
	if (r == 0)
		r = file_read(run.work_fd, "flake.lock", LOCK_MAX, &text, err);
	if (r == 0 && !text_is_utf8(buf_str(&text), text.size))
		r = error_set(err, EIO, "what Nix has locked is no text");
	if (r == 0)
		json_put_str(answer, "lock", buf_str(&text));
	nix_run_end(&run);
	return r;
}

/* ---- effect ---- */

int verb_effect(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *system = json_string_value(json_object_get(request->arguments, "system"));
	const char *against = json_string_value(json_object_get(request->arguments, "against"));
	const char *const more[] = {"--system", system, against ? "--against" : NULL, against,
				    NULL};
	_cleanup_buf_ struct buf text = {};
	struct nix_run run;
	int r;

	if (!system_is_store(system) || (against && !system_is_store(against)))
		return error_set(err, EINVAL, "there is nothing to compare");
	r = nix_run_begin(request, &run, err);
	if (r == 0)
		r = nix_run_do(&run, "effect", more, err);
	if (r == 0)
		r = file_read(run.work_fd, "effect.json", EFFECT_MAX, &text, err);
	if (r == 0 && !text_is_utf8(buf_str(&text), text.size))
		r = error_set(err, EIO, "what differs is no text");
	if (r == 0)
		json_put_str(answer, "effect", buf_str(&text));
	nix_run_end(&run);
	return r;
}

int verb_gcroots(struct verb_request *request, json_t *answer, struct error *err)
{
	(void)answer;
	return gcroot_keep(request->place, agent_of(request),
			   json_object_get(request->arguments, "keep"), err);
}
