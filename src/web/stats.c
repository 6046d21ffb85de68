#include "web/stats.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROUTES_MAX 64
#define CODES_MAX 24
#define REASONS_MAX 16

/* Seconds of the histogram's buckets, and the same in microseconds. */
static const double bucket_s[] = {0.001, 0.005, 0.02, 0.1, 0.5, 2, 10};
#define BUCKETS ARRAY_SIZE(bucket_s)

struct counted_code {
	int status;
	uint64_t n;
};

struct counted_route {
	struct counted_code codes[CODES_MAX];
	uint64_t buckets[BUCKETS], n, took_us;
};

struct stats {
	struct counted_route routes[ROUTES_MAX + 1]; /* the last is for what went nowhere */
	size_t n_routes;
	struct {
		const char *reason;
		uint64_t n;
	} reasons[REASONS_MAX];
	double started_s;
};

struct stats *stats_new(void)
{
	struct stats *stats = mem_new(1, sizeof(*stats));

	while (route_table()[stats->n_routes].method && stats->n_routes < ROUTES_MAX)
		stats->n_routes++;
	stats->started_s = (double)clock_wall_s();
	return stats;
}

void stats_free(struct stats *stats)
{
	free(stats);
}

static size_t index_of(const struct stats *stats, const struct route *route)
{
	return route ? (size_t)(route - route_table()) : stats->n_routes;
}

int64_t stats_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void stats_answered(struct stats *stats, const struct route *route, int status,
		    int64_t begun_us)
{
	struct counted_route *r = &stats->routes[index_of(stats, route)];
	int64_t took_us = stats_now_us() - begun_us;

	for (size_t i = 0; i < CODES_MAX; i++) {
		if (r->codes[i].n > 0 && r->codes[i].status != status)
			continue;
		r->codes[i].status = status;
		r->codes[i].n++;
		break;
	}
	for (size_t i = 0; i < BUCKETS; i++)
		r->buckets[i] += (double)took_us <= bucket_s[i] * 1e6;
	r->n++;
	r->took_us += (uint64_t)took_us;
}

void stats_refused(struct stats *stats, const char *reason)
{
	for (size_t i = 0; i < REASONS_MAX; i++) {
		if (stats->reasons[i].reason && strcmp(stats->reasons[i].reason, reason) != 0)
			continue;
		stats->reasons[i].reason = reason;
		stats->reasons[i].n++;
		return;
	}
}

/* ---- as a list ---- */

static json_t *add_metric(json_t *list, const char *name, const char *type, const char *help)
{
	json_t *samples = json_array();

	json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:o}", "name", name, "help", help,
					      "type", type, "samples", samples));
	return samples;
}

/* suffix: what a histogram's parts have after the metric's name; NULL: nothing */
static void add_sample(json_t *samples, json_t *labels, double value, const char *suffix)
{
	json_t *sample = json_pack("{s:o,s:f}", "labels", labels, "value", value);

	if (suffix)
		json_object_set_new(sample, "suffix", json_string(suffix));
	json_array_append_new(samples, sample);
}

static const char *route_name(const struct stats *stats, size_t i)
{
	return i < stats->n_routes ? route_table()[i].path : "none";
}

static const char *route_method(const struct stats *stats, size_t i)
{
	return i < stats->n_routes ? route_table()[i].method : "";
}

static json_t *route_labels(const struct stats *stats, size_t i)
{
	return json_pack("{s:s,s:s}", "method", route_method(stats, i), "route",
			 route_name(stats, i));
}

static void list_requests(const struct stats *stats, json_t *list)
{
	json_t *samples = add_metric(list, "skep_http_requests_total", "counter",
				     "Requests answered, by route and status.");

	for (size_t i = 0; i <= stats->n_routes; i++) {
		for (size_t c = 0; c < CODES_MAX && stats->routes[i].codes[c].n > 0; c++) {
			json_t *labels = route_labels(stats, i);
			char code[12];

			(void)snprintf(code, sizeof(code), "%d",
				       stats->routes[i].codes[c].status);
			json_object_set_new(labels, "code", json_string(code));
			add_sample(samples, labels, (double)stats->routes[i].codes[c].n, NULL);
		}
	}
}

static void list_durations(const struct stats *stats, json_t *list)
{
	json_t *samples = add_metric(list, "skep_http_request_duration_seconds", "histogram",
				     "From a request's head to its answer.");

	for (size_t i = 0; i <= stats->n_routes; i++) {
		const struct counted_route *r = &stats->routes[i];

		for (size_t b = 0; r->n > 0 && b <= BUCKETS; b++) {
			json_t *labels = route_labels(stats, i);
			char le[24] = "+Inf";

			if (b < BUCKETS)
				(void)snprintf(le, sizeof(le), "%g", bucket_s[b]);
			json_object_set_new(labels, "le", json_string(le));
			add_sample(samples, labels,
				   (double)(b < BUCKETS ? r->buckets[b] : r->n), "_bucket");
		}
		if (r->n > 0) {
			add_sample(samples, route_labels(stats, i), (double)r->took_us / 1e6,
				   "_sum");
			add_sample(samples, route_labels(stats, i), (double)r->n, "_count");
		}
	}
}

