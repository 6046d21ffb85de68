/* top: what agents use, as a table that is drawn again and again. */

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "skep/handlers.h"
#include "skep/rows.h"
#include "skep/scope.h"
#include "skep/screen.h"
#include "skep/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_S 2
#define INTERVAL_MAX_S 3600
#define SECOND_LOOK_MS 1100 /* rates need two samples, and a fresh one serves twice */

struct order {
	char key;
	const char *name;
	int (*compare)(const void *a, const void *b);
};

static double number(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

static const json_t *row_of(const void *p)
{
	return *(const json_t *const *)p;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(field_str(row_of(a), "name"), field_str(row_of(b), "name"));
}

/* The greatest first; names keep the order of equals steady. */
static int by(const void *a, const void *b, const char *key)
{
	double x = number(row_of(a), key), y = number(row_of(b), key);

	return x > y ? -1 : x < y ? 1 : by_name(a, b);
}

static int by_cpu(const void *a, const void *b)
{
	return by(a, b, "cpu_percent");
}

static int by_memory(const void *a, const void *b)
{
	return by(a, b, "memory_bytes");
}

static int by_tasks(const void *a, const void *b)
{
	return by(a, b, "tasks");
}

static int by_io(const void *a, const void *b)
{
	double x = number(row_of(a), "io_read_per_s") + number(row_of(a), "io_write_per_s");
	double y = number(row_of(b), "io_read_per_s") + number(row_of(b), "io_write_per_s");

	return x > y ? -1 : x < y ? 1 : by_name(a, b);
}

static const struct order orders[] = {
	{'c', "cpu", by_cpu},     {'m', "memory", by_memory}, {'i', "io", by_io},
	{'t', "tasks", by_tasks}, {'n', "name", by_name},
};

static int find_order(const char *name, const struct order **ret, struct error *err)
{
	*ret = &orders[0];
	for (size_t i = 0; name && i < ARRAY_SIZE(orders); i++)
		if (strcmp(orders[i].name, name) == 0) {
			*ret = &orders[i];
			return 0;
		}
	return name ? error_set(err, EINVAL, "--sort takes cpu, memory, io, tasks or name") : 0;
}

/* "512", "1.5K", "20M", "3.2G" */
static void size_cell(struct table *table, const json_t *row, const char *key)
{
	static const char units[] = " KMGTP";
	double value = number(row, key);
	int unit = 0;

	if (!json_object_get(row, key)) {
		table_cell(table, STYLE_DIM, "%s", "");
		return;
	}
	for (; value >= 1000 && units[unit + 1]; unit++)
		value /= 1024;
	if (unit == 0)
		table_cell(table, STYLE_PLAIN, "%.0f", value);
	else
		table_cell(table, STYLE_PLAIN, value < 10 ? "%.1f%c" : "%.0f%c", value,
			   units[unit]);
}

static void number_cell(struct table *table, const json_t *row, const char *key, int digits,
			double warn_at)
{
	double value = number(row, key);

	if (!json_object_get(row, key))
		table_cell(table, STYLE_DIM, "%s", "");
	else
		table_cell(table, value >= warn_at ? STYLE_WARN : STYLE_PLAIN, "%.*f", digits,
			   value);
}

static void print_rows(struct out *out, const json_t *const *rows, size_t count, bool plain)
{
	static const struct table_column columns[] = {
		{.title = "AGENT", .shrink_to = 8},
		{.title = "CPU%", .right = true},
		{.title = "QUOTA", .right = true, .drop = 3},
		{.title = "MEMORY", .right = true},
		{.title = "MAX", .right = true, .drop = 2},
		{.title = "TASKS", .right = true},
		{.title = "READ/S", .right = true, .drop = 1},
		{.title = "WRITE/S", .right = true, .drop = 1},
		{.title = "WAIT-CPU", .right = true, .drop = 4},
		{.title = "WAIT-MEM", .right = true, .drop = 4},
		{.title = "WAIT-IO", .right = true, .drop = 4},
	};
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < count; i++) {
		const json_t *pressure = json_object_get(rows[i], "pressure");

		table_cell(table, STYLE_BOLD, "%s", field_str(rows[i], "name"));
		number_cell(table, rows[i], "cpu_percent", 1, 1e9);
		number_cell(table, rows[i], "cpu_quota_percent", 0, 1e9);
		size_cell(table, rows[i], "memory_bytes");
		size_cell(table, rows[i], "memory_max_bytes");
		number_cell(table, rows[i], "tasks", 0, 1e9);
		size_cell(table, rows[i], "io_read_per_s");
		size_cell(table, rows[i], "io_write_per_s");
		number_cell(table, pressure, "cpu", 1, 10);
		number_cell(table, pressure, "memory", 1, 10);
		number_cell(table, pressure, "io", 1, 10);
	}
	table_print(table, out, plain, "");
}

