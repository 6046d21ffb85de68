#include "control/metrics_text.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

json_t *metric_family(json_t *list, const char *name, const char *type, const char *help)
{
	json_t *family = json_pack("{s:s,s:s,s:s,s:[]}", "name", name, "help", help, "type",
				   type, "samples");

	json_array_append_new(list, family);
	return family;
}

static json_t *add(json_t *family, json_t *labels, double value)
{
	json_t *sample = json_object();

	json_object_set_new(sample, "labels", labels);
	json_object_set_new(sample, "value",
			    value == (double)(int64_t)value ? json_integer((int64_t)value)
							    : json_real(value));
	json_array_append_new(json_object_get(family, "samples"), sample);
	return sample;
}

void metric_sample(json_t *family, double value, ...)
{
	json_t *labels = json_object();
	const char *name;
	va_list args;

	va_start(args, value);
	while ((name = va_arg(args, const char *)))
		json_object_set_new(labels, name, json_string(va_arg(args, const char *)));
	va_end(args);
	(void)add(family, labels, value);
}

static json_t *labels_of(const char *label, const char *text)
{
	json_t *labels = json_object();

	if (label)
		json_object_set_new(labels, label, json_string(text));
	return labels;
}

static void add_part(json_t *family, json_t *labels, const char *suffix, double value)
{
	json_object_set_new(add(family, labels, value), "suffix", json_string(suffix));
}

void metric_histogram(json_t *family, const char *label, const char *text, const double *bounds,
		      const int64_t *counts, size_t n, double sum, int64_t count)
{
	for (size_t i = 0; i <= n; i++) {
		json_t *labels = labels_of(label, text);
		char le[32] = "+Inf";

		if (i < n)
			snprintf(le, sizeof(le), "%g", bounds[i]);
		json_object_set_new(labels, "le", json_string(le));
		add_part(family, labels, "_bucket", (double)(i < n ? counts[i] : count));
	}
	add_part(family, labels_of(label, text), "_sum", sum);
	add_part(family, labels_of(label, text), "_count", (double)count);
}

static void add_one(json_t *list, const char *name, const char *type, const char *help,
		    double value)
{
	metric_sample(metric_family(list, name, type, help), value, NULL);
}

static int count_fds(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	return n - 3; /* ".", ".." and the directory itself */
}

/* proc(5): the second field may hold anything, so what counts begins behind its bracket. */
void metric_process(json_t *list)
{
	_cleanup_buf_ struct buf text = {};
	uint64_t user = 0, system = 0, start = 0, size = 0, pages = 0;
	double ticks = (double)sysconf(_SC_CLK_TCK);
	struct rlimit files;
	const char *at;

	if (file_read(AT_FDCWD, "/proc/self/stat", 4096, &text, NULL) < 0 ||
	    !(at = strrchr(buf_str(&text), ')')) ||
	    sscanf(at + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
		   " %*d %*d %*d %*d %*d %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &user, &system, &start, &size, &pages) != 5)
		return;
	add_one(list, "process_cpu_seconds_total", "counter",
		"Processor time of the controller.", (double)(user + system) / ticks);
	add_one(list, "process_virtual_memory_bytes", "gauge",
		"Address space of the controller.", (double)size);
	add_one(list, "process_resident_memory_bytes", "gauge", "Memory of the controller.",
		(double)pages * (double)sysconf(_SC_PAGESIZE));
	add_one(list, "process_open_fds", "gauge", "Descriptors of the controller.",
		count_fds());
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		add_one(list, "process_max_fds", "gauge", "Most descriptors it may have.",
			(double)files.rlim_cur);
}