static double count_fds(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	double n = 0;

	while (dir && readdir(dir))
		n++;
	return n > 3 ? n - 3 : 0; /* ".", "..", and the one that reads */
}

static double resident_bytes(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/statm", "re");
	long total = 0, resident = 0;

	if (!file || fscanf(file, "%ld %ld", &total, &resident) != 2)
		return 0;
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void list_process(const struct stats *stats, json_t *list)
{
	struct rusage usage = {};
	double cpu;

	(void)getrusage(RUSAGE_SELF, &usage);
	cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	const struct {
		const char *name, *type, *help;
		double value;
	} rows[] = {
		{"process_cpu_seconds_total", "counter", "CPU time used.", cpu},
		{"process_resident_memory_bytes", "gauge", "Memory in use.", resident_bytes()},
		{"process_open_fds", "gauge", "Open descriptors.", count_fds()},
		{"process_start_time_seconds", "gauge", "When it started, since 1970.",
		 stats->started_s},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		add_sample(add_metric(list, rows[i].name, rows[i].type, rows[i].help),
			   json_pack("{s:s}", "program", "skep-web"), rows[i].value, NULL);
}

json_t *stats_list(const struct stats *stats, size_t streams, size_t clients)
{
	json_t *list = json_array(), *samples;

	list_requests(stats, list);
	list_durations(stats, list);
	samples = add_metric(list, "skep_http_refused_total", "counter",
			     "Requests refused before anything was done for them, by reason.");
	for (size_t i = 0; i < REASONS_MAX && stats->reasons[i].reason; i++)
		add_sample(samples, json_pack("{s:s}", "reason", stats->reasons[i].reason),
			   (double)stats->reasons[i].n, NULL);
	add_sample(add_metric(list, "skep_sse_clients", "gauge", "Open event and log streams."),
		   json_object(), (double)streams, NULL);
	add_sample(add_metric(list, "skep_http_connections", "gauge", "Open connections."),
		   json_object(), (double)clients, NULL);
	list_process(stats, list);
	return list;
}

/* ---- as text ---- */

static bool is_name(const char *name)
{
	if (!name || !(isalpha((unsigned char)*name) || *name == '_'))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && *name != ':')
			return false;
	return true;
}

static void add_escaped(struct buf *out, const char *text, bool quotes)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_add_str(out, "\\n");
		else if (*text == '\\' || (quotes && *text == '"'))
			buf_addf(out, "\\%c", *text);
		else
			buf_add_char(out, *text);
	}
}

static void render_labels(struct buf *out, const json_t *labels)
{
	const char *key;
	json_t *value;
	bool any = false;

	json_object_foreach ((json_t *)labels, key, value) {
		if (!is_name(key) || !json_is_string(value))
			continue;
		buf_addf(out, "%s%s=\"", any ? "," : "{", key);
		add_escaped(out, json_string_value(value), true);
		buf_add_char(out, '"');
		any = true;
	}
	if (any)
		buf_add_char(out, '}');
}

static void render_samples(struct buf *out, const char *name, const json_t *metric)
{
	json_t *sample;
	size_t i;

	json_array_foreach (json_object_get(metric, "samples"), i, sample) {
		json_t *value = json_object_get(sample, "value");
		const char *suffix = json_string_value(json_object_get(sample, "suffix"));

		if (!json_is_number(value) || (suffix && !is_name(suffix)))
			continue;
		buf_addf(out, "%s%s", name, suffix ? suffix : "");
		render_labels(out, json_object_get(sample, "labels"));
		if (json_is_integer(value))
			buf_addf(out, " %lld\n", (long long)json_integer_value(value));
		else
			buf_addf(out, " %.17g\n", json_real_value(value));
	}
}

static const json_t *find(const json_t *list, const char *name)
{
	json_t *metric;
	size_t i;

	json_array_foreach (list, i, metric) {
		const char *other = json_string_value(json_object_get(metric, "name"));

		if (other && strcmp(other, name) == 0)
			return metric;
	}
	return NULL;
}

static void render_metric(struct buf *out, const json_t *metric, const json_t *twin)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "summary"};
	const char *name = json_string_value(json_object_get(metric, "name"));
	const char *help = json_string_value(json_object_get(metric, "help"));
	const char *type = json_string_value(json_object_get(metric, "type"));

	buf_addf(out, "# HELP %s ", name);
	add_escaped(out, help ? help : "", false);
	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			buf_addf(out, "\n# TYPE %s %s", name, type);
	buf_add_char(out, '\n');
	render_samples(out, name, metric);
	if (twin)
		render_samples(out, name, twin);
}

void stats_render(struct buf *out, const json_t *ours, const json_t *theirs)
{
	json_t *metric;
	size_t i;

	json_array_foreach (ours, i, metric) {
		const char *name = json_string_value(json_object_get(metric, "name"));

		if (is_name(name))
			render_metric(out, metric, find(theirs, name));
	}
	json_array_foreach (theirs, i, metric) {
		const char *name = json_string_value(json_object_get(metric, "name"));

		if (is_name(name) && !find(ours, name))
			render_metric(out, metric, NULL);
	}
}
