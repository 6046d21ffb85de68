/* What agent.json asks for, against what the agent has. */
#include "git/risk_manifest.h"

#include "base/cleanup.h"
#include "git/commit.h"
#include "model/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/*
 * The limits a commit asks for; unset where it has no agent.json. *ret_why says what is wrong
 * with one that cannot be used (its limits are then unset), "" otherwise.
 */
static int asked(struct repo *repo, const char *commit, struct limits *ret,
		 struct error *ret_why, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	struct manifest manifest;
	struct error why = {};
	int r = commit_read_file(repo, commit, MANIFEST_PATH, MANIFEST_MAX_BYTES, &text, &why);

	*ret = LIMITS_UNSET;
	*ret_why = (struct error){};
	if (r == -ENOENT)
		return 0;
	if (r == -EINVAL || r == -E2BIG) {
		*ret_why = why;
		(void)error_prefix(ret_why, MANIFEST_PATH);
		return 0;
	}
	if (r < 0)
		return error_set(err, r, "%s", error_text(&why));
	if (manifest_parse(buf_str(&text), text.size, &manifest, ret_why) < 0)
		return 0;
	*ret_why = (struct error){};
	*ret = manifest.limits;
	manifest_release(&manifest);
	return 0;
}

/* What one limit will be where the request for it changed; unchanged requests change nothing.
 */
static int64_t after(int64_t now, int64_t old, int64_t new, int64_t unlimited_default)
{
	if (old == new)
		return now;
	return new == LIMIT_UNSET ? unlimited_default : new;
}

static void flag_number(struct flags *flags, const char *key, int64_t now, int64_t next,
			const char *unit)
{
	char place[120];

	if (next <= now)
		return;
	snprintf(place, sizeof(place), MANIFEST_PATH ": %s from %" PRId64 "%s to %" PRId64 "%s",
		 key, now, unit, next, unit);
	flags_add(flags, FLAG_LIMITS_UP, place);
}

static void flag_memory(struct flags *flags, int64_t now, int64_t next)
{
	char place[120], from[24], to[24];

	if (next <= now)
		return;
	snprintf(place, sizeof(place), MANIFEST_PATH ": memory_max from %s to %s",
		 limit_format_memory(from, now), limit_format_memory(to, next));
	flags_add(flags, FLAG_LIMITS_UP, place);
}

int risk_manifest(struct repo *repo, const char *base, const char *commit,
		  const struct limits *current, struct flags *flags, struct error *err)
{
	const struct limits unset = LIMITS_UNSET;
	struct limits now = limits_effective(current ? current : &unset, &unset);
	struct limits old = LIMITS_UNSET, new;
	struct error why;
	int r = base ? asked(repo, base, &old, &why, err) : 0;

	if (r == 0)
		r = asked(repo, commit, &new, &why, err);
	if (r < 0)
		return r;
	if (why.err) {
		flags_add(flags, FLAG_MANIFEST_INVALID, error_text(&why));
		return 0;
	}
	flag_memory(flags, now.memory_max_bytes,
		    after(now.memory_max_bytes, old.memory_max_bytes, new.memory_max_bytes,
			  LIMIT_MEMORY_DEFAULT));
	flag_number(flags, "cpu_quota", now.cpu_quota_percent,
		    after(now.cpu_quota_percent, old.cpu_quota_percent, new.cpu_quota_percent,
			  LIMIT_CPU_DEFAULT),
		    "%");
	flag_number(flags, "tasks_max", now.tasks_max,
		    after(now.tasks_max, old.tasks_max, new.tasks_max, LIMIT_TASKS_DEFAULT),
		    "");
	return 0;
}
