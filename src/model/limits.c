#include "model/limits.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_MIN (16LL << 20)
#define MEMORY_MAX (1LL << 40)
#define CPU_MIN 1
#define CPU_MAX 100000
#define TASKS_MIN 16
#define TASKS_MAX 1000000

#define SHOWN_MAX 60

/* One limit: what it may be, how it is written, and what to say when it is neither. */
struct kind {
	int64_t min, max;
	const char *units; /* suffixes, each 1024 times the one before; "" when it takes none */
	const char *suffix; /* one that changes nothing */
	const char *wanted;
};

static const struct kind memory_kind = {
	.min = MEMORY_MIN,
	.max = MEMORY_MAX,
	.units = "KMGT",
	.suffix = "",
	.wanted = "bytes, or a number with K, M, G or T, from 16M to 1T",
};

static const struct kind cpu_kind = {
	.min = CPU_MIN,
	.max = CPU_MAX,
	.units = "",
	.suffix = "%",
	.wanted = "a percentage of one CPU from 1% to 100000%",
};

static const struct kind tasks_kind = {
	.min = TASKS_MIN,
	.max = TASKS_MAX,
	.units = "",
	.suffix = "",
	.wanted = "a whole number from 16 to 1000000",
};

static int refuse(const struct kind *kind, const char *key, const char *value,
		  struct error *err)
{
	_cleanup_free_ char *shown = text_clean_dup(value, SHOWN_MAX, false);

	return error_set(err, EINVAL, "'%s' must be %s, not '%s'", key, kind->wanted, shown);
}

/* Decimal digits only; stops short of overflow because nothing above max is of use. */
static bool parse_number(const char *text, size_t size, int64_t max, int64_t *ret)
{
	int64_t n = 0;

	if (size == 0)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (text[i] - '0');
		if (n > max)
			return false;
	}
	*ret = n;
	return true;
}

static int parse(const struct kind *kind, const char *key, const char *text, int64_t *ret,
		 struct error *err)
{
	size_t digits = strspn(text, "0123456789");
	const char *rest = text + digits;
	const char *unit = *rest && !rest[1] ? strchr(kind->units, *rest) : NULL;
	int64_t n = 0;
	int shift = unit ? 10 * (int)(unit - kind->units + 1) : 0;

	if (!unit && *rest && strcmp(rest, kind->suffix) != 0)
		return refuse(kind, key, text, err);
	if (!parse_number(text, digits, kind->max >> shift, &n) || (n << shift) < kind->min)
		return refuse(kind, key, text, err);
	*ret = n << shift;
	return 0;
}

int limit_parse_memory(const char *key, const char *text, int64_t *ret, struct error *err)
{
	return parse(&memory_kind, key, text, ret, err);
}

int limit_parse_cpu(const char *key, const char *text, int64_t *ret, struct error *err)
{
	return parse(&cpu_kind, key, text, ret, err);
}

int limit_parse_tasks(const char *key, const char *text, int64_t *ret, struct error *err)
{
	return parse(&tasks_kind, key, text, ret, err);
}

static int from_json(const struct kind *kind, const json_t *object, const char *key,
		     int64_t *ret, struct error *err)
{
	const json_t *value = json_object_get(object, key);
	_cleanup_free_ char *shown = NULL;

	if (!value || json_is_null(value))
		return 0;
	if (json_is_string(value))
		return parse(kind, key, json_string_value(value), ret, err);
	if (json_is_integer(value) && json_integer_value(value) >= kind->min &&
	    json_integer_value(value) <= kind->max) {
		*ret = json_integer_value(value);
		return 0;
	}
	shown = json_line(value);
	return refuse(kind, key, shown ? shown : "?", err);
}

int limits_from_json(const json_t *object, struct limits *ret, struct error *err)
{
	struct limits limits = *ret;
	int r = from_json(&memory_kind, object, "memory_max", &limits.memory_max_bytes, err);

	if (r == 0)
		r = from_json(&cpu_kind, object, "cpu_quota", &limits.cpu_quota_percent, err);
	if (r == 0)
		r = from_json(&tasks_kind, object, "tasks_max", &limits.tasks_max, err);
	if (r == 0)
		*ret = limits;
	return r;
}

json_t *limits_to_json(const struct limits *limits)
{
	json_t *object = json_object();
	char text[24];

	if (limits->memory_max_bytes != LIMIT_UNSET)
		json_put_str(object, "memory_max",
			     limit_format_memory(text, limits->memory_max_bytes));
	if (limits->cpu_quota_percent != LIMIT_UNSET) {
		snprintf(text, sizeof(text), "%" PRId64 "%%", limits->cpu_quota_percent);
		json_put_str(object, "cpu_quota", text);
	}
	if (limits->tasks_max != LIMIT_UNSET)
		json_object_set_new(object, "tasks_max", json_integer(limits->tasks_max));
	return object;
}

static int64_t first_set(int64_t a, int64_t b, int64_t otherwise)
{
	if (a != LIMIT_UNSET)
		return a;
	return b != LIMIT_UNSET ? b : otherwise;
}

struct limits limits_effective(const struct limits *set, const struct limits *asked)
{
	return (struct limits){
		.memory_max_bytes = first_set(set->memory_max_bytes, asked->memory_max_bytes,
					      LIMIT_MEMORY_DEFAULT),
		.cpu_quota_percent = first_set(set->cpu_quota_percent, asked->cpu_quota_percent,
					       LIMIT_CPU_DEFAULT),
		.tasks_max = first_set(set->tasks_max, asked->tasks_max, LIMIT_TASKS_DEFAULT),
	};
}

bool limits_go_up(const struct limits *a, const struct limits *b)
{
	return b->memory_max_bytes > a->memory_max_bytes ||
	       b->cpu_quota_percent > a->cpu_quota_percent || b->tasks_max > a->tasks_max;
}

char *limit_format_memory(char out[24], int64_t bytes)
{
	static const char units[] = "KMGT";
	int unit = -1;

	while (bytes > 0 && bytes % 1024 == 0 && unit < 3) {
		bytes /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(out, 24, "%" PRId64, bytes);
	else
		snprintf(out, 24, "%" PRId64 "%c", bytes, units[unit]);
	return out;
}
