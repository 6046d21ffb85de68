#include "host/transient.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/random.h>
#include <syslog.h>

#define DESCRIPTION_MAX 120
#define EXIT_OWN_FIRST 200 /* man systemd.exec, "Process exit codes" */
#define EXIT_OWN_LAST 243

char *transient_name(char out[64], const char *prefix)
{
	unsigned char bytes[8];
	char hex[2 * sizeof(bytes) + 1];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	text_hex(hex, bytes, sizeof(bytes));
	snprintf(out, 64, "%s-%s.service", prefix, hex);
	return out;
}

static int add_string(sd_bus_message *m, const char *property, const char *value)
{
	return sd_bus_message_append(m, "(sv)", property, "s", value);
}

static int add_bool(sd_bus_message *m, const char *property, int value)
{
	return sd_bus_message_append(m, "(sv)", property, "b", value);
}

static int add_strings(sd_bus_message *m, const char *property, const char *const *values)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", property);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_append_strv(m, (char **)values);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ExecStartEx is an array of (path, argv, flags); without the flag "$" in an argument would be
 * expanded. */
static int add_command(sd_bus_message *m, const char *path, const char *const *argv)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "ExecStartEx");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a(sasas)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sasas)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'r', "sasas");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", path ? path : argv[0]);
	if (r >= 0)
		r = sd_bus_message_append_strv(m, (char **)argv);
	if (r >= 0)
		r = sd_bus_message_append(m, "as", 1, "no-env-expand");
	for (int i = 0; i < 4 && r >= 0; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

/*
 * However a command ends, it is no failure of its unit, unless systemd could not run it: then
 * the status is one of EXIT_OWN_FIRST to EXIT_OWN_LAST, and the start job fails.
 */
static int add_success(sd_bus_message *m)
{
	int32_t statuses[256], signals[32];
	size_t n_statuses = 0, n_signals = 0;
	int r;

	for (int32_t i = 1; i < 256; i++)
		if (i < EXIT_OWN_FIRST || i > EXIT_OWN_LAST)
			statuses[n_statuses++] = i;
	for (int32_t i = 1; i < 32; i++)
		signals[n_signals++] = i;
	r = sd_bus_message_open_container(m, 'r', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", "SuccessExitStatus");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "(aiai)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'r', "aiai");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'i', statuses,
						n_statuses * sizeof(*statuses));
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'i', signals, n_signals * sizeof(*signals));
	for (int i = 0; i < 3 && r >= 0; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int add_stdio(sd_bus_message *m, const struct transient *t)
{
	static const char *const by_fd[] = {"StandardInputFileDescriptor",
					    "StandardOutputFileDescriptor",
					    "StandardErrorFileDescriptor"};
	static const char *const by_tty[] = {"StandardInput", "StandardOutput",
					     "StandardError"};
	int r = 0;

	for (int i = 0; i < 3 && r >= 0; i++)
		if (t->tty_path)
			r = add_string(m, by_tty[i], "tty");
		else if (t->stdio && t->stdio[i] >= 0)
			r = sd_bus_message_append(m, "(sv)", by_fd[i], "h", t->stdio[i]);
	if (t->tty_path && r >= 0)
		r = add_string(m, "TTYPath", t->tty_path);
	if (t->tty_path && r >= 0)
		r = add_bool(m, "SendSIGHUP", 1);
	return r;
}

static int add_number(sd_bus_message *m, const char *property, int64_t value)
{
	return sd_bus_message_append(m, "(sv)", property, "t", (uint64_t)value);
}

static int add_sandbox(sd_bus_message *m, const struct transient *t)
{
	int r = 0;

	if (t->memory_max_bytes > 0)
		r = add_number(m, "MemoryMax", t->memory_max_bytes);
	if (r >= 0 && t->tasks_max > 0)
		r = add_number(m, "TasksMax", t->tasks_max);
	if (r < 0 || !t->writable)
		return r;
	r = add_string(m, "ProtectSystem", "strict");
	if (r >= 0)
		r = add_string(m, "ProtectHome", "read-only");
	if (r >= 0)
		r = add_bool(m, "PrivateTmp", 1);
	if (r >= 0)
		r = add_bool(m, "PrivateDevices", 1);
	if (r >= 0)
		r = add_bool(m, "NoNewPrivileges", 1);
	return r < 0 ? r : add_strings(m, "ReadWritePaths", t->writable);
}

static int add_properties(sd_bus_message *m, const struct transient *t, bool keep)
{
	_cleanup_free_ char *description =
		text_clean_dup(t->description, DESCRIPTION_MAX, false);
	int r = add_string(m, "Description", description);

	if (r >= 0)
		r = add_string(m, "Type", "exec");
	if (r >= 0)
		r = add_string(m, "CollectMode", "inactive-or-failed");
	if (r >= 0)
		r = add_bool(m, "IgnoreSIGPIPE", 0);
	/* Every look and every probe is a unit: their coming and going (level info) is nobody's
	 * news. */
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "LogLevelMax", "i", (int32_t)LOG_NOTICE);
	if (r >= 0)
		r = add_success(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "TimeoutStopUSec", "t",
					  (uint64_t)TRANSIENT_STOP_MS * 1000);
	if (r >= 0 && keep)
		r = add_bool(m, "AddRef", 1);
	if (r >= 0 && t->runtime_max_ms > 0)
		r = sd_bus_message_append(m, "(sv)", "RuntimeMaxUSec", "t",
					  (uint64_t)t->runtime_max_ms * 1000);
	if (r >= 0 && t->user)
		r = add_string(m, "User", t->user);
	if (r >= 0 && t->group)
		r = add_string(m, "Group", t->group);
	if (r >= 0)
		r = add_sandbox(m, t);
	if (r >= 0 && t->cwd)
		r = add_string(m, "WorkingDirectory", t->cwd);
	if (r >= 0 && t->search)
		r = add_strings(m, "ExecSearchPath", t->search);
	if (r >= 0 && t->env)
		r = add_strings(m, "Environment", t->env);
	if (r >= 0)
		r = add_stdio(m, t);
	return r < 0 ? r : add_command(m, t->path, t->argv);
}

int transient_start(sd_bus *bus, const struct transient *t, bool keep, struct error *err)
{
	_cleanup_bus_message_ sd_bus_message *m = NULL;
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH,
					       SYSTEMD_MANAGER, "StartTransientUnit");

	if (r >= 0)
		r = sd_bus_message_append(m, "ss", t->unit, "fail");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = add_properties(m, t, keep);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	if (r < 0)
		return error_set_errno(err, r, "cannot describe the command '%s'", t->argv[0]);
	r = sd_bus_call(bus, m, 0, &e, NULL);
	if (r < 0)
		return bus_error(err, r, &e, "cannot start '%s'", t->argv[0]);
	return 0;
}
