/* Numbers in the shape that monitoring systems take (Prometheus' text format, as objects). */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Adds a family to the list; borrowed. type is "counter", "gauge" or "histogram". */
json_t *metric_family(json_t *list, const char *name, const char *type, const char *help);

/* Adds a value with labels: name, text, name, text, …, NULL. */
void metric_sample(json_t *family, double value, ...) __attribute__((sentinel));

/*
 * Adds a histogram's samples. Each of the n counts is of what took at most its bound, those of
 * the bounds before included. label NULL: none.
 */
void metric_histogram(json_t *family, const char *label, const char *text, const double *bounds,
		      const int64_t *counts, size_t n, double sum, int64_t count);

/* The families every program has (process_*), of this process. */
void metric_process(json_t *list);