static void print_summary(struct out *out, const json_t *list, const struct order *order)
{
	double cpu = 0, memory = 0;
	json_t *row;
	size_t i;

	json_array_foreach (list, i, row) {
		cpu += number(row, "cpu_percent");
		memory += number(row, "memory_bytes");
	}
	out_add(out, STYLE_PLAIN, "%zu running, CPU %.1f%%, memory %.0f MiB; by ",
		json_array_size(list), cpu, memory / (1 << 20));
	out_add(out, STYLE_BOLD, "%s", order->name);
	out_line(out, STYLE_DIM, "  c cpu, m memory, i io, t tasks, n name, q quit");
}

struct top {
	struct cli *cli;
	const struct order *order;
	json_t *request;
	bool live;
};

static void print_frame(struct top *top, const json_t *answer)
{
	json_t *list = json_object_get(answer, "usage");
	size_t count = json_array_size(list), room = count;
	_cleanup_free_ const json_t **rows = mem_new(count + 1, sizeof(*rows));
	struct out *out = &top->cli->out;

	if (cli_print_json(top->cli, answer, "usage"))
		return;
	for (size_t i = 0; i < count; i++)
		rows[i] = json_array_get(list, i);
	qsort(rows, count, sizeof(*rows), top->order->compare);
	if (top->live) {
		print_summary(out, list, top->order);
		/* the two lines above them, and none below */
		room = out->rows > 3 ? out->rows - 3 : 1;
	}
	if (count > 0)
		print_rows(out, rows, count < room ? count : room, top->cli->plain);
	else
		cli_say(top->cli, "no agent runs");
}

static int ask(struct top *top, json_t **ret, struct error *err)
{
	return cli_call(top->cli, json_incref(top->request), ret, err);
}

/* Whether every row has what takes two samples. */
static bool has_rates(const json_t *answer)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(answer, "usage"), i, row)
		if (json_object_get(row, "cpu_usec") && !json_object_get(row, "cpu_percent"))
			return false;
	return true;
}

static int top_once(struct top *top, struct error *err)
{
	json_auto_t *answer = NULL;
	int r = ask(top, &answer, err);

	if (r == 0 && !has_rates(answer)) {
		json_decref(answer);
		answer = NULL;
		screen_pause(SECOND_LOOK_MS);
		r = ask(top, &answer, err);
	}
	if (r == 0)
		print_frame(top, answer);
	return r;
}

static void take_key(struct top *top, int key)
{
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		if (orders[i].key == key)
			top->order = &orders[i];
}

static int top_live(struct top *top, int64_t interval_ms, struct error *err)
{
	_cleanup_screen_ struct screen screen = SCREEN_NONE;
	json_auto_t *answer = NULL;
	int64_t due = 0;
	int r = screen_open(&screen, &top->cli->out, err);

	while (r == 0) {
		int64_t now = clock_boot_ms();
		int key;

		if (now >= due) {
			json_decref(answer);
			answer = NULL;
			r = ask(top, &answer, err);
			if (r < 0)
				break;
			/* the second frame comes soon, with the rates */
			due = now + (has_rates(answer) ? interval_ms : SECOND_LOOK_MS);
		}
		screen_begin(&screen);
		print_frame(top, answer);
		screen_end(&screen);
		key = screen_key(&screen, due - clock_boot_ms());
		if (key == 'q' || key == SCREEN_QUIT)
			break;
		take_key(top, key);
	}
	return r;
}

/* Again and again into a pipe or a file. */
static int top_repeat(struct top *top, int64_t interval_ms, struct error *err)
{
	int r;

	while ((r = top_once(top, err)) == 0) {
		(void)out_flush(&top->cli->out);
		screen_pause(interval_ms);
	}
	return r;
}

int cmd_top(struct cli *cli, struct error *err)
{
	const char *interval = args_get(&cli->args, "interval");
	struct top top = {.cli = cli};
	json_auto_t *request = cli_request("usage");
	int64_t seconds = INTERVAL_S;
	int r = find_order(args_get(&cli->args, "sort"), &top.order, err);

	if (r == 0 && interval)
		r = args_parse_number(interval, "seconds", 1, &seconds, err);
	if (r == 0 && seconds > INTERVAL_MAX_S)
		r = error_set(err, EINVAL, "--interval takes 1 to %d seconds", INTERVAL_MAX_S);
	if (r == 0)
		r = scope_filter(&cli->args, request, err);
	if (r < 0)
		return r;
	top.request = request;
	top.live = cli->out.tty && !cli->json && !cli->plain && !cli->no_input;
	if (top.live)
		return top_live(&top, seconds * 1000, err);
	return interval ? top_repeat(&top, seconds * 1000, err) : top_once(&top, err);
}
